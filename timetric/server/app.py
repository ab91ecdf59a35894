"""The app: routes, what holds for every request, and what becomes of an error."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from falcon import App, HTTPError, Request, Response

from timetric.exceptions import InvalidPoint
from timetric.server import account, home, manual, owner, sharing
from timetric.server.access import Access, url_of
from timetric.server.access_log import Tell, shown
from timetric.server.assets import AssetResource
from timetric.server.attempts import Attempts
from timetric.server.body import BodyKeeper
from timetric.server.caching import Caching, CachingDefaults, forget
from timetric.server.chart import ChartResource
from timetric.server.columns import BadRecord
from timetric.server.compression import Compression
from timetric.server.credentials import Random
from timetric.server.description import MetadataResource
from timetric.server.frame import REQUEST_ID, Frame
from timetric.server.health import HealthResource
from timetric.server.identity import ApiToken, Identity, OAuthSignature
from timetric.server.keyring import Keyring
from timetric.server.limits import Limits
from timetric.server.metadata import BadMetadata
from timetric.server.metrics import Metrics, MetricsResource, Watch
from timetric.server.oauth import AccessTokenResource, AuthorizeResource, RequestTokenResource
from timetric.server.openapi import OpenApiResource
from timetric.server.pace import Pace
from timetric.server.pages import PageProblem, Viewers, is_for_a_person, show_problem
from timetric.server.problem import REASON, Problem
from timetric.server.rates import Rates
from timetric.server.reading import PointsResource, ValueResource
from timetric.server.router import Router
from timetric.server.search import DescriptionResource, SearchResource
from timetric.server.series import CreateResource, SeriesResource
from timetric.server.session import Sessions
from timetric.server.signature import Signatures
from timetric.server.site import Site
from timetric.server.slots import Slots
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
    SlugTaken,
    Storage,
    Unavailable,
    User,
)
from timetric.server.usage import Usage
from timetric.server.writes import WritesResource

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

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
    SlugTaken: lambda error: Problem(409, f"{error}.", field="slug", series=error.id),
    Busy: lambda error: Problem(409, f"{error}.", retry_after=1),
    Changed: lambda error: Problem(412, f"{error}."),
    Reused: lambda error: Problem(422, f"{error}."),
    Rewritten: lambda error: Problem(503, f"{error}; read it again.", retry_after=1),
    Unavailable: lambda error: Problem(503, "The store is not ready; try again.", retry_after=5),
    Full: lambda error: Problem(507, "The service's disk is full; nothing was stored."),
    HTTPError: lambda error: Problem(error.status_code, _detail(error)),
}

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def build_app(
    storage: Storage,
    keyring: Keyring,
    site: Site,
    clock: Callable[[], float],
    random: Random,
    limits: Limits,
    signup: Quota | None,
    administrators: Iterable[User],
    access_log: Tell | None,
) -> WSGIApplication:
    """The whole app; the arguments are create_app's."""
    app = App(router=Router())
    app.add_middleware([Watch(), CachingDefaults(), BodyKeeper(), site, Compression()])
    app.req_options.strip_url_path_trailing_slash = True  # so no route has one
    usage, max_body = Usage(clock), limits.max_body
    signatures = Signatures(storage.grants, keyring, usage, clock, max_body)
    tries, requests = Attempts(clock, storage.attempts), Attempts(clock, storage.attempts)
    sessions = Sessions(storage.accounts, usage, clock, random, signup, tries)
    app.add_middleware(Viewers(sessions.user))
    identity = Identity(ApiToken(storage.accounts, usage, clock), OAuthSignature(signatures))
    if limits.rate or limits.anonymous_rate:
        app.add_middleware(Rates(limits, identity, sessions.user, requests))
    access = Access(storage, identity)
    caching = Caching(clock)
    app.add_route("/create", CreateResource(storage, access, clock, random, max_body))
    app.add_route("/series/{id}", SeriesResource(storage, access, clock, random, max_body))
    app.add_route("/series/{id}/metadata", MetadataResource(storage, access, caching, clock))
    writes = WritesResource(storage, access, clock)
    app.add_route("/create/writes/{key}", writes)
    app.add_route("/series/{id}/writes/{key}", writes)
    app.add_route("/series/{id}/value/json", ValueResource(storage, access, caching))
    points = PointsResource(storage, access, caching)
    app.add_route("/series/{id}/points", points)
    app.add_route("/series/{id}/points.json", points, suffix="json")
    app.add_route("/series/{id}/csv", points, suffix="csv")
    app.add_route("/series/{id}/csv/unix.csv", points, suffix="unix")
    app.add_route("/series/{id}/csv/iso.csv", points, suffix="iso")
    app.add_route("/series/{id}/chart.json", ChartResource(storage, access, caching))
    sharing.add_routes(app, storage, access, caching)
    dance = (storage.grants, keyring, signatures, clock, random)
    app.add_route("/oauth/request_token", RequestTokenResource(*dance))
    app.add_route("/oauth/access_token", AccessTokenResource(*dance))
    app.add_route("/oauth/authorize", AuthorizeResource(storage.grants, keyring, sessions, clock))
    account.add_routes(
        app, storage, keyring, sessions, clock, random, open_signup=signup is not None
    )
    owner.add_routes(app, storage, sessions, clock, random, max_body)
    search = SearchResource(storage, identity)
    app.add_route("/search", search)
    app.add_route("/search/results.{form}", search)
    app.add_route("/search/description.xml", DescriptionResource())
    for tags in ("/tags", "/tag"):
        app.add_route(tags, search, suffix="tags")
        app.add_route(tags + "/{path:path}", search, suffix="tags")
    app.add_route("/static/{name}", AssetResource())
    home.add_routes(app, storage, open_signup=signup is not None)
    manual.add_routes(app, open_signup=signup is not None)
    app.add_route("/openapi.json", OpenApiResource(open_signup=signup is not None))
    metrics = Metrics()
    app.add_route("/health", HealthResource(storage))
    app.add_route("/metrics", MetricsResource(metrics, site, identity, administrators))
    app.add_error_handler((Problem, *_PROBLEMS), _answer)
    app.add_error_handler(Exception, _pass_on)
    app.add_error_handler(OSError, _answer_disk)
    slots = Slots(cast("WSGIApplication", app), limits.max_uploads)
    paced = Pace(slots, limits.min_speed)
    return Frame(paced, clock, random, metrics, access_log)


def _answer(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    problem = error if isinstance(error, Problem) else _translated(error)
    forget(resp)
    req.env[REASON] = problem.detail
    resp.status = problem.status
    if isinstance(error, HTTPError):
        resp.set_headers(error.headers or {})
    resp.set_headers(problem.headers)
    if isinstance(error, SlugTaken):
        resp.location = url_of(req, error.id)
    if problem.status >= 500 and problem.status != 501:  # which is no fault of the service
        path = shown(req.env["PATH_INFO"])
        log.error("request %s: %s %s: %s", req.env[REQUEST_ID], req.method, path, error)
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


def _pass_on(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    raise error
