"""The addresses where series are found."""

from __future__ import annotations

from timetric.server import atom
from timetric.server.openapi.operation import (
    NOBODY,
    VIEWER,
    Operation,
    Paths,
    completed,
    operation,
)
from timetric.server.openapi.parameters import SEARCH, TAGS, Parameter, one_of, path
from timetric.server.openapi.replies import HTML, reply
from timetric.server.openapi.schemas import TEXT, ref

_FORM = path("form", "of the answer", one_of("thin.json", "thick.json", "fat.json", "atom"))
_RESULTS = {
    "application/json": {"schema": {"anyOf": [ref("ThinListing"), ref("ThickListing")]}},
    atom.MEDIA_TYPE: {"schema": TEXT},
}


def _page(*parameters: Parameter) -> Operation:
    return operation(
        "Series that are found, as a page",
        [*parameters, *SEARCH],
        {"200": reply("HTML", HTML, "Link")},
        (401, 403),
        security=VIEWER,
    )


def _results(*parameters: Parameter) -> Operation:
    return operation(
        "Series that are found",
        [*parameters, _FORM, *SEARCH],
        {"200": reply("a page of them", _RESULTS, "Link")},
        (401, 403, 404),
        security=VIEWER,
    )


def _tags(root: str) -> Paths:
    return {
        f"{root}/": {"get": _page()},
        f"{root}/results.{{form}}": {"get": _results()},
        f"{root}/{{tags}}/": {"get": _page(TAGS)},
        f"{root}/{{tags}}/results.{{form}}": {"get": _results(TAGS)},
    }


_DESCRIPTION = operation(
    "The OpenSearch description",
    [],
    {"200": reply("how to search here", {atom.DESCRIPTION_TYPE: {"schema": TEXT}})},
    security=NOBODY,
)

PATHS: Paths = completed(
    "Find",
    {
        "/search/": {"get": _page()},
        "/search/results.{form}": {"get": _results()},
        "/search/description.xml": {"get": _DESCRIPTION},
        **_tags("/tags"),
        **_tags("/tag"),
    },
)
