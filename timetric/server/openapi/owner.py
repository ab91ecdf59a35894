"""The pages of series for those who keep them: forms that only browsers send."""

from __future__ import annotations

from typing import Any

from timetric.server.openapi.operation import (
    BROWSER,
    FORM,
    Operation,
    Paths,
    body,
    completed,
    operation,
)
from timetric.server.openapi.parameters import ID, ON_CONFLICT, Parameter
from timetric.server.openapi.replies import HTML, Replies, reply
from timetric.server.openapi.schemas import FILE, FLAG, TEXT, Schema, record

_MULTIPART = "multipart/form-data"

_PAGE: Replies = {"200": reply("HTML", HTML)}
_ON: Replies = {"303": reply("the page to go on to, or the one to sign in", None, "Location")}

#: What can be wrong with a form, and with one that brings something.
_SENT = (403, 408, 411, 413, 415)
_STORED = (*_SENT, 409, 422, 507)

_KEY = {"key": TEXT}  # as the form has it; sent twice, it is done once
_POINTS: dict[str, Schema] = {"pasted": TEXT, "csv": FILE}
_TITLES: dict[str, Schema] = {"title": TEXT, "caption": TEXT}
_REST: dict[str, Schema] = {
    "description": TEXT,
    "tags": {"type": "string", "description": "separated by semicolons"},
    **dict.fromkeys(("unit", "source", "source_url", "latitude", "longitude", "slug"), TEXT),
    "public": {"type": "string", "enum": ["true"], "description": "left out where it is private"},
}
_STEP: Schema = {"type": "string", "enum": ["preview", "create"], "default": "preview"}


def _form(required: dict[str, Schema], **optional: Schema) -> dict[str, Any]:
    schema = record(required, **optional)
    return body({FORM: schema, _MULTIPART: schema}, required=bool(required))


def _small(required: dict[str, Schema], **optional: Schema) -> dict[str, Any]:
    return body({FORM: record(required, **optional)}, required=bool(required))


def _page(summary: str, *parameters: Parameter) -> Operation:
    bad = (403, 404) if parameters else (403,)
    return operation(summary, parameters, {**_PAGE, **_ON}, bad, security=BROWSER)


def _send(
    summary: str, form: dict[str, Any], *parameters: Parameter, good: Replies = _ON
) -> Operation:
    bad = (*_STORED, 404) if parameters else _STORED
    return operation(summary, parameters, good, bad, security=BROWSER, body=form)


_NEW = _form(_TITLES, **_POINTS, **_REST, **_KEY, step=_STEP)
_ADD = _small({"value": TEXT}, timestamp=TEXT, **_KEY)
_UPLOAD = _form({}, **_POINTS, **_KEY, on_conflict=ON_CONFLICT["schema"])
_EDIT = _form({**_TITLES, "seen": TEXT}, **_REST)

PATHS: Paths = completed(
    "Pages of those who keep series",
    {
        "/new/": {
            "get": _page("The form of a new series"),
            "post": _send("Preview or make a series", _NEW, good={**_PAGE, **_ON}),
        },
        "/series/{id}/add/": {
            "get": _page("The form of a value", ID),
            "post": _send("Add a value", _ADD, ID),
        },
        "/series/{id}/upload/": {
            "get": _page("The form of an upload", ID),
            "post": _send("Upload points", _UPLOAD, ID),
        },
        "/series/{id}/edit/": {
            "get": _page("The form of what a series says", ID),
            "post": _send("Change what a series says", _EDIT, ID),
        },
        "/series/{id}/publish/": {
            "post": _send("Say who may see a series", _small({"public": FLAG}), ID)
        },
        "/series/{id}/clear/": {
            "get": _page("Ask once more: clear the series", ID),
            "post": _send("Clear the series", _small({}, **_KEY), ID),
        },
        "/series/{id}/remove/": {
            "get": _page("Ask once more: remove the series", ID),
            "post": _send("Remove the series", _small({}, **_KEY), ID),
        },
    },
)
