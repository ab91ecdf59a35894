"""The addresses where series are made, written and read."""

from __future__ import annotations

from typing import Any

from timetric.server.body import POINTS
from timetric.server.formats import ARROW, BINARY, CSV, FORMATS, JSON, Format
from timetric.server.openapi.operation import (
    FORM,
    OWNER,
    VIEWER,
    Operation,
    Paths,
    body,
    completed,
    operation,
)
from timetric.server.openapi.parameters import (
    CONTENT_ENCODING,
    DRY_RUN,
    END,
    ID,
    IF_MATCH,
    METADATA,
    NEAR,
    ON_CONFLICT,
    OVERVIEW,
    SAFELY,
    START,
    VALIDATORS,
    WIDTH,
    WINDOW,
    WRITE_KEY,
    query,
)
from timetric.server.openapi.replies import HTML, RECEIPT, UNCHANGED, Replies, reply
from timetric.server.openapi.schemas import BYTES, FIELDS, FILE, FLAG, TEXT, Schema, record, ref

_JSON = JSON.media_type
_MULTIPART = "multipart/form-data"

#: What can be wrong with a write, with one that has a body, and with one that has points in it.
_WRITE = (401, 403, 404, 409, 412, 422, 507)
_BODY = (408, 411, 413, 415)

_MERGE: dict[str, Schema] = {"text/csv": TEXT, POINTS: BYTES}
_REQUIRED = {name: FIELDS[name] for name in ("title", "caption")}
_OPTIONAL = {name: schema for name, schema in FIELDS.items() if name not in _REQUIRED}
_NUMBER = {"type": "number"}
_ADDED: dict[str, Schema] = {"value": TEXT, "timestamp": TEXT, "increment": _NUMBER}

_TERMS: dict[str, Schema] = {each["name"]: each["schema"] for each in (ON_CONFLICT, DRY_RUN)}

_DONE: Replies = {"204": reply("the receipt", None, *RECEIPT, "Timetric-Point")}

_CONTENTS: dict[Format, dict[str, Any]] = {
    CSV: {"schema": TEXT},
    JSON: {"schema": ref("Points")},
    BINARY: {},
    ARROW: {},
}


def _read(
    summary: str, *parameters: Any, content: dict[str, Any], bad: tuple[int, ...] = ()
) -> Operation:
    headers = ("ETag", "Last-Modified", "Link", "Timetric-Words")
    good = {"200": reply("what was asked for", content, *headers), "304": UNCHANGED}
    asked = [ID, *parameters, *VALIDATORS]
    return operation(summary, asked, good, (401, 404, *bad), security=VIEWER)


def _points(summary: str, *forms: Format, bad: tuple[int, ...] = ()) -> Operation:
    content = {form.media_type: _CONTENTS[form] for form in forms}
    return _read(summary, *WINDOW, *OVERVIEW, content=content, bad=bad)


_CREATE = operation(
    "Make a series",
    [*METADATA, DRY_RUN, CONTENT_ENCODING, *SAFELY],
    {
        "201": reply(
            "its URL, and the receipt",
            {"text/plain; charset=utf-8": {"schema": TEXT}},
            "Location",
            *RECEIPT,
        ),
        "200": reply("with dry_run: the receipt", None, *RECEIPT),
    },
    (401, 403, 409, 412, 422, 507, *_BODY),
    security=OWNER,
    body=body(
        {
            _MULTIPART: record(_REQUIRED, **_OPTIONAL, dry_run=FLAG, csv=FILE),
            FORM: record(_REQUIRED, **_OPTIONAL, dry_run=FLAG),
            **_MERGE,
        },
        required=False,
    ),
)
_ADD = operation(
    "Add a value, increment the latest, or merge points in",
    [
        ID,
        *(query(name, "as in the form", schema) for name, schema in _ADDED.items()),
        ON_CONFLICT,
        DRY_RUN,
        CONTENT_ENCODING,
        *SAFELY,
    ],
    _DONE,
    (*_WRITE, *_BODY),
    security=OWNER,
    body=body(
        {
            FORM: record({}, **_ADDED, **_TERMS),
            _MULTIPART: record({}, **_TERMS, csv=FILE),
            **_MERGE,
        },
        required=False,  # all may stand in the query
    ),
)
_REPLACE = operation(
    "Put these points in the place of the whole history",
    [ID, DRY_RUN, CONTENT_ENCODING, *SAFELY],
    _DONE,
    (*_WRITE, *_BODY),
    security=OWNER,
    body=body(_MERGE),
)
_CLEAR = operation(
    "Clear the points of a range, or all; or remove the series",
    [
        ID,
        START,
        END,
        query("series", "remove the series itself; not with a range", FLAG),
        DRY_RUN,
        *SAFELY,
    ],
    _DONE,
    _WRITE,
    security=OWNER,
)
_ITEM = {_JSON: {"schema": ref("ThickItem")}}
_PATCH = operation(
    "Change what the series says of itself",
    [ID, IF_MATCH],
    {"200": reply("what then holds", _ITEM, "Timetric-Version")},
    (401, 403, 404, 412, 507, *_BODY),
    security=OWNER,
    body=body({name: ref("MetadataPatch") for name in ("application/merge-patch+json", _JSON)}),
)
_PAGE = operation(
    "The series' page",
    [ID, query("done", "what a form has done"), query("write", "by which key")],
    {"200": reply("HTML", HTML)},
    (401, 403, 404),
    security=VIEWER,
)


def _receipt(*parameters: Any) -> Operation:
    return operation(
        "What the write with a key did",
        [*parameters, WRITE_KEY],
        {"200": reply("its receipt", {_JSON: {"schema": ref("Receipt")}})},
        (401, 404),
        security=OWNER,
    )


PATHS: Paths = completed(
    "Series",
    {
        "/create/": {"post": _CREATE},
        "/create/writes/{key}/": {"get": _receipt()},
        "/series/{id}/": {"get": _PAGE, "post": _ADD, "put": _REPLACE, "delete": _CLEAR},
        "/series/{id}/writes/{key}/": {"get": _receipt(ID)},
        "/series/{id}/metadata/": {
            "get": _read("What the series says of itself", content=_ITEM),
            "patch": _PATCH,
        },
        "/series/{id}/value/json/": {
            "get": _read(
                "The latest point, or the one near a time",
                *NEAR,
                content={_JSON: {"schema": ref("LatestPoint")}},
            )
        },
        "/series/{id}/chart.json": {
            "get": _read(
                "What a chart of so many columns draws",
                START,
                END,
                WIDTH,
                content={_JSON: {"schema": ref("Chart")}},
            )
        },
        "/series/{id}/points/": {
            "get": _points("Points, in the form that Accept names", *FORMATS.values(), bad=(406,))
        },
        "/series/{id}/points.json": {"get": _points("Points as JSON", JSON)},
        "/series/{id}/csv/": {"get": _points("Points as CSV", CSV)},
        "/series/{id}/csv/unix.csv": {"get": _points("Points as CSV", CSV)},
        "/series/{id}/csv/iso.csv": {"get": _points("Points as CSV, times as ISO 8601", CSV)},
    },
)
