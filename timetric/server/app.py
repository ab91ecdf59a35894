"""The app: routes, what holds for every request, and what becomes of an error."""

from __future__ import annotations

import ipaddress
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from falcon import App, HTTPError, Request, Response

from timetric.exceptions import InvalidPoint
from timetric.server.body import PIECE
from timetric.server.credentials import Random
from timetric.server.identity import Identity
from timetric.server.metadata import BadMetadata
from timetric.server.pages import HomeResource
from timetric.server.problem import Problem
from timetric.server.series import SeriesResource
from timetric.server.storage import Full, Missing, NotNumeric, Rewritten, Storage, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")

#: Where each handler of a series is; a last slash is taken off before.
_SERIES_ROUTES = (
    ("/create", "create"),
    ("/series/{id}", None),
    ("/series/{id}/value/json", "value"),
    ("/series/{id}/csv", "csv"),
    ("/series/{id}/csv/unix.csv", "unix"),
    ("/series/{id}/csv/iso.csv", "iso"),
)

#: What Falcon's own errors mean here, where it has no words for them.
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method; Allow names those it takes.",
}

#: The answer to each error that a handler lets through.
_PROBLEMS: dict[type[Exception], Callable[[Any], Problem]] = {
    InvalidPoint: lambda error: Problem(400, f"{error.detail}.", line=error.line),
    BadMetadata: lambda error: Problem(400, f"{error}.", field=error.field),
    Missing: lambda error: Problem(404, "There is no such series any more."),
    NotNumeric: lambda error: Problem(409, f"{error}."),
    Rewritten: lambda error: Problem(503, f"{error}; read it again.", retry_after=1),
    Unavailable: lambda error: Problem(503, "The store is not ready; try again.", retry_after=5),
    Full: lambda error: Problem(507, "The service's disk is full; nothing was stored."),
    HTTPError: lambda error: Problem(error.status_code, _detail(error)),
}

_ID = "timetric.request_id"  # where the request's environ holds it

#: How much of a body that nobody wants is read, in bytes.
_UNWANTED = 1 << 30


def build_app(
    storage: Storage,
    base_url: str | None,
    clock: Callable[[], float],
    random: Random,
    max_body: int,
    hosts: frozenset[str],
) -> WSGIApplication:
    """The whole app; the arguments are create_app's."""
    app = App(middleware=[Site(base_url, hosts)])
    app.req_options.strip_url_path_trailing_slash = True
    series = SeriesResource(storage, Identity(storage), clock, random, max_body)
    for path, suffix in _SERIES_ROUTES:
        app.add_route(path, series, suffix=suffix)
    app.add_route("/", HomeResource())
    app.add_error_handler((Problem, *_PROBLEMS), _answer)
    app.add_error_handler(Exception, _pass_on)
    return Frame(app, random)


def _answer(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    problem = error if isinstance(error, Problem) else _translated(error)
    resp.status = problem.status
    if isinstance(error, HTTPError):
        resp.set_headers(error.headers or {})
    resp.set_headers(problem.headers)
    if problem.status >= 500:
        log.error("request %s: %s %r: %s", req.env[_ID], req.method, req.path, error)
    resp.data = problem.document()


def _translated(error: Exception) -> Problem:
    kind = next(kind for kind in type(error).__mro__ if kind in _PROBLEMS)
    return _PROBLEMS[kind](error)


def _detail(error: HTTPError) -> str:
    detail = error.description or _DETAILS.get(error.status_code, error.title)
    return detail.rstrip(".") + "."


def _pass_on(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    raise error


class Site:
    """Where the service is, for its links; middleware that puts it in ``context.base_url``."""

    def __init__(self, base_url: str | None, hosts: frozenset[str]) -> None:
        self._base_url = None if base_url is None else _checked_base_url(base_url)
        self._hosts = frozenset(map(_plain_host, hosts))

    def process_request(self, req: Request, resp: Response) -> None:
        req.context.base_url = self._base_url or self._own_url(req)

    def _own_url(self, req: Request) -> str:
        """The address of the Host header, which any page can make a browser send: so only ours."""
        host = req.get_header("Host") or ""
        match = _HOST.fullmatch(host)
        if match and self._is_ours(_plain_host(match["name"])):
            return f"{req.scheme}://{host}/"
        raise Problem(
            421,
            "The service does not know itself under this Host; start it with --base-url and the "
            "address that the world uses.",
        )

    def _is_ours(self, host: str) -> bool:
        return host == "localhost" or host in self._hosts or _is_loopback(host)


def _plain_host(host: str) -> str:
    return host.strip("[]").lower()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _checked_base_url(base_url: str) -> str:
    """The base URL with one slash at its end. Raises ValueError."""
    parts = urlsplit(base_url)
    known = parts.scheme in ("http", "https") and parts.hostname
    if not known or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the base URL is no http or https address without credentials, query and fragment"
        )
    return base_url.rstrip("/") + "/"


class Frame:
    """The outermost frame: what stands on each reply, and a reply whatever went wrong."""

    def __init__(self, app: App[Request, Response], random: Random) -> None:
        self._app = app
        self._random = random

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ[_ID] = self._random(8).hex()
        stamps = [("Request-Id", request_id), ("X-Content-Type-Options", "nosniff")]
        statuses: list[int] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            return start_response(status, [*headers, *stamps], exc_info)

        try:
            reply = self._app(environ, start)
        except Exception:  # the one place for faults of our own
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            log.exception("request %s failed: %s %r", request_id, method, path)
            reply = _own_fault(start)
        return _and_drain(reply, environ) if statuses[-1] >= 400 else reply


def _own_fault(start_response: StartResponse) -> list[bytes]:
    """Answer 500, which says nothing of the cause."""
    problem = Problem(500, "The service failed; its log tells why, under the Request-Id.")
    start_response("500 Internal Server Error", list(problem.headers.items()), sys.exc_info())
    return [problem.document()]


def _and_drain(reply: Iterable[bytes], environ: WSGIEnvironment) -> Iterator[bytes]:
    """The reply, then what the peer is still sending; cut off there, it would not see the reply."""
    yield from reply
    left = _UNWANTED if environ.get("wsgi.input_terminated") else 0
    while left > 0 and environ["wsgi.input"].read(PIECE):
        left -= PIECE
