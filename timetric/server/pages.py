"""The pages that people read: HTML, which loads and runs nothing."""

from __future__ import annotations

from typing import NamedTuple

from falcon import Request, Response
from jinja2 import Environment, PackageLoader

from timetric.points import Point, format_value
from timetric.server.storage import Series
from timetric.timestamps import format_iso

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

_templates = Environment(loader=PackageLoader("timetric.server"), autoescape=True)
_templates.filters |= {"time": format_iso, "value": format_value}


class Page(NamedTuple):
    """HTML, and the headers that go with it."""

    text: str
    headers: dict[str, str]


def series_page(series: Series, latest: Point | None, url: str) -> Page:
    """The page of a series that stands at ``url``."""
    template = _templates.get_template("series.html")
    text = template.render(about=series.metadata, latest=latest, url=url)
    return Page(text, _HEADERS)


class HomeResource:
    """What stands at the service's own address."""

    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "text/plain; charset=utf-8"
        resp.text = "This is a timetric service: a home for time series.\n"
