"""What a series says of itself: title, caption and the rest (protocol.md, Metadata)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from timetric.timestamps import parse_number

TITLE_LENGTH, CAPTION_LENGTH = 200, 1000

Fields = Mapping[str, list[str]]

#: A short name of the owner's own.
SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

_FLAGS = {"true": True, "false": False}
_READ_ONLY = {"name", "url", "owner", "created", "updated", "points", "latest"}

#: What is no text in JSON, and what it is called.
_KINDS: dict[str, tuple[Any, str]] = {
    "tags": (list, "list"),
    "latitude": ((int, float), "number"),
    "longitude": ((int, float), "number"),
    "public": (bool, "boolean"),
}


class BadMetadata(ValueError):
    """A field that is missing, or can't be taken; ``field`` is its name."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field} {detail}")
        self.field = field


@dataclass(frozen=True)
class Metadata:
    """The fields of a series that its owner sets. Degrees for latitude and longitude."""

    title: str
    caption: str
    description: str = ""
    tags: tuple[str, ...] = ()
    unit: str = ""
    source: str = ""
    source_url: str = ""
    latitude: float | None = None
    longitude: float | None = None
    public: bool = False
    slug: str | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> Metadata:
        """Metadata of a form's fields; an empty text counts as left out, other names are ignored.

        The same text twice counts once. Raises BadMetadata.
        """
        return cls(**{name: read(fields, name) for name, read in _READERS.items()})


def read_changes(patch: Mapping[str, object]) -> dict[str, Any]:
    """The fields that a JSON merge patch (RFC 7396) sets, by name; null is as left out.

    Raises BadMetadata, also for names that are no field or not the owner's to change.
    """
    changes = {}
    for name, value in patch.items():
        if name not in _READERS:
            raise BadMetadata(name, "can't be changed" if name in _READ_ONLY else "is no field")
        changes[name] = _READERS[name]({name: _texts(name, value)}, name)
    return changes


def _texts(name: str, value: object) -> list[str]:
    """A member of JSON as the texts that a form would have."""
    kind, what = _KINDS.get(name, (str, "text"))
    if value is None:
        return []
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BadMetadata(name, f"is no {what}")
    if isinstance(value, list):
        return [_tag(tag) for tag in value]
    return [value if isinstance(value, str) else json.dumps(value)]


def _tag(tag: object) -> str:
    if not isinstance(tag, str) or ";" in tag:
        raise BadMetadata("tags", "holds what is no text, or a semicolon, which parts tags")
    return tag


def _single(fields: Fields, name: str, *, allowed: str = "") -> str:
    """The one text of a field, "" where it is left out; of control characters only ``allowed``."""
    texts = set(fields.get(name) or [""])
    if len(texts) > 1:
        raise BadMetadata(name, "is given twice, with different texts")
    return _clean(name, texts.pop(), allowed)


def _clean(name: str, text: str, allowed: str = "") -> str:
    text = text.strip(" \t\r\n")
    if any(unicodedata.category(sign) == "Cc" and sign not in allowed for sign in text):
        raise BadMetadata(name, "holds a control character")
    return text


def _required(fields: Fields, name: str, *, length: int) -> str:
    text = _single(fields, name)
    if not text:
        raise BadMetadata(name, "is required")
    if len(text) > length:
        raise BadMetadata(name, f"has {len(text)} characters, and {length} are allowed")
    return text


def _tags(fields: Fields, name: str) -> tuple[str, ...]:
    """Each tag once, in NFC, so that two ways to type an accent are one tag."""
    pieces = (piece for text in fields.get(name, ()) for piece in text.split(";"))
    tags = (unicodedata.normalize("NFC", _clean(name, piece)) for piece in pieces)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _web_address(fields: Fields, name: str) -> str:
    text = _single(fields, name)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # brackets that hold no IPv6 address
        known = False
    if not known or any(sign.isspace() for sign in text):
        raise BadMetadata(name, "is no http or https address")
    return text


def _degrees(fields: Fields, name: str, *, most: float) -> float | None:
    text = _single(fields, name)
    if not text:
        return None
    number = parse_number(text)
    if number is None or not -most <= number <= most:
        raise BadMetadata(name, f"is no number from -{most} to {most}")
    return number


def _flag(fields: Fields, name: str) -> bool:
    texts = set(fields.get(name) or ["false"])
    if len(texts) > 1 or not texts <= _FLAGS.keys():
        raise BadMetadata(name, "is neither true nor false")
    return _FLAGS[texts.pop()]


def _slug(fields: Fields, name: str) -> str | None:
    text = _single(fields, name)
    if text and not SLUG.fullmatch(text):
        raise BadMetadata(
            name, "is not 1 to 64 of a-z, 0-9, . _ and -, the first a letter or digit"
        )
    return text or None


_READERS: dict[str, Callable[[Fields, str], Any]] = {
    "title": partial(_required, length=TITLE_LENGTH),
    "caption": partial(_required, length=CAPTION_LENGTH),
    "description": partial(_single, allowed="\t\n\r"),
    "tags": _tags,
    "unit": _single,
    "source": _single,
    "source_url": _web_address,
    "latitude": partial(_degrees, most=90),
    "longitude": partial(_degrees, most=180),
    "public": _flag,
    "slug": _slug,
}
