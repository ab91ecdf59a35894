"""Bodies that come too slowly are ended, since each that is waited for holds a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from timetric.server.problem import STAMPS, Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Where the environ holds what replies and ends the connection, from any thread; a server that has
#: nothing of the kind waits for a body until its own time limit.
END = "timetric.end"

#: Takes status, headers and body of the reply.
End = Callable[[int, list[tuple[str, str]], bytes], None]

#: Seconds that a body may be waited for, beside those that its bytes may take.
GRACE = 10.0

_QUICK = 0.05  # seconds within which they come quickly
_TICK = 0.5  # seconds between two looks at who is late
_IDLE = 60  # ticks without anybody after which nobody looks


class Pace:
    """A WSGI application whose bodies come at so many bytes a second at least; 0 is any speed."""

    def __init__(self, app: WSGIApplication, min_speed: int) -> None:
        self._app = app
        self._speed = min_speed
        self._watch = Watch()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._speed and _has_body(environ):
            environ["wsgi.input"] = Paced(environ, self._speed, self._watch)
        return self._app(environ, start_response)


def _has_body(environ: WSGIEnvironment) -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


class Paced:
    """A body to read from, in pieces that take about a second: servers wait for a whole piece."""

    _left = GRACE  # seconds that the rest may still be waited for
    _began = 0.0  # to wait, by the monotonic clock
    _is_over = False

    def __init__(self, environ: WSGIEnvironment, speed: int, watch: Watch) -> None:
        self._file: Any = environ["wsgi.input"]
        self._end: End | None = environ.get(END)
        self._stamps = environ[STAMPS]
        self._speed = self._step = speed
        self._watch = watch

    def read(self, size: int) -> bytes:
        """At most so many bytes, and none at the end only. Raises Problem where they are late."""
        if self._is_over:
            raise self._problem()
        waiting = self._watch.waiting
        self._began = began = time.monotonic()
        waiting[self] = None
        if not self._watch.is_kept:
            self._watch.start()
        try:  # a server may tell by an error that the peer has gone
            piece: bytes = self._file.read(size if size < self._step else self._step)
        finally:
            is_ended = waiting.pop(self, self) is self
        took = time.monotonic() - began
        self._left += len(piece) / self._speed - took
        if is_ended or (piece and self._left < 0):
            self._is_over = True
            raise self._problem()
        if took > _QUICK:
            self._step = self._speed
        elif self._step < size:
            self._step *= 2
        return piece

    def is_late(self, now: float) -> bool:
        """Whether it is, while it is waited for; ``now`` is by the monotonic clock."""
        return now - self._began > self._left

    def end(self) -> None:
        """Reply, and end the connection, so that nobody waits for it any more."""
        if self._end is not None:
            problem = self._problem()
            headers = [*problem.headers.items(), *self._stamps]
            self._end(problem.status, headers, problem.document())

    def _problem(self) -> Problem:
        return Problem(
            408, f"The body came too slowly; {self._speed} bytes a second are waited for."
        )


class Watch:
    """Ends the bodies that are late; a thread looks at them while there are any.

    Whoever takes a body out of those ``waiting`` has it, to go on or to end it.
    """

    def __init__(self) -> None:
        self.waiting: dict[Paced, None] = {}
        self.is_kept = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Look from now on, if nobody does."""
        with self._lock:
            if not self.is_kept:
                self.is_kept = True
                threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        idle = 0
        while idle < _IDLE:
            time.sleep(_TICK)
            idle = 0 if self.waiting else idle + 1
            self._end_late()
        self.is_kept = False
        if self.waiting:  # it came after the last look, and may have found the thread still there
            self.start()

    def _end_late(self) -> None:
        now = time.monotonic()
        for body in list(self.waiting):
            if body.is_late(now) and self.waiting.pop(body, body) is None:
                body.end()
