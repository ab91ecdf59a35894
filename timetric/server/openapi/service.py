"""The addresses of the service itself."""

from __future__ import annotations

from timetric.server import metrics
from timetric.server.openapi.operation import (
    ANYBODY,
    NOBODY,
    VIEWER,
    Operation,
    Paths,
    completed,
    operation,
)
from timetric.server.openapi.parameters import path
from timetric.server.openapi.replies import HTML, reply
from timetric.server.openapi.schemas import TEXT, record

_METRICS = {metrics.MEDIA_TYPE: {"schema": TEXT}}
_HEALTH = record({"status": {"type": "string", "const": "ok"}})
_ASSETS = {
    name: {"schema": TEXT}
    for name in ("text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml")
}

_ROBOTS = {"text/plain; charset=utf-8": {"schema": TEXT}}


def _page(summary: str) -> Operation:
    """One for everybody, which shows who is signed in."""
    return operation(summary, [], {"200": reply("HTML", HTML)}, security=VIEWER)


PATHS: Paths = completed(
    "Service",
    {
        "/": {"get": _page("The home page")},
        "/robots.txt": {
            "get": operation(
                "What robots may read",
                [],
                {"200": reply("the rules (RFC 9309)", _ROBOTS)},
                security=NOBODY,
            )
        },
        "/help/": {"get": _page("Help")},
        "/help/start/": {"get": _page("The first five minutes")},
        "/help/protocol/": {"get": _page("The protocol, for people")},
        "/static/{name}": {
            "get": operation(
                "What pages load",
                [path("name", "of a file; it never changes")],
                {"200": reply("the file", _ASSETS)},
                (404,),
                security=NOBODY,
            )
        },
        "/health/": {
            "get": operation(
                "Whether the store can be read",
                [],
                {"200": reply("it can", {"application/json": {"schema": _HEALTH}})},
                security=NOBODY,
            )
        },
        "/metrics/": {
            "get": operation(
                "What the service did, for Prometheus",
                [],
                {"200": reply("to programs on its machine, and to administrators", _METRICS)},
                (401, 403),
                security=ANYBODY,
            )
        },
        "/openapi.json": {
            "get": operation(
                "This description",
                [],
                {"200": reply("OpenAPI 3.1", {"application/json": {"schema": {"type": "object"}}})},
                security=NOBODY,
            )
        },
    },
)
