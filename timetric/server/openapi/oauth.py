"""The addresses of the three steps of OAuth 1.0a."""

from __future__ import annotations

from typing import Any

from timetric.server.openapi.operation import (
    APPLICATION,
    BROWSER,
    FORM,
    Operation,
    Paths,
    completed,
    form,
    operation,
)
from timetric.server.openapi.parameters import query
from timetric.server.openapi.replies import HTML, reply
from timetric.server.openapi.schemas import TEXT, Schema, record

_TOKEN = record(
    {"oauth_token": TEXT, "oauth_token_secret": TEXT},
    oauth_callback_confirmed={"type": "string", "const": "true"},
)
_SIGNED = {"200": reply("a token and its secret", {FORM: {"schema": _TOKEN}})}
_ASKED = [
    query("oauth_token", "the request token"),
    query("oauth_callback", "of applications of 2009 only"),
]
_DECISION: Schema = {"type": "string", "enum": ["authorize", "deny"]}


def _step(summary: str) -> dict[str, Operation]:
    """The parameters of OAuth stand in the header, the query or the form."""
    asked: dict[str, Any] = {
        "get": operation(summary, [], _SIGNED, (401, 403), security=APPLICATION),
        "post": operation(
            summary, [], _SIGNED, (401, 403, 408, 411, 413, 415), security=APPLICATION
        ),
    }
    return asked


_SHOW = operation(
    "The page that asks the user",
    _ASKED,
    {
        "200": reply("HTML", HTML),
        "303": reply("to the page to sign in", None, "Location"),
    },
    (403, 404),
    security=BROWSER,
)
_DECIDE = operation(
    "The user authorizes the application, or denies it",
    _ASKED,
    {
        "200": reply("HTML, with the PIN", HTML),
        "303": reply("to the application's callback", None, "Location"),
    },
    (403, 404, 408, 411, 413, 415),
    security=BROWSER,
    body=form({"decision": _DECISION}, oauth_token=TEXT, oauth_callback=TEXT),
)

PATHS: Paths = completed(
    "OAuth",
    {
        "/oauth/request_token/": _step("A request token, for oauth_callback"),
        "/oauth/authorize/": {"get": _SHOW, "post": _DECIDE},
        "/oauth/access_token/": _step("An access token, for a request token and oauth_verifier"),
    },
)
