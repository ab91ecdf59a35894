"""The replies: their headers, and what is wrong by the statuses of problems."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from timetric.server.openapi.schemas import COUNT, TEXT, Schema, ref
from timetric.server.problem import MEDIA_TYPE

Reply = dict[str, Any]
Replies = dict[str, Reply]

HTML = {"text/html; charset=utf-8": {"schema": TEXT}}
_PROBLEM = {MEDIA_TYPE: {"schema": ref("Problem")}}

#: Those that every reply of a kind has.
_RECEIPT = ("Received", "Added", "Replaced", "Unchanged", "Removed", "Version")


def _header(description: str, schema: Schema = TEXT, *, required: bool = False) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": schema}


HEADERS: dict[str, dict[str, Any]] = {
    "Request-Id": _header("the request's name in the service's log", required=True),
    "Allow": _header("the methods that the address takes", required=True),
    "Location": _header("where it is, or where to go on", required=True),
    "WWW-Authenticate": _header("the scheme that is asked for", required=True),
    "Retry-After": _header("seconds after which to try again", COUNT, required=True),
    "ETag": _header("version, generation and representation", required=True),
    "Last-Modified": _header("once two seconds have passed since the change"),
    "RateLimit": _header("how many requests are left, and when all are there again"),
    "RateLimit-Policy": _header("how many requests are answered"),
    "Set-Cookie": _header("the session of the browser, or its end"),
    "Link": _header("other pages"),
    "Timetric-Words": _header("no: no value of the 16-byte form is a word"),
    "Timetric-Point": _header("the point of a value or an increment, as it stands"),
    **{f"Timetric-{name}": _header(name.lower(), COUNT, required=True) for name in _RECEIPT},
}

_ON_ALL = ("Request-Id", "RateLimit", "RateLimit-Policy")
RECEIPT = [f"Timetric-{name}" for name in _RECEIPT]

#: What each status of a problem means, and the headers that come with it.
_PROBLEMS: dict[int, tuple[str, list[str]]] = {
    400: ("can't be understood: parameters, points, metadata, a body cut short", []),
    401: ("no, wrong or expired credentials", ["WWW-Authenticate"]),
    403: ("someone else's public series, a read-only token, a quota used up, not signed in", []),
    404: ("not there, or someone else's", []),
    405: ("not this method", ["Allow"]),
    406: ("in no form that Accept names", []),
    408: ("the body came too slowly", []),
    409: ("in conflict with what stands, or with a write that is under way", []),
    411: ("no Content-Length", []),
    412: ("the series is not of the version that If-Match names", []),
    413: ("too large", []),
    415: ("a type or an encoding of the body that is not taken", []),
    421: ("for a host that this service is not", []),
    422: ("a key that belongs to another write", []),
    429: ("too often", ["Retry-After"]),
    500: ("the service's fault", []),
    501: ("not in this format", []),
    503: ("not at this moment", ["Retry-After"]),
    507: ("the disk is full; nothing was stored", []),
}

#: What any request may be answered.
ALWAYS = (400, 421, 429, 500, 503)

#: Told by the browser itself, or before a page can be made: never as one.
_NEVER_PAGES = {401, 421}


def reply(description: str, content: dict[str, Any] | None = None, *headers: str) -> Reply:
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ON_ALL, *headers)}
    return {"description": description, "headers": named} | (
        {} if content is None else {"content": content}
    )


#: The answer where a reader's copy is as good.
UNCHANGED = reply("what If-None-Match or If-Modified-Since names still holds", None, "ETag")


def problems(*statuses: int) -> Replies:
    """Those of these statuses, and those of any request."""
    return {
        str(status): {"$ref": f"#/components/responses/{name_of(status)}"}
        for status in sorted({*statuses, *ALWAYS})
    }


def _problem(status: int) -> Reply:
    """Told as JSON; to a browser as a page."""
    meaning, headers = _PROBLEMS[status]
    is_shown = status not in _NEVER_PAGES and status != 500
    return reply(meaning, _PROBLEM | (HTML if is_shown else {}), *headers)


def name_of(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


RESPONSES = {name_of(status): _problem(status) for status in _PROBLEMS}
RESPONSES[name_of(409)]["headers"]["Location"] = _header("of the series that has the slug")
