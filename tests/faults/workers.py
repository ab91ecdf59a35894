"""Clients at work: each writes, reads, and keeps account of what it was told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import timetric
from tests.faults.ledger import MOST, End, History, Ledger, added, counted, instants, placed

#: Seconds that a call may take, and how much later on a busy machine it may be seen to have ended.
DEADLINE, LATE = 5.0, 5.0

_TRIES = 3  # at settling a write in doubt
_ANEW = 0.1  # of all calls are followed by a new connection

Found = Callable[[Any], "Counter[int]"]


class Tally:
    """How the calls of all workers ended: answers and typed errors, by name, and the longest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.ends: Counter[str] = Counter()
        self.longest = 0.0

    def count(self, end: str, seconds: float) -> None:
        with self._lock:
            self.ends[end] += 1
            self.longest = max(self.longest, seconds)


class Book(NamedTuple):
    """A series, the writes to it, and how to find them in its points."""

    id: str
    ledger: Ledger | History
    found: Found

    def faults(self, client: timetric.TimetricClient) -> list[str]:
        points = list(client.series(self.id))
        return [f"{self.id}: {fault}" for fault in self.ledger.faults(self.found(points))]


class Field:
    """Series that all workers write to, and those of each alone."""

    def __init__(self, client: timetric.TimetricClient) -> None:
        self._client = client
        self.marks = self._book(Ledger(), placed)
        self.events = self._book(Ledger(), counted)
        self.counter = self._book(Ledger(), added)
        self.histories: list[Book] = []

    def history(self) -> Book:
        """A series of a worker's own."""
        self.histories.append(self._book(History(), counted))
        return self.histories[-1]

    def _book(self, ledger: Ledger | History, found: Found) -> Book:
        made = self._client.create_series(title="Siege", caption="Under faults")
        return Book(made.id, ledger, found)

    @property
    def books(self) -> list[Book]:
        return [self.marks, self.events, self.counter, *self.histories]

    def told(self, end: End) -> int:
        """How many writes ended so."""
        return sum(book.ledger.told(end) for book in self.books)

    def faults(self) -> list[str]:
        """All that is wrong with what is stored."""
        return [fault for book in self.books for fault in book.faults(self._client)]


class Worker:
    """A client. ``is_sure`` says that replies arrive as they were sent, or not at all."""

    def __init__(
        self,
        config: Mapping[str, Any],
        field: Field,
        tally: Tally,
        seed: object,
        is_sure: bool = True,
    ) -> None:
        self._client = timetric.TimetricClient(config, timeout=2, deadline=DEADLINE, retries=2)
        self._chance = random.Random(str(seed))
        self._field = field
        self._history = field.history()
        self._size = self._chance.choice([1, 50, 300, MOST])  # of all that it rewrites
        self._tally = tally
        self._is_sure = is_sure
        self._ways = [self._value, self._value, self._event, self._count, self._count]
        self._ways += [self._pairs, self._rewrite, self._look]

    def run(self, over: threading.Event) -> None:
        """Work until it is over. Raises whatever a client should not, and AssertionError."""
        with self._client:
            while not over.is_set():
                self._chance.choice(self._ways)()
                if self._chance.random() < _ANEW:
                    self._client.close()

    def _value(self) -> None:
        self._mark(1)

    def _pairs(self) -> None:
        self._mark(self._chance.choice([2, 2, 2, 20, 20, 300, 300, MOST]))

    def _mark(self, size: int) -> None:
        """Points at instants of their own; then, sometimes, a look whether they are there."""
        series = self._series(self._field.marks)

        def write(number: int) -> timetric.Receipt:
            times = instants(number, size)
            if size == 1:
                return series.update(float(number), at=times[0])
            return series.update([(t, float(number)) for t in times])

        number, receipt = self._write(self._field.marks, size, write)
        if receipt is None or self._chance.random() < 0.8:
            return
        second = instants(number, 1)[0]
        points = self._call("read", lambda: list(series[second : second + 1]))
        if points is not None and self._is_sure:
            assert placed(points) == {number: size}, "a read does not show what was acknowledged"

    def _event(self) -> None:
        """A value that the service stamps."""
        series = self._series(self._field.events)
        self._write(self._field.events, 1, lambda number: series.update(float(number)))

    def _count(self) -> None:
        """An increment, of which the latest value holds all that were acknowledged."""
        series = self._series(self._field.counter)
        _, receipt = self._write(self._field.counter, 1, lambda number: series.increment(number))
        if receipt is None or self._chance.random() < 0.9:
            return
        latest = self._call("read", series.latest)
        if latest is not None and self._is_sure:
            assert latest[1] >= receipt.value, "the counter has gone back"

    def _rewrite(self) -> None:
        """Another history in the place of its own, one over all of it, or none."""
        series = self._series(self._history)
        if self._chance.random() < 0.2:
            self._write(self._history, 0, lambda number: series.delete())
            return
        way = self._chance.choice([series.rewrite, series.update])
        times = range(self._size)
        self._write(self._history, self._size, lambda n: way([(t, float(n)) for t in times]))

    def _look(self) -> None:
        self._call("read", lambda: list(self._series(self._history)))

    def _series(self, book: Book) -> timetric.Series:
        return self._client.series(book.id)

    def _write(
        self, book: Book, size: int, write: Callable[[int], timetric.Receipt]
    ) -> tuple[int, timetric.Receipt | None]:
        """The number of a write, and its receipt if it was acknowledged."""
        number = book.ledger.begin(size)
        receipt, end = self._settled(lambda: write(number), tries=self._chance.choice([0, _TRIES]))
        book.ledger.end(number, end)
        if receipt is not None and self._is_sure and size:
            assert receipt.received == size, receipt
        return number, receipt

    def _settled(
        self, write: Callable[[], timetric.Receipt], tries: int
    ) -> tuple[timetric.Receipt | None, End]:
        """Its receipt, and how it ended; one in doubt is repeated so often, and then left."""
        error: timetric.TimetricClientError | None = None
        begun = time.monotonic()
        try:
            receipt = write()
        except timetric.TimetricClientError as told:  # what a program has to reckon with
            error = told
        self._ended("write" if error is None else type(error).__name__, begun)
        if error is None:
            return receipt, End.DONE
        if not isinstance(error, timetric.WriteInDoubt):
            return None, End.REFUSED
        return self._settled(error.resolve, tries - 1) if tries else (None, End.OPEN)

    def _call(self, name: str, call: Callable[[], Any]) -> Any:
        """The answer; None where an error of the library's stood for it."""
        begun = time.monotonic()
        try:
            answer = call()
        except timetric.TimetricClientError as error:  # likewise
            self._ended(type(error).__name__, begun)
            return None
        self._ended(name, begun)
        return answer

    def _ended(self, end: str, begun: float) -> None:
        seconds = time.monotonic() - begun
        self._tally.count(end, seconds)
        assert seconds < DEADLINE + LATE, f"a call took {seconds:.1f} s"
