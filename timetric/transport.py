"""Sending requests: time limits, retries, and replies that are errors."""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from calendar import timegm
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import SEEK_END
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import simplejson

from timetric.exceptions import (
    BadRequest,
    ConfigError,
    Conflict,
    Forbidden,
    NotAuthorized,
    NotFound,
    RateLimited,
    ServiceError,
    ServiceUnavailable,
    TimetricClientError,
    TooLarge,
)
from timetric.limits import Limits
from timetric.repeat import is_lost, is_silent, may_repeat
from timetric.request import Body, Request

if TYPE_CHECKING:
    import httplib2

logger = logging.getLogger("timetric")

_ERRORS: dict[int, type[TimetricClientError]] = {
    400: BadRequest,
    401: NotAuthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    411: BadRequest,
    412: Conflict,
    413: TooLarge,
    415: BadRequest,
    422: BadRequest,
    429: RateLimited,
    503: ServiceUnavailable,
}

_BODILESS = {"GET", "HEAD", "DELETE"}
_BACKOFF = 0.2  # seconds: the bound of the first wait, doubled for each further one

_URL = re.compile(r"https?://[^\x00-\x20\x7f\\/?#@]+([/?][!-~]*)?")
_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Transport:
    """Sends requests over httplib2, one connection a thread. Safe to share between threads.

    ``timeout`` bounds one network step, ``deadline`` a whole call with its retries and waits, all
    in seconds. A service that asks to wait for longer than ``max_wait`` gets no retry. A reply may
    have ``reply_limit`` bytes. No proxy is used, and no redirect followed.
    """

    def __init__(
        self,
        *,
        timeout: float = 10.0,
        deadline: float = 60.0,
        retries: int = 4,
        max_wait: float = 15.0,
        reply_limit: int = 1 << 30,
    ) -> None:
        if timeout <= 0 or deadline <= 0:
            raise ConfigError("timeout and deadline are seconds, and must be above 0")
        self.timeout = timeout
        self.deadline = deadline
        self.retries = retries
        self.max_wait = max_wait
        self.reply_limit = reply_limit
        self._local = threading.local()

    def close(self) -> None:
        """Close the connections of all threads; one in use is closed when its call ends."""
        self._local = threading.local()  # a connection that nobody holds closes itself

    def send(
        self, request: Request, sign: Callable[[Request], Request]
    ) -> tuple[httplib2.Response, bytes]:
        """Signs anew and sends; 2xx is returned, all else raises.

        ``sign`` gets the finished request before each attempt, and may change its URL and headers.
        Raises ConnectionFailed, DeadlineExceeded, BadReply, or the error of the reply's status.
        """
        finished = _finished(request)
        opened, limits = self._open()
        limits.start()
        attempt, lost = 0, False
        while True:
            try:
                return _attempt(opened, sign(finished))
            except TimetricClientError as error:  # perhaps it may be tried again
                lost = lost or is_lost(error)
                error.perhaps_done = lost and is_silent(error)
                wait = self._wait(finished, error, attempt)
                if wait is None or wait >= limits.left():
                    raise
                _tell(finished, error, wait)
            time.sleep(wait)
            attempt += 1

    def _open(self) -> tuple[httplib2.Http, Limits]:
        """This thread's; a forked process opens its own."""
        from timetric.connection import open_http

        local = self._local
        if getattr(local, "process", None) != os.getpid():
            local.limits = Limits(self.timeout, self.deadline)
            local.opened = open_http(local.limits, self.reply_limit)
            local.process = os.getpid()
        return local.opened, local.limits

    def _wait(self, request: Request, error: TimetricClientError, attempt: int) -> float | None:
        """Seconds until the request may be tried again; None where it may not."""
        if attempt >= self.retries or not may_repeat(request, error):
            return None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is None:
            return random.uniform(0, min(self.max_wait, _BACKOFF * 2**attempt))
        return asked if asked <= self.max_wait else None


def _finished(request: Request) -> Request:
    """With the headers that describe the body. Raises BadRequest for what can't be sent."""
    if not _is_address(request.url):
        raise BadRequest(
            f"the URL of a {request.method} is no http or https address, "
            "or holds a character that must be percent-encoded"
        )
    headers = {"accept-encoding": "gzip, deflate", **request.headers}
    length = _length(request.body)
    if length or request.method not in _BODILESS:
        headers["content-length"] = str(length)
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):
            raise BadRequest(f"the header {name} holds a character that no header may hold")
    return replace(request, headers=headers)


def _is_address(url: str) -> bool:
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


def _attempt(opened: httplib2.Http, signed: Request) -> tuple[httplib2.Response, bytes]:
    from timetric.connection import send

    response, content = send(opened, signed.method, signed.url, signed.headers, signed.body)
    if not 200 <= response.status < 300:
        raise _error(signed, response, content)
    return response, content


def _tell(request: Request, error: TimetricClientError, wait: float) -> None:
    reason = f"HTTP {error.status}" if error.status else error.detail
    path = urlsplit(request.url).path
    logger.info("retrying %s %s in %.1f s: %s", request.method, path, wait, reason)


def _error(request: Request, response: httplib2.Response, content: bytes) -> TimetricClientError:
    """The error that a reply's status stands for."""
    status = response.status
    problem = _problem(response, content)
    other = ServiceError if status >= 500 else TimetricClientError
    error = _ERRORS.get(status, other)(
        _detail(request, response, problem),
        status=status,
        request_id=response.get("request-id"),
        response=response,
    )
    if isinstance(error, BadRequest) and type(problem.get("line")) is int:
        error.line = problem["line"]
    if isinstance(error, (Conflict, RateLimited, ServiceUnavailable)):
        error.retry_after = _retry_after(response.get("retry-after", ""))
    return error


def _problem(response: httplib2.Response, content: bytes) -> Mapping[str, Any]:
    """What the service says of an error (RFC 9457); empty where it says nothing of the kind."""
    if not response.get("content-type", "").startswith("application/problem+json"):
        return {}
    try:
        problem = simplejson.loads(content, allow_nan=True)
    except (ValueError, RecursionError):  # no JSON, or JSON made to harm
        return {}
    return problem if isinstance(problem, dict) else {}


def _detail(request: Request, response: httplib2.Response, problem: Mapping[str, Any]) -> str:
    url = urlsplit(request.url)
    plain = f"HTTP {response.status} {response.reason}: {request.method} {url.path}"
    told = problem.get("detail") or problem.get("title")
    detail = told if told and isinstance(told, str) else plain
    if response.status == 401:
        return f"{url.scheme}://{url.netloc} refused the credentials: {detail}"
    if 300 <= response.status < 400:
        target = _without_query(response.get("location", ""))
        return f"{plain} was redirected to {target}; no redirect is followed, so correct the url"
    return detail


def _without_query(location: str) -> str:
    """The host and path of a Location, which may hold secrets elsewhere."""
    try:
        parts = urlsplit(location)
    except ValueError:  # such as an unclosed bracket
        return "an address that is none"
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or "nowhere"


def _retry_after(value: str) -> float | None:
    """Seconds, from seconds or a date in GMT (RFC 9110, 10.2.3); None where it is neither."""
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate

    date = parsedate(value)
    if date is None:
        return None
    try:
        return max(0.0, timegm(date) - time.time())
    except (ValueError, OverflowError):  # a year past the calendar's
        return None
