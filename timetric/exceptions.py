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

    #: Whether the request, or an earlier sending of it, may have been done all the same.
    perhaps_done = False

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

    def __init__(self, detail: str, *, sent: bool, cut: Any = None) -> None:
        super().__init__(detail)
        self.sent = sent
        self.cut = cut  # a request.Cut where the connection broke within the reply


class DeadlineExceeded(ConnectionFailed, TimeoutError):
    """No complete answer within ``timeout`` (one network step) or ``deadline`` (the call)."""


class WriteInDoubt(TimetricClientError):
    """A write was sent, and its answer lost: it may have been done, or be yet, or not at all.

    Both ways out can be tried for as long as the service remembers keys, 30 days. ``write`` is the
    write, with its ``key``. The error that lost the answer is the ``__cause__``. In another process
    there is no ``client``, so that one must be given.
    """

    def __init__(self, detail: str, *, write: Any = None, client: Any = None, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.write = write
        self.client = client

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, {**self.__dict__, "client": None})

    def resolve(self, client: Any = None) -> Any:
        """Repeat the write with its key, so that it is done once. Returns what the write returns.

        Raises WriteInDoubt where it is in doubt still, and what the write raises where it was not
        done.
        """
        return self.write.send(self._asked(client), again=True)

    def stored(self, client: Any = None) -> Any:
        """Ask whether it has arrived: what the write returns, or None where it has not *yet*."""
        return self.write.stored(self._asked(client))

    def _asked(self, client: Any) -> Any:
        if client is None and self.client is None:
            raise ConfigError("a write in doubt that was pickled has no client; give it one")
        return client or self.client


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
    """409: the series' state does not allow it, such as an increment on a word.

    ``retry_after`` (seconds) is None, but where an earlier sending of the same write still runs;
    ``series`` is the ID of the series that has a slug already, or None.
    """

    retry_after: float | None = None
    series: str | None = None


class Rewritten(Conflict):
    """The series was rewritten or cleared while it was read page by page."""


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


class SpoolError(TimetricClientError):
    """The file of a spool can't be used: read-only, damaged, for another service, no disk left."""


class SpoolFull(SpoolError):
    """The spool has no room for a write, of which nothing is kept."""
