"""What stands in paths, queries and headers of requests, with its limits."""

from __future__ import annotations

from typing import Any

from timetric.server.aggregates import AGGREGATES
from timetric.server.chart import LEAST, USUAL
from timetric.server.chart import MOST as MOST_COLUMNS
from timetric.server.listing import MOST, PER_PAGE
from timetric.server.openapi.schemas import FIELDS, FLAG, TEXT, Schema, ref
from timetric.server.overview import MOST_POINTS
from timetric.server.receipt import ERROR, KEEP, REPLACE
from timetric.server.search import LONGEST_Q
from timetric.server.selection import SIDES
from timetric.server.thinning import METHODS
from timetric.timestamps import END as END_OF_TIME
from timetric.timestamps import FIRST

Parameter = dict[str, Any]

#: As in CSV: the usual ones of many ways to write it.
_TIME: Schema = {
    "anyOf": [
        {"type": "number", "minimum": FIRST, "exclusiveMaximum": END_OF_TIME},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
    ],
    "examples": [1236707269, "2009-03-11T01:30:00Z", "2009-03-10"],
}


def _parameter(where: str, name: str, description: str, schema: Schema) -> Parameter:
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "description": description, **required, "schema": schema}


def path(name: str, description: str, schema: Schema = TEXT) -> Parameter:
    return _parameter("path", name, description, {"minLength": 1, **schema})


def query(name: str, description: str, schema: Schema = TEXT) -> Parameter:
    return _parameter("query", name, description, schema)


def header(name: str, description: str, schema: Schema = TEXT) -> Parameter:
    return _parameter("header", name, description, schema)


def one_of(*names: str) -> Schema:
    """Of which the first is meant where none is given."""
    return {"type": "string", "enum": list(names), "default": names[0]}


def number(most: int, usual: int | None = None, least: int = 1) -> Schema:
    default = {} if usual is None else {"default": usual}
    return {"type": "integer", "minimum": least, "maximum": most, **default}


_KEY: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,64}$"}

ID = path("id", "of the series", ref("ID"))
WRITE_KEY = path("key", "the write's Idempotency-Key", _KEY)

IF_NONE_MATCH = header("If-None-Match", "ETags of what is known: 304 for one that still holds")
IF_MODIFIED_SINCE = header("If-Modified-Since", "304 where nothing has changed since then")
IF_MATCH = header("If-Match", "ETags of any reading of the series: 412 if it has changed since")
IDEMPOTENCY_KEY = header("Idempotency-Key", "by which the write is done once", _KEY)
CONTENT_ENCODING = header(
    "Content-Encoding", "of points as the body only", one_of("identity", "gzip")
)

DRY_RUN = query("dry_run", "only say what would be done", {**FLAG, "default": "false"})
ON_CONFLICT = query(
    "on_conflict",
    "what becomes of a point whose timestamp is taken by another value",
    one_of(REPLACE, KEEP, ERROR),
)
START = query("start", "points at or after this time", _TIME)
END = query("end", "points before this time", _TIME)

WIDTH = query("width", "of the chart, in columns", number(MOST_COLUMNS, USUAL, least=LEAST))

NEAR = [
    query("at", "the time near which the point is looked for", _TIME),
    query("side", "the side of it; goes with at", one_of(*SIDES)),
]
WINDOW = [
    START,
    query("after", "points strictly after this time", _TIME),
    END,
    query("limit", "at most so many points, or buckets", number(10**15 - 1)),
    query("order", "oldest first, or latest first", one_of("asc", "desc")),
]
OVERVIEW = [
    query(
        "every",
        "the length of buckets; goes with aggregate",
        {
            "type": "string",
            "pattern": "^0{0,9}[1-9][0-9]{0,11}(s|min|h|d|w|mo|q|y)$",
            "examples": ["15min", "1d"],
        },
    ),
    query("aggregate", "of the numbers in each bucket", {"type": "string", "enum": [*AGGREGATES]}),
    query(
        "tz", "a name of the IANA time zone database; goes with every", {"default": "UTC"} | TEXT
    ),
    query("max_points", "thin to so many; not with every and limit", number(MOST_POINTS, least=2)),
    query("method", "how it is thinned; goes with max_points", one_of(*METHODS)),
]
VALIDATORS = [IF_NONE_MATCH, IF_MODIFIED_SINCE]
METADATA = [query(name, "as in the form", schema) for name, schema in FIELDS.items()]
SAFELY = [IDEMPOTENCY_KEY, IF_MATCH]

SEARCH = [
    query("q", "words, at most 50", {"type": "string", "maxLength": LONGEST_Q}),
    query("u", "the owner's name, or me"),
    query("slug", "the whole of one"),
    query("n", "how many on a page", number(MOST, PER_PAGE)),
    query("p", "which page", number(10**9, 1)),
]
TAGS = path("tags", "at most 20 tags, each percent-encoded twice, joined by semicolons")
