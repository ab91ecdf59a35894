"""Failures that a test has asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from timetric.testing.clock import Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from timetric.server.problem import Problem

_FAILURES = {status.value for status in HTTPStatus if status >= 400}


class Faults:
    """A WSGI layer in front of the app, which answers some requests in its place."""

    def __init__(self, app: WSGIApplication, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._next: deque[Problem] = deque()

    def add(self, status: int, times: int, retry_after: int | None) -> None:
        """Raises ValueError for a status that is no error, and for less than one time."""
        from timetric.server.problem import Problem

        if status not in _FAILURES or times < 1:
            raise ValueError(f"{status} is no error's status, or {times} is no number of times")
        members = {} if retry_after is None else {"retry_after": retry_after}
        self._next.extend([Problem(status, "The test asked for this failure.", **members)] * times)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            problem = self._next.popleft()
        except IndexError:  # asked first, another thread could be faster
            return self._app(environ, start_response)
        stamps = {"Request-Id": "fail_next", "Date": formatdate(self._clock(), usegmt=True)}
        status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        start_response(status, list({**problem.headers, **stamps}.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else problem.document()]
