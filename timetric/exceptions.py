"""Everything that can go wrong, under one root. A leaf: it imports nothing of ours."""

from __future__ import annotations

from typing import Any


class InsecureWarning(UserWarning):
    """A secret can be read by others: on its way, or in a file."""


class TimetricClientError(Exception):
    """The root of all errors of this library.

    ``detail`` says what is wrong, and where. ``status`` (the HTTP status), ``request_id`` and
    ``response`` (the reply's headers) are None where no reply was involved.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        response: Any = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.response = response

    def __reduce__(self) -> tuple[Any, ...]:
        """With all its attributes into another process, whatever its class's __init__ wants."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[TimetricClientError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> TimetricClientError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ConfigError(TimetricClientError, ValueError):
    """The config lacks something, or holds something that can't be meant."""


class InvalidPoint(TimetricClientError, ValueError):
    """A timestamp, value or row that is none. ``line`` is its line number, from 1, or None."""

    def __init__(self, detail: str, *, line: int | None = None) -> None:
        super().__init__(detail if line is None else f"line {line}: {detail}")
        self.line = line


class ConnectionFailed(TimetricClientError, ConnectionError):
    """The service was not reached, or the connection broke.

    ``sent`` is False when no byte of the request can have arrived, so that nothing was done.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class DeadlineExceeded(ConnectionFailed, TimeoutError):
    """No complete answer within ``timeout`` (one network step) or ``deadline`` (the call)."""


class BadReply(TimetricClientError):
    """The reply is not what the protocol says: damaged, too large, or not a timetric service's."""


class BadRequest(TimetricClientError, ValueError):
    """400 and its kin: the service can't make sense of the request; ``line`` names the CSV row."""

    line: int | None = None


class NotAuthorized(TimetricClientError):
    """401: no credentials, or wrong ones."""


class Forbidden(TimetricClientError):
    """403: the series is someone else's."""


class NotFound(TimetricClientError, LookupError):
    """404: there is no such series, or it is someone else's private one."""


class Conflict(TimetricClientError):
    """409: the series' state does not allow it, such as an increment on a word."""


class TooLarge(BadRequest):
    """413: the upload is larger than the service takes."""


class ServiceError(TimetricClientError):
    """5xx: the fault is the service's."""


class ServiceUnavailable(ServiceError):
    """503: try again later; ``retry_after`` (seconds) says when, or is None."""

    retry_after: float | None = None


class RateLimited(TimetricClientError):
    """429: too many requests; ``retry_after`` (seconds) says how long to wait, or is None."""

    retry_after: float | None = None
