"""What JSON of the service looks like (JSON Schema 2020-12), by the names of the description."""

from __future__ import annotations

from typing import Any

from timetric.server.listing import MOST
from timetric.server.metadata import CAPTION_LENGTH, SLUG, TITLE_LENGTH

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ONE_OR_MORE: Schema = {"type": "integer", "minimum": 1}
FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
FILE: Schema = {"type": "string", "contentMediaType": "text/csv"}
BYTES: Schema = {}  # what is no text has no schema (OpenAPI 3.1, 4.8.14.2)

_SLUG: Schema = {"type": "string", "pattern": f"^{SLUG.pattern}$"}
_TIMESTAMP: Schema = {"type": "number", "description": "Unix seconds, UTC"}
_NUMBER: Schema = {"type": ["number", "null"]}
_VALUE: Schema = {"type": ["number", "boolean", "null"]}
_POINT: Schema = {
    "type": "array",
    "description": "a timestamp (Unix seconds, UTC) and a value",
    "items": _VALUE,
    "minItems": 2,
    "maxItems": 2,
}
_DEGREES: dict[str, Schema] = {
    "latitude": {"minimum": -90, "maximum": 90},
    "longitude": {"minimum": -180, "maximum": 180},
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: dict[str, Schema], **optional: Schema) -> Schema:
    """An object; it may have other members too."""
    members = {**required, **optional}
    return {"type": "object", "required": list(required), "properties": members}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _column(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _titles(least: int) -> dict[str, Schema]:
    lengths = {"title": TITLE_LENGTH, "caption": CAPTION_LENGTH}
    return {
        name: {"type": "string", "minLength": least, "maxLength": most}
        for name, most in lengths.items()
    }


#: The fields of a form that say of a series what it is.
FIELDS: dict[str, Schema] = {
    **_titles(1),
    "description": TEXT,
    "tags": {"type": "string", "description": "more than once, or joined by semicolons"},
    "unit": TEXT,
    "source": TEXT,
    "source_url": {"type": "string", "format": "uri", "description": "http or https"},
    **{name: {"type": "number", **range} for name, range in _DEGREES.items()},
    "public": {**FLAG, "default": "false"},
    "slug": {**_SLUG, "description": "a short name of the owner's own"},
}

_THIN: dict[str, Schema] = {"name": ref("ID"), "title": TEXT, "url": TEXT}
_THICK: dict[str, Schema] = {
    **_THIN,
    "caption": TEXT,
    **{name: _or_null(TEXT) for name in ("description", "unit", "source", "source_url")},
    "tags": {"type": "array", "items": TEXT, "uniqueItems": True},
    **{name: {"type": ["number", "null"], **range} for name, range in _DEGREES.items()},
    "owner": TEXT,
    "public": {"type": "boolean"},
    "slug": _or_null(_SLUG),
    "created": _TIMESTAMP,
    "updated": _TIMESTAMP,
    "points": COUNT,
    "latest": ref("LatestPoint"),
}


def _listing(item: str) -> Schema:
    page: dict[str, Schema] = {
        "results": {"type": "array", "items": ref(item), "maxItems": MOST},
        "total": COUNT,
        "page": ONE_OR_MORE,
        "per_page": {"type": "integer", "minimum": 1, "maximum": MOST},
    }
    return record(page)


_PATCH: dict[str, Schema] = {
    **_titles(1),
    **{name: _or_null(TEXT) for name in ("description", "unit", "source", "source_url")},
    "tags": {"type": ["array", "null"], "items": {"type": "string", "pattern": "^[^;]*$"}},
    **{name: {"type": ["number", "null"], **range} for name, range in _DEGREES.items()},
    "public": {"type": ["boolean", "null"]},
    "slug": _or_null(_SLUG),
}

SCHEMAS: dict[str, Schema] = {
    "ID": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$", "description": "of a series"},
    "Problem": record(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
        },
        line=ONE_OR_MORE,
        record=ONE_OR_MORE,
        field=TEXT,
        timestamp=_TIMESTAMP,
        series=ref("ID"),
        retry_after=COUNT,
        oauth_problem=TEXT,
    ),
    "LatestPoint": record(
        {"timestamp": {**_TIMESTAMP, "type": ["number", "null"]}, "value": _VALUE}
    ),
    "Points": record(
        {
            "points": {
                "type": "array",
                "items": _POINT,
            }
        }
    ),
    "Chart": record(
        {
            "extent": {
                "type": ["array", "null"],
                "items": _TIMESTAMP,
                "minItems": 2,
                "maxItems": 2,
            },
            **{name: _column(_TIMESTAMP) for name in ("first", "final")},
            **{name: _column(_NUMBER) for name in ("minimum", "mean", "maximum")},
            "numbers": _column(COUNT),
        }
    ),
    "Receipt": record(
        dict.fromkeys(("received", "added", "replaced", "unchanged", "removed", "version"), COUNT),
        series=ref("ID"),
        point=_POINT,
    ),
    "ThinItem": record(_THIN),
    "ThickItem": record(_THICK),
    "ThinListing": _listing("ThinItem"),
    "ThickListing": _listing("ThickItem"),
    "Graph": record(
        {
            **dict.fromkeys(("title", "caption", "url"), TEXT),
            "unit": _or_null(TEXT),
            "latest": {**_POINT, "type": ["array", "null"]},
            "points": {"type": "array", "items": _POINT},
        }
    ),
    "OEmbed": record(
        {
            **dict.fromkeys(("version", "type", "title", "html"), TEXT),
            **dict.fromkeys(("author_name", "author_url"), TEXT),
            **dict.fromkeys(("provider_name", "provider_url", "thumbnail_url"), TEXT),
            **dict.fromkeys(("width", "height"), ONE_OR_MORE),
            **dict.fromkeys(("thumbnail_width", "thumbnail_height"), ONE_OR_MORE),
        }
    ),
    "MetadataPatch": {"type": "object", "properties": _PATCH, "additionalProperties": False},
}
