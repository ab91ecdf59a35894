"""What a notebook shows: a heading, what is known in a line, a chart. Pure.

All texts are strangers' and are escaped; there is no script. The colours are those around.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from timetric.display.wording import plain

_CARD = 'style="max-width:640px;font-family:system-ui,sans-serif;line-height:1.5"'
_LINK = 'style="color:inherit"'
_FAINT = 'style="opacity:.75;font-size:.9em"'


def card(title: str, url: str, facts: Iterable[str], chart: str = "") -> str:
    """``chart`` is SVG as svg_chart makes it. The title links to the page at ``url``."""
    told = escape(plain(" · ".join(fact for fact in facts if fact)))
    link = escape(plain(title))
    if url.startswith(("https://", "http://")):
        link = f'<a href="{escape(url)}" rel="noopener" {_LINK}>{link}</a>'
    return f"<div {_CARD}><div><b>{link}</b></div><div {_FAINT}>{told}</div>{chart}</div>"
