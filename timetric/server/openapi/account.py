"""The pages under /account/, which are for people: forms that only browsers send."""

from __future__ import annotations

from typing import Any

from timetric.server.account.expiry import CHOICES
from timetric.server.openapi.operation import (
    BROWSER,
    NOBODY,
    Operation,
    Paths,
    completed,
    form,
    operation,
)
from timetric.server.openapi.parameters import Parameter, path, query
from timetric.server.openapi.replies import HTML, Replies, reply
from timetric.server.openapi.schemas import TEXT, Schema

SIGN_UP = "/account/sign-up/"

_PAGE: Replies = {"200": reply("HTML", HTML)}
_ON: Replies = {
    "303": reply("the page to go on to, or the one to sign in", None, "Location", "Set-Cookie")
}

_IN: Replies = {"303": reply("the page to go on to", None, "Location", "Set-Cookie")}
_IN_BY_LINK: Replies = {"200": reply("HTML", HTML, "Set-Cookie")}

_KEY = path("key", "of what is one's own")
_SESSION = path(
    "key", "of the session", {"type": "integer", "minimum": 1, "maximum": 9223372036854775807}
)
_SECRET = path("secret", "of a link that is good once")
_DONE = query("done", "what a form has done")
_NEXT = query("next", "the page to go on to")

_NAME: dict[str, Schema] = {"name": TEXT}
_NEW = {"expires": {"type": "string", "enum": [*CHOICES]}, "read_only": TEXT}


def _show(summary: str, *parameters: Parameter) -> Operation:
    bad = (403, 404) if any(each["in"] == "path" for each in parameters) else (403,)
    return operation(summary, parameters, {**_PAGE, **_ON}, bad, security=BROWSER)


def _send(
    summary: str, *parameters: Parameter, body: dict[str, Any] | None = None, bad: Any = ()
) -> Operation:
    is_one = any(each["in"] == "path" for each in parameters)
    statuses = (403, 404, 408, 411, 415, *bad) if is_one else (403, 408, 411, 415, *bad)
    return operation(summary, parameters, {**_PAGE, **_ON}, statuses, security=BROWSER, body=body)


def _asks(what: str) -> dict[str, Operation]:
    return {"get": _show(f"Ask once more: {what}", _KEY), "post": _send(what, _KEY)}


_SIGNED_OUT: dict[str, dict[str, Operation]] = {
    "/account/sign-in/": {
        "get": operation("The page to sign in", [_NEXT, _DONE], _PAGE, security=NOBODY),
        "post": operation(
            "Sign in by name and password",
            [],
            _IN,
            (403, 408, 411, 415),
            security=NOBODY,
            body=form({**_NAME, "password": TEXT}, next=TEXT),
        ),
    },
    "/account/sign-in/{secret}/": {
        "get": operation("A link to sign in by", [_SECRET], _PAGE, (404,), security=NOBODY),
        "post": operation(
            "Sign in by the link", [_SECRET], _IN_BY_LINK, (403, 404), security=NOBODY
        ),
    },
    "/account/sign-out/": {
        "post": operation("Sign this browser out", [], _IN, (403,), security=NOBODY)
    },
    SIGN_UP: {
        "get": operation("The page to sign up", [], _PAGE, security=NOBODY),
        "post": operation(
            "Make an account",
            [],
            _IN,
            (403, 409, 408, 411, 415),
            security=NOBODY,
            body=form({**_NAME, "password": TEXT, "again": TEXT}),
        ),
    },
}
_SIGNED_IN: dict[str, dict[str, Operation]] = {
    "/account/": {"get": _show("What a user has")},
    "/account/tokens/": {
        "get": _show("API tokens", _DONE),
        "post": _send("Make a token", body=form(_NAME, **_NEW), bad=(409,)),
    },
    "/account/tokens/{key}/revoke/": _asks("revoke the token"),
    "/account/applications/": {
        "get": _show("Applications", _DONE),
        "post": _send(
            "Register an application", body=form(_NAME, callback=TEXT, **_NEW), bad=(409,)
        ),
    },
    "/account/applications/{key}/": {"get": _show("An application", _KEY, _DONE)},
    "/account/applications/{key}/delete/": _asks("delete the application"),
    "/account/authorized/": {"get": _show("Applications that act for the user", _DONE)},
    "/account/authorized/{key}/revoke/": _asks("revoke the access"),
    "/account/password/": {
        "get": _show("The password", _DONE),
        "post": _send("Change the password", body=form({"new": TEXT, "again": TEXT}, current=TEXT)),
    },
    "/account/sessions/": {"get": _show("Browsers that are signed in", _DONE)},
    "/account/sessions/{key}/end/": {"post": _send("Sign one out", _SESSION)},
    "/account/sessions/end-others/": {"post": _send("Sign all others out")},
    "/account/sessions/end-all/": {"post": _send("Sign all out")},
}

PATHS: Paths = completed("Pages of an account", {**_SIGNED_OUT, **_SIGNED_IN})
