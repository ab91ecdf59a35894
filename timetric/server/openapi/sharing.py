"""The addresses of pictures, of pages that other sites frame, and of oEmbed."""

from __future__ import annotations

from typing import Any

from timetric.server.openapi.operation import (
    NOBODY,
    Operation,
    Paths,
    Security,
    completed,
    operation,
)
from timetric.server.openapi.parameters import (
    END,
    ID,
    START,
    VALIDATORS,
    Parameter,
    number,
    one_of,
    query,
)
from timetric.server.openapi.replies import HTML, UNCHANGED, reply
from timetric.server.openapi.schemas import FLAG, TEXT, Schema, ref
from timetric.server.sharing import oembed
from timetric.server.sharing.embed import GRAPH
from timetric.server.sharing.pictures import CHART, PNG, SCALE, SPARKLINE, SVG, Size

#: What is public is for everybody; a browser that is signed in sees pictures of its user's own.
_VIEWER: Security = [{}, {"cookie": []}]

_DARK = query("dark", "dark, or light; SVG and pages else as their reader prefers", FLAG)
_JSON, _XML = (media_type for media_type, _ in oembed.FORMATS.values())
_ANSWERS: dict[str, Any] = {_JSON: {"schema": ref("OEmbed")}, _XML: {"schema": TEXT}}


def _size(name: str, size: Size) -> Parameter:
    return query(name, "in pixels", number(size.most, size.usual, size.least))


def _shown(
    summary: str, content: dict[str, Any], *parameters: Parameter, security: Security = NOBODY
) -> Operation:
    good = {"200": reply("it", content, "ETag", "Last-Modified"), "304": UNCHANGED}
    asked = [ID, START, END, *parameters, *VALIDATORS]
    return operation(summary, asked, good, (404,), security=security)


def _picture(
    summary: str, media_type: str, sizes: dict[str, Size], *parameters: Parameter
) -> Operation:
    schema: dict[str, Schema] = {"schema": TEXT} if media_type == SVG else {}
    asked = [*(_size(name, size) for name, size in sizes.items()), _DARK, *parameters]
    return _shown(summary, {media_type: schema}, *asked, security=_VIEWER)


_SCALED = query(
    "scale", "pixels for each of width and height", number(SCALE.most, SCALE.usual, SCALE.least)
)
_USUAL, _LEAST, _MOST = GRAPH
_OEMBED = operation(
    "How a series is embedded (oEmbed 1.0)",
    [
        {**query("url", "the address of a public series here"), "required": True},
        query("format", "of the answer", one_of(*oembed.FORMATS)),
        query("maxwidth", "of the frame, in pixels", number(10**15 - 1)),
        query("maxheight", "of the frame, in pixels", number(10**15 - 1)),
    ],
    {"200": reply("HTML, and what it shows", _ANSWERS)},
    (404, 501),
    security=NOBODY,
)

PATHS: Paths = completed(
    "Share",
    {
        "/series/{id}/chart.svg": {"get": _picture("A chart as SVG", SVG, CHART)},
        "/series/{id}/chart.png": {"get": _picture("A chart as PNG", PNG, CHART, _SCALED)},
        "/series/{id}/sparkline.svg": {"get": _picture("A small line as SVG", SVG, SPARKLINE)},
        "/embed/{id}/": {"get": _shown("A page that any site may frame", HTML, _DARK)},
        "/embed/{id}/graph/": {
            "get": _shown(
                "What that page shows",
                {"application/json": {"schema": ref("Graph")}},
                query("max_points", "thin to so many", number(_MOST, _USUAL, _LEAST)),
            )
        },
        "/oembed/": {"get": _OEMBED},
    },
)
