"""What may be stored, given what was sent and what was answered: the one checker of all faults.

Each write has a number of its own, and everything that it stores says so: the value of each of its
points is that number, and an increment is by that amount. So what is found in a series tells which
writes it came of, and how often.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

#: Points that a write may have; as many instants within a second are its own.
MOST = 4096

_numbers = itertools.count(1)


class End(Enum):
    """What a client was told of a write."""

    OPEN = "in doubt"
    DONE = "acknowledged"
    REFUSED = "refused"


class Ledger:
    """The writes to one series, none of which takes away what another stored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}
        self._ends: dict[int, End] = {}

    def begin(self, size: int) -> int:
        """The number of a write of so many points, about to be sent."""
        number = next(_numbers)
        with self._lock:
            self._sizes[number] = size
            self._ends[number] = End.OPEN
        return number

    def end(self, number: int, end: End) -> None:
        with self._lock:
            self._ends[number] = end

    def told(self, end: End) -> int:
        """How many writes ended so."""
        with self._lock:
            return sum(found is end for found in self._ends.values())

    def faults(self, found: Counter[int]) -> Iterator[str]:
        """What is wrong with a series that holds so many points of each write."""
        yield from (f"a write {n} that nobody sent" for n in found.keys() - self._sizes.keys())
        for number, end in self._ends.items():
            held, size = found[number], self._sizes[number]
            if held not in _MAY_HOLD[end](size):
                yield f"of write {number}, {end.value}, there are {held} of {size} points"


_MAY_HOLD = {
    End.OPEN: lambda size: (0, size),
    End.DONE: lambda size: (size,),
    End.REFUSED: lambda size: (0,),
}


class History:
    """The writes of one writer to a series of its own, each of which replaces all that was there.

    One in doubt may arrive at any later time, but once.
    """

    def __init__(self) -> None:
        self._sizes = {0: 0}  # at first it is empty
        self._last, self._open = 0, set[int]()
        self._counts: Counter[End] = Counter()

    def begin(self, size: int) -> int:
        number = next(_numbers)
        self._sizes[number] = size
        self._open.add(number)
        return number

    def end(self, number: int, end: End) -> None:
        self._counts[end] += 1
        if end is not End.OPEN:
            self._open.discard(number)
        if end is End.DONE:
            self._last = number

    def told(self, end: End) -> int:
        return self._counts[end]

    def faults(self, found: Counter[int]) -> Iterator[str]:
        may = {self._last, *self._open}
        if found not in [Counter({n: self._sizes[n]} if self._sizes[n] else {}) for n in may]:
            yield f"a history of {dict(found)}, which may be that of {sorted(may)}"


def instants(number: int, size: int) -> list[float]:
    """Those of a write: within one second, which lies among those of other writes, not after."""
    second = (number & ~0x3FF) | (number * 637 & 0x3FF)  # 637 is odd, so each has its own
    return [second + part / MOST for part in range(size)]


def counted(points: Iterable[tuple[float | None, object]]) -> Counter[int]:
    """How many points there are of each write; a value that is no number counts as write -1."""
    return Counter(_number(value) for _, value in points)


def placed(points: Sequence[tuple[float, object]]) -> Counter[int]:
    """The same, of points that must stand at the instants of their write; others count as -1."""
    return Counter(
        _number(value) if t // 1 == instants(_number(value), 1)[0] else -1 for t, value in points
    )


def added(points: Iterable[tuple[float, float]]) -> Counter[int]:
    """How often each amount was added, by the sums that stand after each."""
    sums = [0.0, *(value for _, value in points)]
    return Counter(_number(after - before) for before, after in itertools.pairwise(sums))


def _number(value: object) -> int:
    return int(value) if isinstance(value, float) and value.is_integer() else -1
