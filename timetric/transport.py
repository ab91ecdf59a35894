"""Sending requests: time limits, retries, and replies that are errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import lru_cache
from io import SEEK_END
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from timetric.exceptions import (
    BadRequest,
    ConnectionFailed,
    TimetricClientError,
)
from timetric.limits import Limits
from timetric.pool import Pool
from timetric.refusal import error_of
from timetric.repeat import is_lost, is_silent, may_repeat
from timetric.request import Body, Headers, Request

if TYPE_CHECKING:
    import httplib2

    from timetric.connection import Http

_BODILESS = {"GET", "HEAD", "DELETE"}
_BACKOFF = 0.2  # seconds: the bound of the first wait, doubled for each further one

_URL = re.compile(r"https?://[^\x00-\x20\x7f\\/?#@]+([/?][!-~]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a method or a header (RFC 9110, 5.6.2)
_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Transport:
    """Sends requests over httplib2. Safe to share between threads, and across a fork.

    Each call has a connection of its own, kept for a later one. ``timeout``, ``deadline``,
    ``retries`` and ``max_wait`` are those of Limits. A reply may have ``reply_limit`` bytes.
    ``ca_certs`` names authorities to trust in place of the system's. The environment's proxies
    are used, and no redirect is followed.
    """

    def __init__(
        self,
        *,
        timeout: float = 10.0,
        deadline: float = 60.0,
        retries: int = 4,
        max_wait: float = 15.0,
        reply_limit: int = 1 << 30,
        ca_certs: str | None = None,
    ) -> None:
        self.limits = Limits(timeout, deadline, retries, max_wait).checked()

        def open_http() -> Http:
            from timetric.connection import Http

            return Http(ca_certs, reply_limit)

        self._pool = Pool(open_http)

    def within(self, **limits: float | None) -> Transport:
        """The same, over the same connections, with other limits; None leaves one as it is."""
        given = {name: limit for name, limit in limits.items() if limit is not None}
        other = copy(self)
        other.limits = self.limits._replace(**given).checked()  # type: ignore[arg-type]
        return other

    def close(self) -> None:
        """Close the connections of all threads; one in use is closed when its call ends."""
        self._pool.close()

    def send(
        self,
        request: Request,
        sign: Callable[[Request], Request],
        cure: Callable[[TimetricClientError], bool] | None = None,
    ) -> tuple[httplib2.Response, bytes]:
        """Signs anew and sends; 2xx is returned, all else raises.

        ``sign`` gets the finished request before each attempt, and may change its URL and headers.
        ``cure`` is asked of an error whether it has put right what led to it, so that the request
        can be sent again at once; it does so once. Raises ConnectionFailed, DeadlineExceeded,
        BadReply, or the error of the reply's status.
        """
        finished = _finished(request)
        with self._pool.borrowed() as http:
            http.countdown.start(self.limits.timeout, self.limits.deadline)
            attempt, lost = 0, False
            while True:
                try:
                    return _attempt(http, sign(finished))
                except TimetricClientError as error:  # perhaps it may be tried again
                    cured = cure is not None and cure(error)
                    lost = lost or is_lost(error)
                    error.perhaps_done = lost and is_silent(error)
                    wait = 0.0 if cured else self._wait(finished, error, attempt)
                    if wait is None or wait >= http.countdown.left():
                        raise
                    _tell(finished, error, wait)
                    finished, attempt = _following(finished, error, attempt)
                cure = None if cured else cure
                time.sleep(wait)

    def _wait(self, request: Request, error: TimetricClientError, attempt: int) -> float | None:
        """Seconds until the request may be tried again; None where it may not.

        As long as the service asks for, or else by "full jitter", so that those who failed
        together don't come back together.
        """
        limits = self.limits
        if attempt >= limits.retries or not may_repeat(request, error):
            return None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            return asked if asked <= limits.max_wait else None
        from random import uniform  # slow to import

        most = min(limits.max_wait, _BACKOFF * 2 ** min(attempt, 30))
        return uniform(0, most)  # noqa: S311 nobody guards a secret by it


def _following(request: Request, error: TimetricClientError, attempt: int) -> tuple[Request, int]:
    """What is sent next, and which attempt at it that is."""
    cut = error.cut if isinstance(error, ConnectionFailed) else None
    if request.resume is None or cut is None:
        return request, attempt + 1
    rest = request.resume(cut)
    return replace(request, url=rest), attempt + 1 if rest == request.url else 0


def _finished(request: Request) -> Request:
    """With the headers that describe the body. Raises BadRequest for what can't be sent."""
    if not _NAME.fullmatch(request.method):
        raise BadRequest(f"{request.method!r} is no method of HTTP")
    headers = Headers({"accept-encoding": "gzip, deflate", **request.headers})
    length = _length(request.body)
    if length or request.method not in _BODILESS:
        headers["content-length"] = str(length)
    return _checked(replace(request, headers=headers))


def _checked(request: Request) -> Request:
    """Itself. Raises BadRequest for a URL or a header that can't be sent."""
    if not is_address(request.url):
        raise BadRequest(
            f"the URL of a {request.method} is no http or https address, "
            "or holds a character that must be percent-encoded"
        )
    for name, value in request.headers.items():
        if not (_NAME.fullmatch(name) and _HEADER.fullmatch(value)):
            raise BadRequest(f"the header {name!r} holds a character that no header may hold")
    return request


@lru_cache(maxsize=64)  # each attempt asks twice, most often of a series that was asked before
def is_address(url: str) -> bool:
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.port != 0 and bool((parts.hostname or "").encode("idna"))
    except ValueError:  # a port past 65535, a label of the host past 63 letters
        return False


def _length(body: Body) -> int:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return len(body)
    body.seek(0, SEEK_END)
    return body.tell()


def _attempt(http: Http, signed: Request) -> tuple[httplib2.Response, bytes]:
    response, content = http.send(_checked(signed))
    if not 200 <= response.status < 300:
        raise error_of(signed, response, content)
    return response, content


def _tell(request: Request, error: TimetricClientError, wait: float) -> None:
    import logging  # slow to import

    reason = f"HTTP {error.status}" if error.status else error.detail
    path = urlsplit(request.url).path
    logger = logging.getLogger("timetric")
    logger.info("retrying %s %s in %.1f s: %s", request.method, path, wait, reason)
