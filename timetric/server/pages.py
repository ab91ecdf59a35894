"""The pages that people read: HTML in one layout, which runs no script that it does not load."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from falcon import Request, Response
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from timetric.display.wording import number
from timetric.points import Value, format_value
from timetric.server.assets import address
from timetric.server.callback import origin
from timetric.server.listing import tag_path
from timetric.server.problem import REASON, Problem
from timetric.server.storage import User
from timetric.timestamps import format_iso

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)

#: The methods that only read.
READS = ("GET", "HEAD")

#: The Cache-Control of pages that hold no secret, but show who is signed in.
OFTEN_ASKED = "private, no-cache"


def _moment(timestamp: float) -> Markup:
    """A time to the minute, as people read it."""
    iso = format_iso(timestamp)[:16]
    return Markup('<time datetime="{}Z">{} UTC</time>').format(iso, iso.replace("T", " "))


def _short(value: Value) -> str:
    """A value among others, to six digits that count."""
    if value is None or isinstance(value, bool):
        return format_value(value)
    return number(value, digits=6)


def _exactly(timestamp: float) -> Markup:
    """A time to the second, and further where it has more."""
    iso = format_iso(timestamp)
    return Markup('<time datetime="{}Z">{} UTC</time>').format(iso, iso.replace("T", " "))


def _size(count: int) -> str:
    """So many bytes, in the largest unit that leaves a whole number, or nearly."""
    units = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
    return next(
        (f"{count / size:.4g} {unit}" for unit, size in units if count >= size), f"{count} bytes"
    )


_templates = Environment(
    loader=PackageLoader("timetric.server"), autoescape=True, auto_reload=False
)
_templates.filters |= {
    "time": format_iso,
    "moment": _moment,
    "exactly": _exactly,
    "size": _size,
    "number": number,
    "value": format_value,
    "short": _short,
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


def show(req: Request, resp: Response, name: str, *targets: str, **values: object) -> None:
    """Answer with the page made from the template of that name; it is kept nowhere.

    Its forms may go to this service, and to the ``targets`` that it redirects them to: browsers
    apply the policy to redirects too.
    """
    resp.content_type = "text/html; charset=utf-8"
    resp.set_header("Content-Security-Policy", " ".join([_POLICY, *targets]))
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Referrer-Policy", "same-origin")
    layout = {
        "base_url": req.context.base_url,
        "root": root(req),
        "sign_in": sign_in_address(req),
        "viewer": req.context.viewer(req),
    }
    resp.text = rendered(name, **layout | values)


def rendered(name: str, **values: object) -> str:
    """The page made from the template of that name."""
    return _templates.get_template(f"{name}.html").render(values)


def show_problem(
    req: Request, resp: Response, problem: Problem, name: str = "problem", **values: object
) -> None:
    """Answer with a page that tells a problem: one of its own, or the form that it is about."""
    title = problem.members.get("title", HTTPStatus(problem.status).phrase)
    req.env[REASON] = problem.detail
    resp.status = problem.status
    resp.set_headers(problem.headers)
    show(req, resp, name, problem=problem, title=title, **values)


def is_for_a_person(req: Request) -> bool:
    """Whether a browser asks for a page to show; only browsers ask for XHTML."""
    return "application/xhtml+xml" in (req.get_header("Accept") or "")


def root(req: Request) -> str:
    """The path that all of the service's paths begin with."""
    return f"{urlsplit(req.context.base_url).path.rstrip('/')}/"


def sign_in_address(req: Request) -> str:
    """The path of the page to sign in, which leads back to what is asked for here."""
    page = f"{root(req)}account/sign-in/"
    if req.method not in READS or req.path.startswith("/account/sign-"):  # a link's path is secret
        return page
    asked = quote(req.path.lstrip("/")) + (f"?{req.query_string}" if req.query_string else "")
    return f"{page}?next={quote(asked, safe='')}"
