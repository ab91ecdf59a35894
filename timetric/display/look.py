"""The colours of pictures. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """Colours as CSS writes them; those of the service's own pages."""

    ground: str
    text: str
    line: str


LIGHT = Look("#ffffff", "#1d2329", "#1a66c9")
DARK = Look("#1b2026", "#e5e9ec", "#5aa2ff")
