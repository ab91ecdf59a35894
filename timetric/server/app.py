"""The app: routes, what holds for every request, and what becomes of an error."""

from __future__ import annotations

import errno
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, cast

from falcon import App, HTTPError, Request, Response

from timetric.exceptions import InvalidPoint
from timetric.server import account, cors
from timetric.server.access import Access
from timetric.server.assets import AssetResource
from timetric.server.body import PIECE, BodyKeeper
from timetric.server.caching import Caching, CachingDefaults, forget
from timetric.server.columns import BadRecord
from timetric.server.compression import Compression
from timetric.server.credentials import Random
from timetric.server.description import MetadataResource
from timetric.server.identity import ApiToken, Identity, OAuthSignature
from timetric.server.keyring import Keyring
from timetric.server.limits import Limits
from timetric.server.metadata import BadMetadata
from timetric.server.oauth import AccessTokenResource, AuthorizeResource, RequestTokenResource
from timetric.server.openapi import OpenApiResource
from timetric.server.pace import Pace
from timetric.server.pages import PageProblem, Viewers, is_for_a_person, show_problem
from timetric.server.problem import STAMPS, Problem
from timetric.server.rates import Rates
from timetric.server.reading import PointsResource, ValueResource
from timetric.server.router import Router
from timetric.server.search import DescriptionResource, HomeResource, SearchResource
from timetric.server.series import CreateResource, SeriesResource
from timetric.server.session import Sessions
from timetric.server.signature import Signatures
from timetric.server.site import Site
from timetric.server.slots import Slots, is_upload
from timetric.server.storage import (
    Busy,
    Changed,
    Conflict,
    Full,
    Missing,
    NotNumeric,
    OverQuota,
    Quota,
    Reused,
    Rewritten,
    Storage,
    Unavailable,
)
from timetric.server.usage import Usage
from timetric.server.writes import WritesResource

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

#: What follows this in a path is secret.
_SECRET = re.compile(r"(/account/sign-in/).*", re.DOTALL)

#: What Falcon's own errors mean here, where it has no words for them.
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method; Allow names those it takes.",
}

#: The answer to each error that a handler lets through.
_PROBLEMS: dict[type[Exception], Callable[[Any], Problem]] = {
    BadRecord: lambda error: Problem(400, f"{error.detail}.", record=error.record),
    InvalidPoint: lambda error: Problem(400, f"{error.detail}.", line=error.line),
    BadMetadata: lambda error: Problem(400, f"{error}.", field=error.field),
    Missing: lambda error: Problem(404, "There is no such series any more."),
    NotNumeric: lambda error: Problem(409, f"{error}."),
    OverQuota: lambda error: Problem(403, f"Nothing was stored: {error}."),
    Conflict: lambda error: Problem(409, f"{error}.", timestamp=error.timestamp),
    Busy: lambda error: Problem(409, f"{error}.", retry_after=1),
    Changed: lambda error: Problem(412, f"{error}."),
    Reused: lambda error: Problem(422, f"{error}."),
    Rewritten: lambda error: Problem(503, f"{error}; read it again.", retry_after=1),
    Unavailable: lambda error: Problem(503, "The store is not ready; try again.", retry_after=5),
    Full: lambda error: Problem(507, "The service's disk is full; nothing was stored."),
    HTTPError: lambda error: Problem(error.status_code, _detail(error)),
}

_ID = "timetric.request_id"  # where the request's environ holds it

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

#: How much of a body that nobody wants is read, in bytes, for how many seconds, of how many.
_UNWANTED, _PATIENCE, _DRAINS = 1 << 30, 30, BoundedSemaphore(200)


def build_app(
    storage: Storage,
    keyring: Keyring,
    site: Site,
    clock: Callable[[], float],
    random: Random,
    limits: Limits,
    signup: Quota | None,
) -> WSGIApplication:
    """The whole app; the arguments are create_app's."""
    app = App(router=Router())
    app.add_middleware([CachingDefaults(), BodyKeeper(), site, Compression()])
    app.req_options.strip_url_path_trailing_slash = True  # so no route has one
    usage, max_body = Usage(clock), limits.max_body
    signatures = Signatures(storage.grants, keyring, usage, clock, max_body)
    sessions = Sessions(storage.accounts, usage, clock, random, signup)
    app.add_middleware(Viewers(sessions.user))
    identity = Identity(ApiToken(storage.accounts, usage, clock), OAuthSignature(signatures))
    if limits.rate or limits.anonymous_rate:
        app.add_middleware(Rates(limits, identity, sessions.user, clock))
    access = Access(storage, identity)
    caching = Caching(clock)
    app.add_route("/create", CreateResource(storage, access, clock, random, max_body))
    app.add_route("/series/{id}", SeriesResource(storage, access, clock, max_body))
    app.add_route("/series/{id}/metadata", MetadataResource(storage, access, caching, clock))
    writes = WritesResource(storage, access, clock)
    app.add_route("/create/writes/{key}", writes)
    app.add_route("/series/{id}/writes/{key}", writes)
    app.add_route("/series/{id}/value/json", ValueResource(storage, access, caching))
    points = PointsResource(storage, access, caching)
    app.add_route("/series/{id}/points", points)
    app.add_route("/series/{id}/csv", points, suffix="csv")
    app.add_route("/series/{id}/csv/unix.csv", points, suffix="unix")
    app.add_route("/series/{id}/csv/iso.csv", points, suffix="iso")
    dance = (storage.grants, keyring, signatures, clock, random)
    app.add_route("/oauth/request_token", RequestTokenResource(*dance))
    app.add_route("/oauth/access_token", AccessTokenResource(*dance))
    app.add_route("/oauth/authorize", AuthorizeResource(storage.grants, keyring, sessions, clock))
    account.add_routes(
        app, storage, keyring, sessions, clock, random, open_signup=signup is not None
    )
    search = SearchResource(storage, identity)
    app.add_route("/search", search)
    app.add_route("/search/results.{form}", search)
    app.add_route("/search/description.xml", DescriptionResource())
    for tags in ("/tags", "/tag"):
        app.add_route(tags, search, suffix="tags")
        app.add_route(tags + "/{path:path}", search, suffix="tags")
    app.add_route("/static/{name}", AssetResource())
    app.add_route("/", HomeResource(storage))
    app.add_route("/openapi.json", OpenApiResource(open_signup=signup is not None))
    app.add_error_handler((Problem, *_PROBLEMS), _answer)
    app.add_error_handler(Exception, _pass_on)
    app.add_error_handler(OSError, _answer_disk)
    slots = Slots(cast("WSGIApplication", app), limits.max_uploads)
    paced = Pace(slots, limits.min_speed)
    return Frame(paced, clock, random)


def _answer(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    problem = error if isinstance(error, Problem) else _translated(error)
    forget(resp)
    resp.status = problem.status
    if isinstance(error, HTTPError):
        resp.set_headers(error.headers or {})
    resp.set_headers(problem.headers)
    if problem.status >= 500:
        log.error("request %s: %s %r: %s", req.env[_ID], req.method, _shown(req.path), error)
    if isinstance(problem, PageProblem) or _is_read(req, problem):
        show_problem(req, resp, problem)
        return
    resp.data = problem.document()


def _is_read(req: Request, problem: Problem) -> bool:
    """Whether a person is told of it by a page.

    A 401 is told by the browser itself, and a page can't be made before the request's own address
    is known (421), nor surely while the service fails (5xx).
    """
    return problem.status not in (401, 421) and problem.status < 500 and is_for_a_person(req)


def _answer_disk(req: Request, resp: Response, error: OSError, params: dict[str, Any]) -> None:
    """A body that found no room in the temporary directory is told like a store without any."""
    if error.errno not in _NO_ROOM:
        raise error
    _answer(req, resp, Full(f"no room for the body: {error.strerror}"), params)


def _translated(error: Exception) -> Problem:
    kind = next(kind for kind in type(error).__mro__ if kind in _PROBLEMS)
    return _PROBLEMS[kind](error)


def _detail(error: HTTPError) -> str:
    detail = error.description or _DETAILS.get(error.status_code, error.title)
    return detail.rstrip(".") + "."


def _shown(path: str) -> str:
    """A path as it may stand in a log."""
    return _SECRET.sub(r"\1...", path)


def _pass_on(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    raise error


class Frame:
    """The outermost frame: what stands on each reply, and a reply whatever went wrong."""

    def __init__(self, app: WSGIApplication, clock: Callable[[], float], random: Random) -> None:
        self._app = app
        self._clock = clock
        self._random = random

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ[_ID] = self._random(8).hex()
        stamps = [("Request-Id", request_id), ("X-Content-Type-Options", "nosniff")]
        stamps += cors.headers(environ)
        environ[STAMPS] = stamps
        statuses: list[int] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            return start_response(status, [*headers, *stamps], exc_info)

        try:
            # The service's own time; clients whose timestamp is refused set their clocks by it.
            stamps.append(("Date", _date(int(self._clock()))))
            reply = self._app(environ, start)
        except Exception:  # the one place for faults of our own
            method, path = environ["REQUEST_METHOD"], _shown(environ["PATH_INFO"])
            log.exception("request %s failed: %s %r", request_id, method, path)
            reply = _own_fault(start)
        if statuses[-1] < 400:
            return reply
        if is_upload(environ) or "HTTP_TRANSFER_ENCODING" in environ:
            return _and_drain(reply, environ)
        _drain(environ)  # ahead of the reply, so that one that comes too slowly can be ended
        return reply


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    """A time in Unix seconds as HTTP writes it (RFC 9110, 5.6.7); asked for often each second."""
    return formatdate(now, usegmt=True)


def _own_fault(start_response: StartResponse) -> list[bytes]:
    """Answer 500, which says nothing of the cause."""
    problem = Problem(500, "The service failed; its log tells why, under the Request-Id.")
    start_response("500 Internal Server Error", list(problem.headers.items()), sys.exc_info())
    return [problem.document()]


def _and_drain(reply: Iterable[bytes], environ: WSGIEnvironment) -> Iterator[bytes]:
    """The reply, then what the peer is still sending; cut off there, it would not see the reply."""
    yield from reply
    _drain(environ)


def _drain(environ: WSGIEnvironment) -> None:
    """Read what nobody wants; where many send it, the others are cut off."""
    if not environ.get("wsgi.input_terminated") or not _DRAINS.acquire(blocking=False):
        return
    left, end = _UNWANTED, time.monotonic() + _PATIENCE
    try:  # the peer may break off too
        with suppress(Problem):  # it comes too slowly
            while left > 0 and time.monotonic() < end and environ["wsgi.input"].read(PIECE):
                left -= PIECE
    finally:
        _DRAINS.release()
