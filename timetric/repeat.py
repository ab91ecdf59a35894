"""What may be sent again, and what is left open when no answer comes."""

from __future__ import annotations

from timetric.exceptions import (
    BadReply,
    Conflict,
    ConnectionFailed,
    RateLimited,
    ServiceUnavailable,
    TimetricClientError,
)
from timetric.request import Request

#: The header by which the service does a write once (protocol.md, Writing safely).
KEY = "idempotency-key"

#: Methods that may be done twice (RFC 9110, 9.2.2), and statuses after which that is all one knows.
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
_LOST = {502, 504}

#: The statuses from 500 on that say that nothing was done.
_UNDONE = {501, 503, 505, 507}

#: Statuses of refusals that the service gives only where it does not know the write's key. 422 is
#: none: it knows the key of a write that was done, such as of a file that has grown since.
_DECIDED = {400, 404, 409, 411, 412, 413, 415}


def may_repeat(request: Request, error: TimetricClientError) -> bool:
    """Whether the request may be sent again after this error, and that may help."""
    keyed = KEY in request.headers
    safe = keyed or request.method in _IDEMPOTENT
    if isinstance(error, ConnectionFailed):
        from timetric.connection import is_lasting

        return not is_lasting(error) and (not error.sent or safe)
    if isinstance(error, (RateLimited, ServiceUnavailable)):
        return True  # the service says that it did nothing
    if _is_running(error):
        return keyed
    return error.status in _LOST and safe


def is_lost(error: TimetricClientError) -> bool:
    """Whether the request may have been done, though no answer says so."""
    if isinstance(error, ConnectionFailed):
        return error.sent
    if error.status is not None and error.status >= 500:
        return error.status not in _UNDONE
    return isinstance(error, BadReply) or _is_running(error)


def is_silent(error: TimetricClientError) -> bool:
    """Whether the answer, if any, says nothing of what earlier sendings of a write did."""
    return error.status not in _DECIDED or _is_running(error)


def _is_running(error: TimetricClientError) -> bool:
    """Whether the service says that an earlier sending of the same write still runs."""
    return isinstance(error, Conflict) and error.retry_after is not None
