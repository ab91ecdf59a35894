"""The pages that people read: HTML, which loads and runs nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from http import HTTPStatus
from typing import NamedTuple

from falcon import Request, Response
from jinja2 import Environment, PackageLoader

from timetric.points import Point, format_value
from timetric.server.callback import origin
from timetric.server.problem import Problem
from timetric.server.storage import Series
from timetric.timestamps import format_iso

_SELF = "'self'"
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action"
_HEADERS = {**_HTML, "Content-Security-Policy": f"{_POLICY} 'none'"}

_templates = Environment(loader=PackageLoader("timetric.server"), autoescape=True)
_templates.filters |= {"time": format_iso, "value": format_value, "origin": origin}
_templates.globals["style"] = _STYLE = _templates.get_template("style.css").render()
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")


class Page(NamedTuple):
    """HTML, and the headers that go with it."""

    text: str
    headers: dict[str, str]


def series_page(series: Series, latest: Point | None, url: str) -> Page:
    """The page of a series that stands at ``url``."""
    template = _templates.get_template("series.html")
    text = template.render(about=series.metadata, latest=latest, url=url)
    return Page(text, _HEADERS)


def form_page(name: str, *targets: str, **values: object) -> Page:
    """A page about who may what, from the template of that name; it is kept nowhere.

    Its forms may go to this service, and to the ``targets`` that it redirects them to: browsers
    apply the policy to redirects too.
    """
    policy = f"{_POLICY} {' '.join([_SELF, *targets])}; style-src 'sha256-{_STYLE_HASH}'"
    headers = {
        **_HTML,
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
    }
    return Page(_templates.get_template(f"{name}.html").render(values), headers)


class PageProblem(Problem):
    """A problem that is told to a person, as a page; its member ``title`` is the heading."""

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, **self._page.headers}

    def document(self) -> bytes:
        return self._page.text.encode("utf-8")

    @property
    def _page(self) -> Page:
        title = self.members.get("title", HTTPStatus(self.status).phrase)
        return form_page("problem", title=title, detail=self.detail)


def show(resp: Response, page: Page) -> None:
    resp.set_headers(page.headers)
    resp.text = page.text


class HomeResource:
    """What stands at the service's own address."""

    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "text/plain; charset=utf-8"
        resp.text = "This is a timetric service: a home for time series.\n"
