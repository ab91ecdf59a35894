"""What a series says of itself: title, caption and the rest (protocol.md, Metadata)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from timetric.points import parse_value

TITLE_LENGTH, CAPTION_LENGTH = 200, 1000


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
