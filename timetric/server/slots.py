"""How many uploads are taken in at once; each holds a thread, and room for what it brings."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from timetric.server.problem import REASON, Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: A body of 100,000 bytes and more is an upload, by the digits of its length.
_DIGITS = 6

_RETRY_AFTER = 5  # seconds


def is_upload(environ: WSGIEnvironment) -> bool:
    return len(environ.get("CONTENT_LENGTH") or "") >= _DIGITS


class Slots:
    """A WSGI application that takes so many uploads at once, and answers 503 to those past them."""

    def __init__(self, app: WSGIApplication, most: int) -> None:
        self._app = app
        self._most = most
        self._free = BoundedSemaphore(most)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not is_upload(environ):
            return self._app(environ, start_response)
        if not self._free.acquire(blocking=False):
            return self._refuse(environ, start_response)
        try:  # whatever becomes of it; all of it has been read when the reply begins
            return self._app(environ, start_response)
        finally:
            self._free.release()

    def _refuse(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        problem = Problem(
            503,
            f"There are {self._most} uploads at once already; try again.",
            retry_after=_RETRY_AFTER,
        )
        environ[REASON] = problem.detail
        status = HTTPStatus(problem.status)
        start_response(f"{status.value} {status.phrase}", list(problem.headers.items()))
        return [problem.document()]
