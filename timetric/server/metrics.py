"""What the service counts of itself since it was started, and /metrics/, in Prometheus' text."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, Any

from falcon import HTTP_METHODS, Request, Response

from timetric.server.identity import Identity
from timetric.server.problem import Problem
from timetric.server.receipt import Receipt
from timetric.server.site import Site
from timetric.server.storage import User

if TYPE_CHECKING:
    from prometheus_client import Metric

#: Where the request's environ holds the pattern of its address, and what its write did.
ROUTE, RECEIPT = "timetric.route", "timetric.receipt"

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: What requests are told apart by in seconds: at most so many. The last is any number.
SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    10,
    60,
    600,
    float("inf"),
)

_UPLOAD = 1 << 16  # bytes of a body from which on it is told as an upload


class Tally:
    """What requests of one method, route and status come to. ``slow`` counts them by SECONDS."""

    __slots__ = ("broken", "received", "requests", "seconds", "sent", "slow")

    def __init__(self) -> None:
        self.requests = self.received = self.sent = self.broken = 0
        self.seconds = 0.0
        self.slow = [0] * len(SECONDS)


class Metrics:
    """The counts, which any thread may change.

    They are ours, since each of the package's has a lock of its own; it tells them. There are no
    more tallies than methods, routes and statuses: nothing that a stranger chooses makes one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._tallies: defaultdict[tuple[str, str, int], Tally] = defaultdict(Tally)
        self._uploads = self._writes = 0
        self._added = self._replaced = self._removed = 0

    def begin(self, received: int) -> None:
        """A request has come, with a body of so many bytes; ``end`` is called once it is over."""
        if received >= _UPLOAD:
            with self._lock:
                self._uploads += 1

    def end(
        self,
        environ: dict[str, Any],
        status: int,
        seconds: float,
        received: int,
        sent: int,
        broke_off: bool,
    ) -> None:
        method = environ["REQUEST_METHOD"]
        kind = (method if method in _METHODS else "other", environ.get(ROUTE) or "", status)
        receipt = environ.get(RECEIPT)
        with self._lock:
            tally = self._tallies[kind]
            tally.requests += 1
            tally.seconds += seconds
            tally.slow[bisect_left(SECONDS, seconds)] += 1
            tally.received += received
            tally.sent += sent
            tally.broken += broke_off
            if received >= _UPLOAD:
                self._uploads -= 1
            if receipt is not None:
                self._count_write(receipt)

    def _count_write(self, receipt: Receipt) -> None:
        self._writes += 1
        self._added += receipt.added
        self._replaced += receipt.replaced
        self._removed += receipt.removed

    def text(self) -> bytes:
        """All of it, and what the system says of the process, where it does."""
        # Not at the top: it takes longer to import than all that is in this file together.
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """For the package's registry."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:  # all of one moment
            requests, routes = self._requests(), self._routes()
            points = {"added": self._added, "replaced": self._replaced, "removed": self._removed}
            writes, uploads = self._writes, self._uploads
        yield requests
        yield from routes
        told = "Writes that were acknowledged, repeats by their key too"
        yield CounterMetricFamily("timetric_writes", told, value=writes)
        family = CounterMetricFamily("timetric_points", "Points in those writes", labels=["kind"])
        for what, number in points.items():
            family.add_metric([what], number)
        yield family
        told = f"Requests under way whose body has {_UPLOAD} bytes or more"
        yield GaugeMetricFamily("timetric_uploads_under_way", told, value=uploads)

    def _requests(self) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        names = ["method", "route", "status"]
        family = CounterMetricFamily("timetric_requests", "Requests answered", labels=names)
        for (method, route, status), tally in self._tallies.items():
            family.add_metric([method, route, str(status)], tally.requests)
        return family

    def _routes(self) -> list[Metric]:
        """What is told by method and route, over all statuses."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        names = ["method", "route"]
        told = "Time from a request's head to the last of its reply"
        seconds = HistogramMetricFamily("timetric_request_seconds", told, labels=names)
        counters = {
            name: CounterMetricFamily(f"timetric_{name}", told, labels=names)
            for name, told in _COUNTERS.items()
        }
        for kind, tallies in self._by_route().items():
            slow = [sum(counts) for counts in zip(*(tally.slow for tally in tallies))]
            seconds.add_metric(kind, _cumulated(slow), sum(tally.seconds for tally in tallies))
            for name, attribute in zip(_COUNTERS, ("received", "sent", "broken")):
                total = sum(getattr(tally, attribute) for tally in tallies)
                counters[name].add_metric(kind, total)
        return [seconds, *counters.values()]

    def _by_route(self) -> dict[tuple[str, str], list[Tally]]:
        found: defaultdict[tuple[str, str], list[Tally]] = defaultdict(list)
        for (method, route, _), tally in self._tallies.items():
            found[method, route].append(tally)
        return found


_METHODS = frozenset(HTTP_METHODS)
_COUNTERS = {
    "received_bytes": "Bytes of requests' bodies, as their heads say",
    "sent_bytes": "Bytes of replies' bodies, as far as they were sent",
    "broken_replies": "Replies that broke off",
}


def _cumulated(slow: list[int]) -> list[tuple[str, int]]:
    """Buckets as Prometheus has them: each with those below it."""
    names = [*map(str, SECONDS[:-1]), "+Inf"]
    return list(zip(names, accumulate(slow)))


class Watch:
    """Middleware that notes for the metrics where a request went, and what it wrote."""

    def process_resource(
        self, req: Request, resp: Response, resource: object, params: dict[str, Any]
    ) -> None:
        req.env[ROUTE] = req.uri_template

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        receipt = getattr(resp.context, "receipt", None)
        if receipt is not None:
            req.env[RECEIPT] = receipt


class MetricsResource:
    """/metrics/: for programs on this machine, and for administrators from anywhere."""

    def __init__(
        self, metrics: Metrics, site: Site, identity: Identity, administrators: Iterable[User]
    ) -> None:
        self._metrics = metrics
        self._site = site
        self._identity = identity
        self._administrators = frozenset(administrators)

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._identity.user(req)
        if user not in self._administrators and not self._site.is_here(req):
            raise _refusal(user)
        resp.content_type = MEDIA_TYPE
        resp.set_header("Cache-Control", "no-store")
        resp.data = self._metrics.text()


def _refusal(user: User | None) -> Problem:
    if user is None:
        return Problem(401, "Beyond the service's own machine this needs an administrator's token.")
    return Problem(403, "This is for the service's administrators.")
