"""A reply that is no success, as the error it stands for."""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import simplejson

from timetric.exceptions import (
    BadRequest,
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
from timetric.request import Request

if TYPE_CHECKING:
    import httplib2

_ERRORS: dict[int, type[TimetricClientError]] = {
    400: BadRequest,
    401: NotAuthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    411: BadRequest,
    412: Conflict,
    413: TooLarge,
    415: BadRequest,
    422: BadRequest,
    429: RateLimited,
    503: ServiceUnavailable,
}

#: What to do about it where the reply does not say it in words.
_CURES = {
    401: "; are the key and the secret in the config right?",
    404: "; is there such a series, and is the url that of a timetric service?",
    429: "; ask less often",
    502: "; what stands in front of the service can't reach it",
    503: "; try again later",
    504: "; what stands in front of the service did not wait for it",
}

#: Seconds until there may be requests again, in a RateLimit of the IETF's draft.
_RESET = re.compile(r"(?:^|[;,\s])(?:t|reset)=(\d{1,9})\b")


def error_of(request: Request, response: httplib2.Response, content: bytes) -> TimetricClientError:
    """The error that a reply's status stands for, with all that the reply says of it."""
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
    if isinstance(error, Conflict) and isinstance(problem.get("series"), str):
        error.series = problem["series"]
    if isinstance(error, (Conflict, RateLimited, ServiceUnavailable)):
        error.retry_after = _retry_after(response)
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
    url, status = urlsplit(request.url), response.status
    plain = f"HTTP {status} {response.reason}: {request.method} {url.path}"
    if 300 <= status < 400:
        target = _without_query(response.get("location", ""))
        return f"{plain} was redirected to {target}; no redirect is followed, so correct the url"
    told = problem.get("detail") or problem.get("title")
    detail = told if told and isinstance(told, str) else plain + _CURES.get(status, "")
    if status == 401:
        return f"{url.scheme}://{url.netloc} refused the credentials: {detail}"
    return detail


def _without_query(location: str) -> str:
    """The host and path of a Location, which may hold secrets elsewhere."""
    try:
        parts = urlsplit(location)
    except ValueError:  # such as an unclosed bracket
        return "an address that is none"
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or "nowhere"


def _retry_after(response: httplib2.Response) -> float | None:
    """Seconds, from seconds or a date in GMT (RFC 9110, 10.2.3), or else a RateLimit's reset.

    None where there is none of them. A date is held against the reply's own, since the two
    machines' clocks may differ.
    """
    value = response.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    until = _unix_time(value)
    if until is not None:
        return max(0.0, until - (_unix_time(response.get("date", "")) or time.time()))
    reset = _RESET.search(response.get("ratelimit", ""))
    return float(reset[1]) if reset else None


def _unix_time(value: str) -> float | None:
    """Of a date as HTTP writes it; None of what is none."""
    from email.utils import parsedate

    date = parsedate(value)
    if date is None:
        return None
    try:
        return timegm(date)
    except (ValueError, OverflowError):  # a year past the calendar's
        return None
