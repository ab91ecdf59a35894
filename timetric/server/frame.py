"""The outermost frame: what stands on each reply, what is told of it, and a reply in any case."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from threading import BoundedSemaphore
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from timetric.server import cors
from timetric.server.access_log import Access, Tell, reason, shown
from timetric.server.body import PIECE
from timetric.server.credentials import Random
from timetric.server.logs import CURRENT
from timetric.server.metrics import Metrics
from timetric.server.problem import REASON, STAMPS, Problem
from timetric.server.slots import is_upload

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Where the request's environ holds its ID.
REQUEST_ID = "timetric.request_id"

_METHOD = 20  # characters of a method, which may be any word

#: How much of a body that nobody wants is read, in bytes, for how many seconds, of how many.
_UNWANTED, _PATIENCE, _DRAINS = 1 << 30, 30, BoundedSemaphore(200)


class Frame:
    """Around the app. ``clock`` gives Unix seconds; ``tell`` is told of each request."""

    def __init__(
        self,
        app: WSGIApplication,
        clock: Callable[[], float],
        random: Random,
        metrics: Metrics,
        tell: Tell | None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._tell = tell

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ[REQUEST_ID] = self._random(8).hex()
        exchange = Exchange(environ, request_id, self._metrics, self._tell)
        stamps = [("Request-Id", request_id), ("X-Content-Type-Options", "nosniff")]
        stamps += cors.headers(environ)
        environ[STAMPS] = stamps

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            exchange.status = int(status[:3])
            return start_response(status, [*headers, *stamps], exc_info)

        def answer() -> Iterable[bytes]:
            # The service's own time; clients whose timestamp is refused set their clocks by it.
            stamps.append(("Date", _date(int(self._clock()))))
            return self._app(environ, start)

        reply = _attempted(answer, exchange, "request %s failed: %s %s")
        if isinstance(reply, Exception):
            reply = _own_fault(start, reply)
        if exchange.status >= 400 and exchange.status != 408:  # then nothing more is read
            if is_upload(environ) or "HTTP_TRANSFER_ENCODING" in environ:
                return Sending(_and_drain(reply, environ), exchange)
            _drain(environ)  # ahead of the reply, so that what comes too slowly can be ended
        if not isinstance(reply, list):
            return Sending(reply, exchange)
        exchange.sent = sum(map(len, reply))
        exchange.end()
        return reply


class Exchange:
    """A request and its reply, of which the log and the metrics are told once it is over."""

    def __init__(
        self,
        environ: WSGIEnvironment,
        request_id: str,
        metrics: Metrics,
        tell: Tell | None,
    ) -> None:
        self._begun = perf_counter()
        self._environ = environ
        self._metrics = metrics
        self._tell = tell
        self._received = _length(environ)
        self.request_id = request_id
        self.status = 0
        self.sent = 0  # bytes of the reply's body
        CURRENT.set(request_id)
        metrics.begin(self._received)

    @property
    def subject(self) -> tuple[str, str]:
        """Method and path, as they may stand in a log."""
        return self._environ["REQUEST_METHOD"][:_METHOD], shown(self._environ["PATH_INFO"])

    def end(self, broke_off: bool = False) -> None:
        seconds = perf_counter() - self._begun
        figures = (self.status, seconds, self._received, self.sent, broke_off)
        self._metrics.end(self._environ, *figures)
        if self._tell is not None:
            told = (*self.subject, self.status, seconds, self.sent, self.request_id, broke_off)
            self._tell(Access(*told, reason(self._environ.get(REASON, ""))))
        CURRENT.set("")


class Sending:
    """A reply that the server takes piece by piece, perhaps in another thread."""

    def __init__(self, reply: Iterable[bytes], exchange: Exchange) -> None:
        self._reply = reply
        self._pieces = iter(reply)
        self._exchange: Exchange | None = exchange

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange
        if exchange is None:
            raise StopIteration
        CURRENT.set(exchange.request_id)
        words = "request %s: the reply breaks off: %s %s"
        piece = _attempted(lambda: next(self._pieces, None), exchange, words)
        if isinstance(piece, bytes):
            exchange.sent += len(piece)
            return piece
        self._end(broke_off=piece is not None)
        raise StopIteration if piece is None else piece

    def close(self) -> None:
        """The server wants no more: it has all, or its peer has gone."""
        if self._exchange is not None:
            CURRENT.set(self._exchange.request_id)
            self._end(broke_off=self._exchange.status < 400)  # else no more than the draining
        if hasattr(self._reply, "close"):
            self._reply.close()

    def _end(self, *, broke_off: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end(broke_off)


def _attempted(step: Callable[[], T], exchange: Exchange, words: str) -> T | Exception:
    """What a step gives, or the fault of our own that ended it.

    This is the one place that catches all of these; the server would say nothing of them.
    """
    try:
        return step()
    except Exception as error:  # whatever a handler let through
        log.exception(words, exchange.request_id, *exchange.subject)
        return error


def _length(environ: WSGIEnvironment) -> int:
    """The bytes that a body has as the client says; 0 where it says nothing that can be."""
    text = environ.get("CONTENT_LENGTH")
    return int(text) if text and len(text) < 16 and text.isdecimal() else 0


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    """A time in Unix seconds as HTTP writes it (RFC 9110, 5.6.7); asked for often each second."""
    return formatdate(now, usegmt=True)


def _own_fault(start_response: StartResponse, fault: Exception) -> list[bytes]:
    """Answer 500, which says nothing of the cause."""
    told: Any = (type(fault), fault, fault.__traceback__)
    problem = Problem(500, "The service failed; its log tells why, under the Request-Id.")
    start_response("500 Internal Server Error", list(problem.headers.items()), told)
    return [problem.document()]


def _and_drain(reply: Iterable[bytes], environ: WSGIEnvironment) -> Iterator[bytes]:
    """The reply, then what the peer is still sending; cut off there, it would not see the reply."""
    yield from reply
    _drain(environ)


def _drain(environ: WSGIEnvironment) -> None:
    """Read what nobody wants; where many send it, the others are cut off."""
    if not environ.get("wsgi.input_terminated") or not _DRAINS.acquire(blocking=False):
        return
    left, end = _UNWANTED, monotonic() + _PATIENCE
    try:  # the peer may break off too
        with suppress(Problem):  # it comes too slowly
            while left > 0 and monotonic() < end and environ["wsgi.input"].read(PIECE):
                left -= PIECE
    finally:
        _DRAINS.release()
