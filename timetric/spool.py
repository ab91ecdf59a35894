"""Writes that are kept on disk until the service has them.

Loaded with the first spool, since SQLite and logging are slow to import.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Union

from timetric.exceptions import (
    BadRequest,
    ConfigError,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    NotFound,
    SpoolFull,
    TimetricClientError,
)
from timetric.points import to_value
from timetric.series import Series, is_single
from timetric.spoolfile import Kept, SpoolFile
from timetric.upload import csv_file
from timetric.write import Write, increment_write, series_path, terms, value_write

if TYPE_CHECKING:
    from timetric.client import TimetricClient

logger = logging.getLogger("timetric")

#: How old a write may be when it is sent, in seconds: the service remembers its key for 30 days.
OLDEST = 29 * 86400

#: Errors by which a service refuses a write for good; after all others it may take it yet.
_REFUSALS = (BadRequest, Forbidden, NotFound, Conflict)

#: A write, or how it is made of the moment in which it is queued.
Queued = Union[Write, Callable[[float], Write]]

_LONGEST_REST = 60.0  # seconds without an attempt while the service can't be reached


class Spool:
    """A client's writes, in a file. Made by ``client.spool(path)``; safe to share between threads.

    A write is on the disk when the call returns. Each call sends what waits, in order, for up to
    ``deadline`` seconds, unless another thread or process is at it. While the service can't be
    reached that is not tried with each call, but after growing pauses of up to a minute.

    ``max_bytes`` bounds what is kept, parked writes among it. ``clock`` gives Unix seconds.
    """

    def __init__(
        self,
        client: TimetricClient,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 64 << 20,
        deadline: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self.max_bytes = max_bytes
        self.deadline = deadline
        #: Why what waits could not be sent when that was last tried; None when it was.
        self.error: TimetricClientError | None = None
        self._clock = clock
        self._file = SpoolFile(os.fspath(path), client.url)
        self._rests = 0  # how often in a row the service could not be reached
        self._rests_until = 0.0  # by the monotonic clock

    def __repr__(self) -> str:
        return f"<timetric.Spool {self._file.path!r} for {self.client.url}>"

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send what waits, for up to ``deadline`` seconds; the rest stays for the next time."""
        if kind is None:
            self._try()
        self.close()

    def close(self) -> None:
        """Let go of the file. Nothing is sent, and all stays that waits."""
        self._file.close()

    @property
    def pending(self) -> int:
        """How many writes wait to be sent."""
        return self._file.pending()

    @property
    def parked(self) -> list[Kept]:
        """The writes that won't be sent by themselves, each with its ``reason``, oldest first.

        That is what the service has refused for good, and what was queued more than 29 days ago:
        the service may have done it, and have forgotten so. ``requeue`` or ``discard`` each.
        """
        return self._file.parked()

    def update(
        self, series: Series, data: object, *, at: object = None, on_conflict: str = "replace"
    ) -> None:
        """Queue what ``series.update`` takes; a single value is stamped now, or ``at`` a time.

        Raises InvalidPoint for what can't be taken, and SpoolError, such as SpoolFull, where it
        can't be kept; nothing of it is kept then. What becomes of it at the service is no error of
        the call's: see ``error`` and ``parked``.
        """
        query = terms(on_conflict, dry_run=False)
        if not is_single(data):
            body = self._body(data, at)
            self._queue(series, Write("POST", series_path(series.id, query), body, "text/csv"))
            return
        value = to_value(data)

        def stamped(instant: float) -> Write:
            return value_write(series.id, value, instant, query)

        self._queue(series, stamped if at is None else value_write(series.id, value, at, query))

    def increment(self, series: Series, amount: float) -> None:
        """Queue an addition to the latest value, which the service stamps when it arrives."""
        self._queue(series, increment_write(series.id, amount))

    def flush(self, deadline: float = 60.0) -> None:
        """Send all that waits, within ``deadline`` seconds.

        Raises the error that was in the way, and DeadlineExceeded where the time was too short. All
        that was not sent waits on.
        """
        if not self._send(time.monotonic() + deadline, patient=True):
            raise DeadlineExceeded(
                f"{self.pending} writes still wait after {deadline:g} s", sent=False
            )

    def requeue(self, kept: Kept) -> None:
        """Let a parked write wait again, behind the others; its key and timestamps stay."""
        self._file.requeue(kept.write.key, self._clock())

    def discard(self, kept: Kept) -> None:
        """Forget a parked write."""
        self._file.discard(kept.write.key)

    def _body(self, data: object, at: object) -> bytes:
        """The CSV of pairs or a file. Raises InvalidPoint, and BadRequest with a time."""
        if at is not None:
            raise BadRequest(
                "at is for a single value; pairs and files have timestamps of their own"
            )
        with csv_file(data) as file:
            file.seek(0)
            return file.read(self.max_bytes)  # one that is cut off has no room anyway

    def _queue(self, series: Series, write: Queued) -> None:
        if series.client.url != self.client.url:
            raise ConfigError(f"{series.url} is not of the service {self.client.url}")
        try:
            self._add(write)
        except SpoolFull:  # room is made by sending
            self._send_some()
            self._add(write)
        self._send_some()

    def _add(self, write: Queued) -> None:
        if isinstance(write, Write):
            self._file.add(write, self._clock(), self.max_bytes)
        else:
            self._file.add_stamped(write, self._clock(), self.max_bytes)

    def _send_some(self) -> None:
        if time.monotonic() >= self._rests_until:
            self._try()

    def _try(self) -> None:
        """Send what waits, as far as that goes now; it is safe where it is."""
        try:
            self._send(time.monotonic() + self.deadline, patient=False)
        except TimetricClientError as error:
            self.error = error
            logger.warning("the spool %s keeps its writes: %s", self._file.path, error)

    def _send(self, end: float, *, patient: bool) -> bool:
        """Whether all was sent. What others queue while we send, they leave to us."""
        while self._file.pending():
            wait = end - time.monotonic() if patient else 0.0
            with self._file.turn(max(0.0, wait)) as is_ours:
                if not is_ours or not self._send_waiting(end, None if patient else 0):
                    return False
        return True

    def _send_waiting(self, end: float, retries: int | None) -> bool:
        """Whether there was time for all of it."""
        while (kept := self._file.first()) is not None:
            left = end - time.monotonic()
            if left <= 0:
                return False
            reason = self._sent(kept, self.client.within(left, retries=retries))
            if reason:
                logger.warning("the spool %s parks a write: %s", self._file.path, reason)
                self._file.park(kept.write.key, reason)
            else:
                self._file.remove(kept.write.key)
        return True

    def _sent(self, kept: Kept, client: TimetricClient) -> str:
        """Send a write; why it never will be, or nothing when it is stored."""
        if self._clock() - kept.queued > OLDEST:
            return "queued more than 29 days ago: it may be stored, and its key forgotten"
        reason = ""
        try:
            kept.write.send(client)
        except TimetricClientError as error:
            if not _is_refused(error):
                self._rest(error)
                raise
            reason = f"{type(error).__name__}: {error}"
        self.error, self._rests, self._rests_until = None, 0, 0.0
        return reason

    def _rest(self, error: TimetricClientError) -> None:
        """Send nothing by ourselves for a while."""
        self._rests += 1
        asked: float = getattr(error, "retry_after", None) or 0.0
        seconds = max(asked, min(_LONGEST_REST, 2.0 ** min(self._rests, 10)))
        self._rests_until = time.monotonic() + seconds
        self.error = error


def _is_refused(error: TimetricClientError) -> bool:
    """Whether the service itself has said no, and did not say when to try again.

    What a proxy or a hotel's network answers in its place is no answer.
    """
    if not isinstance(error, _REFUSALS) or error.response is None:
        return False
    told: bool = error.response.get("content-type", "").startswith("application/problem+json")
    return told and getattr(error, "retry_after", None) is None
