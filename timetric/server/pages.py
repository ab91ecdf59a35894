"""The pages that people read: HTML in one layout, which runs no script that it does not load."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from falcon import Request, Response
from jinja2 import Environment, PackageLoader

from timetric.points import format_value
from timetric.server.assets import address
from timetric.server.callback import origin
from timetric.server.listing import tag_path
from timetric.server.problem import Problem
from timetric.server.storage import User
from timetric.timestamps import format_iso

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)

#: For pages that hold no secret and show who is signed in.
OFTEN_ASKED = "private, no-cache"


def _moment(timestamp: float) -> str:
    """A time to the minute, as people read it."""
    return f"{format_iso(timestamp)[:16].replace('T', ' ')} UTC"


_templates = Environment(loader=PackageLoader("timetric.server"), autoescape=True)
_templates.filters |= {
    "time": format_iso,
    "moment": _moment,
    "value": format_value,
    "origin": origin,
    "asset": address,
    "tag_path": tag_path,
}


class PageProblem(Problem):
    """A problem that is told to a person, as a page; its member ``title`` is the heading."""


class Viewers:
    """Middleware that puts ``viewer`` into a request's context: who is signed in, when asked."""

    def __init__(self, viewer: Callable[[Request], User | None]) -> None:
        self._viewer = viewer

    def process_request(self, req: Request, resp: Response) -> None:
        req.context.viewer = self._viewer


def show(
    req: Request,
    resp: Response,
    name: str,
    *targets: str,
    cache_control: str = "no-store",
    **values: object,
) -> None:
    """Answer with the page made from the template of that name.

    Its forms may go to this service, and to the ``targets`` that it redirects them to: browsers
    apply the policy to redirects too.
    """
    resp.content_type = "text/html; charset=utf-8"
    resp.set_header("Content-Security-Policy", " ".join([_POLICY, *targets]))
    resp.set_header("Cache-Control", cache_control)
    resp.set_header("Vary", "Cookie")
    resp.set_header("Referrer-Policy", "same-origin")
    layout = {"root": root(req), "viewer": req.context.viewer(req)}
    resp.text = _templates.get_template(f"{name}.html").render(layout | values)


def show_problem(req: Request, resp: Response, problem: Problem) -> None:
    """Answer with the page that tells a problem; the status is set by the caller."""
    title = problem.members.get("title", HTTPStatus(problem.status).phrase)
    show(req, resp, "problem", title=title, detail=problem.detail)


def is_for_a_person(req: Request) -> bool:
    """Whether a browser asks for a page to show; only browsers ask for XHTML."""
    return "application/xhtml+xml" in (req.get_header("Accept") or "")


def root(req: Request) -> str:
    """The path that all of the service's paths begin with."""
    return f"{urlsplit(req.context.base_url).path.rstrip('/')}/"
