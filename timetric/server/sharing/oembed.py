"""The handler of /oembed/: how a series is embedded, for programs (oEmbed 1.0, oembed.com)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, SubElement, tostring

from falcon import Request, Response

from timetric.display.wording import plain
from timetric.server import fields
from timetric.server.access import Access, series_url
from timetric.server.body import Fields, read_query
from timetric.server.caching import PUBLIC
from timetric.server.problem import Problem
from timetric.server.storage import Series

Answer = dict[str, object]

#: Pixels of the frame, and of the picture that may stand for it, of which there are twice as many.
WIDTH, HEIGHT = 600, 400
THUMBNAIL = (600, 315)  # as networks show it: 1.91 to 1

_ID = re.compile("series/([A-Za-z0-9_-]{22})/?([?#].*)?", re.DOTALL)
_SANE = 10_000  # pixels; more is no size of a page


class OEmbedResource:
    """/oembed/, for addresses of public series, whoever asks."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def on_get(self, req: Request, resp: Response) -> None:
        query = read_query(req)
        form = fields.text(query, "format") or "json"
        if form not in FORMATS:
            raise Problem(501, "format is json or xml.", field="format")
        series = self._access.to_embed(_id(req, query))
        size = _at_most(query, "maxwidth", WIDTH), _at_most(query, "maxheight", HEIGHT)
        resp.content_type, write = FORMATS[form]
        resp.data = write(_answer(req, series, *size))
        resp.set_header("Cache-Control", PUBLIC)


def thumbnail(url: str) -> str:
    """The address of the picture of the series at that URL."""
    width, height = THUMBNAIL
    return f"{url}chart.png?{urlencode({'width': width, 'height': height, 'scale': 2})}"


def snippet(embed_url: str, title: str, width: int, height: int) -> str:
    """HTML that embeds the page at that address."""
    attributes = {
        "src": embed_url,
        "title": plain(title),
        "width": width,
        "height": height,
        "frameborder": 0,
        "style": "border:0;max-width:100%",
        "loading": "lazy",
    }
    told = " ".join(f'{name}="{escape(str(value))}"' for name, value in attributes.items())
    return f"<iframe {told}></iframe>"


def _id(req: Request, query: Fields) -> str:
    """The ID in the URL that is asked about. Raises Problem."""
    url = fields.text(query, "url")
    if not url:
        raise Problem(400, "url is missing: the address of a series.", field="url")
    base: str = req.context.base_url
    match = _ID.fullmatch(url.removeprefix(base)) if url.startswith(base) else None
    if match is None:
        raise Problem(404, "url is not the address of a series here.", field="url")
    return match[1]


def _at_most(query: Fields, name: str, usual: int) -> int:
    return min(usual, fields.count(query, name)) if name in query else usual


def _answer(req: Request, series: Series, width: int, height: int) -> Answer:
    base, owner = req.context.base_url, series.owner.name
    title, url = series.metadata.title, series_url(req, series)
    across, up = THUMBNAIL
    return {
        "version": "1.0",
        "type": "rich",
        "title": plain(title),
        "author_name": owner,
        "author_url": f"{base}search/?{urlencode({'u': owner})}",
        "provider_name": "Timetric",
        "provider_url": base,
        "html": snippet(f"{base}embed/{series.id}/", title, width, height),
        "width": width,
        "height": height,
        "thumbnail_url": thumbnail(url),
        "thumbnail_width": 2 * across,
        "thumbnail_height": 2 * up,
    }


def _as_json(answer: Answer) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode("utf-8")


def _as_xml(answer: Answer) -> bytes:
    root = Element("oembed")
    for name, value in answer.items():
        SubElement(root, name).text = str(value)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


#: By the name of each format: its media type, and how it is written.
FORMATS: dict[str, tuple[str, Callable[[Answer], bytes]]] = {
    "json": ("application/json", _as_json),
    "xml": ("text/xml; charset=utf-8", _as_xml),
}
