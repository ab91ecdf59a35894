"""What a series says of itself: title, caption and the rest (protocol.md, Metadata)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from timetric.timestamps import parse_number

TITLE_LENGTH, CAPTION_LENGTH = 200, 1000

_PUBLIC = {"true": True, "false": False}


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

    @classmethod
    def from_fields(cls, fields: Mapping[str, list[str]]) -> Metadata:
        """Metadata of a form's fields; an empty text counts as left out, other names are ignored.

        The same text twice counts once. Raises BadMetadata.
        """
        return cls(
            title=_required(fields, "title", TITLE_LENGTH),
            caption=_required(fields, "caption", CAPTION_LENGTH),
            description=_single(fields, "description", "\t\n\r"),
            tags=_tags(fields.get("tags", [])),
            unit=_single(fields, "unit"),
            source=_single(fields, "source"),
            source_url=_web_address(fields, "source_url"),
            latitude=_degrees(fields, "latitude", 90),
            longitude=_degrees(fields, "longitude", 180),
            public=_public(fields),
        )


def _single(fields: Mapping[str, list[str]], name: str, allowed: str = "") -> str:
    """The one text of a field, "" where it is left out; of control characters only ``allowed``."""
    texts = set(fields.get(name, [""]))
    if len(texts) > 1:
        raise BadMetadata(name, "is given twice, with different texts")
    return _clean(name, texts.pop(), allowed)


def _clean(name: str, text: str, allowed: str = "") -> str:
    text = text.strip(" \t\r\n")
    if any(unicodedata.category(sign) == "Cc" and sign not in allowed for sign in text):
        raise BadMetadata(name, "holds a control character")
    return text


def _required(fields: Mapping[str, list[str]], name: str, length: int) -> str:
    text = _single(fields, name)
    if not text:
        raise BadMetadata(name, "is required")
    if len(text) > length:
        raise BadMetadata(name, f"has {len(text)} characters, and {length} are allowed")
    return text


def _tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, in NFC, so that two ways to type an accent are one tag."""
    pieces = (piece for text in texts for piece in text.split(";"))
    tags = (unicodedata.normalize("NFC", _clean("tags", piece)) for piece in pieces)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _web_address(fields: Mapping[str, list[str]], name: str) -> str:
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


def _degrees(fields: Mapping[str, list[str]], name: str, most: float) -> float | None:
    text = _single(fields, name)
    if not text:
        return None
    number = parse_number(text)
    if number is None or not -most <= number <= most:
        raise BadMetadata(name, f"is no number from -{most} to {most}")
    return number


def _public(fields: Mapping[str, list[str]]) -> bool:
    texts = set(fields.get("public", ["false"]))
    if len(texts) > 1 or not texts <= _PUBLIC.keys():
        raise BadMetadata("public", "is neither true nor false")
    return _PUBLIC[texts.pop()]
