"""The rows of one series: packed blocks, and a tail of single points over them.

Where both hold a point at an instant the tail's stands. All intervals are ``start <= t < end``.
An engine is a subclass, with its statements; what needs none is here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple

import numpy as np

from timetric.points import Point, Value
from timetric.server.blocks import Corrupt, check, decode, unpack
from timetric.server.columns import EMPTY, Columns, Floats
from timetric.server.storage import Damaged, Missing
from timetric.server.storage.parcel import Change, Kept, Parcel, Span

#: Of a block: key, first and final instant, last value, minimum, maximum, total, numbers.
#: A last value that is a word is left out.
Head = tuple[int, float, float, float | None, float | None, float | None, float | None, int]


class Row(NamedTuple):
    """A point of the tail. It is ``fresh`` where no block holds a point at that instant."""

    t: float
    value: Value
    fresh: bool


class State(NamedTuple):
    """What a write has to know: points, rows of the tail, ``final`` instant of the last block.

    ``final`` is minus infinity where there is no block.
    """

    version: int
    generation: int
    points: int
    tail: int
    final: float


class Packed(NamedTuple):
    """A block as it is stored, not yet decoded."""

    span: Span
    codec: int
    crc: int
    times: bytes
    values: bytes

    def columns(self) -> Columns:
        """Raises Damaged."""
        try:
            return decode(self.codec, self.crc, self.times, self.values)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def check(self) -> None:
        """Raises Damaged."""
        try:
            check(self.codec, self.crc, self.times, self.values)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def fill(self, column: Floats, packed: bytes) -> None:
        """Put times or values of the block, which was checked, into a column. Raises Damaged."""
        try:
            unpack(self.codec, packed, column)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def _damaged(self, error: Corrupt) -> Damaged:
        return Damaged(
            f"the block {self.span.key} of {self.span.size} points from {self.span.first} on "
            f"is damaged: {error}"
        )


class Tables(ABC):
    """One series' rows, within a transaction of the caller's."""

    # the series' own row

    @abstractmethod
    def state(self) -> State:
        """Within a write, as it stays until that is committed. Raises Missing."""

    @abstractmethod
    def touch(self, now: float, *, points: int = 0, tail: int = 0, generation: int = 0) -> None:
        """Note a change, and how many points and tail rows there are more. Raises OverQuota."""

    @abstractmethod
    def count(self, *, points: int, tail: int) -> None:
        """Note how many points and tail rows there are more, or fewer. Raises OverQuota."""

    @abstractmethod
    def check_quota(self, more: int) -> None:
        """Whether there may be so many more points. Raises OverQuota."""

    @abstractmethod
    def drop_all(self) -> None:
        """Take away the whole history."""

    @abstractmethod
    def drop(self) -> None:
        """Take away the series itself."""

    @abstractmethod
    def tried(self) -> AbstractContextManager[None]:
        """What is done in the ``with`` statement is undone at its end."""

    # the tail

    @abstractmethod
    def tail(self, start: float, end: float, limit: int | None = None) -> list[Row]:
        """Its rows in the interval, oldest first."""

    @abstractmethod
    def put_tail(self, rows: Iterable[Row]) -> None:
        """Put rows in, over those at their instants."""

    @abstractmethod
    def add_to_tail(self, row: Row) -> bool:
        """Put a row where none is; whether there was none."""

    @abstractmethod
    def drop_tail(self, rows: list[Row]) -> None:
        """Take rows out."""

    def make_stale(self, rows: list[Row]) -> None:
        """Note that blocks hold points at the instants of these rows by now."""
        self.put_tail(row._replace(fresh=False) for row in rows)
        self.count(points=-sum(row.fresh for row in rows), tail=0)

    @abstractmethod
    def latest(self) -> Point | None:
        """The last point of all."""

    # blocks

    @abstractmethod
    def spans(self, start: float, end: float) -> list[Span]:
        """Where the blocks lie, oldest first: those in the interval, and the one before it."""

    @abstractmethod
    def packed_block(self, key: int) -> Packed:
        """Raises Missing."""

    def packed_blocks(self, keys: list[int]) -> list[Packed]:
        """Those of these keys, in their order. Raises Missing."""
        return [self.packed_block(key) for key in keys]

    def blocks_there(self, keys: list[int]) -> list[Packed]:
        """Those of these keys that there are."""
        found = []
        for key in keys:
            with suppress(Missing):
                found.append(self.packed_block(key))
        return found

    @abstractmethod
    def heads(self, start: float, end: float, limit: int, *, descending: bool) -> list[Head]:
        """What up to ``limit`` blocks say that have points in the interval, in reading order."""

    @abstractmethod
    def packed(self, start: float, end: float, limit: int, *, descending: bool) -> list[Packed]:
        """Up to ``limit`` blocks that have points in the interval, in reading order."""

    @abstractmethod
    def may_hold_words(self, start: float, end: float) -> bool:
        """Whether a row of the tail in the interval is a word, or a block there holds one."""

    @abstractmethod
    def told(self, key: int) -> tuple[object, ...]:
        """What a block says: first, final, size, last, minimum, maximum, total, numbers."""

    @abstractmethod
    def pack(self, steps: Iterator[Change]) -> Parcel:
        """Pack a merge's steps within this transaction."""

    @abstractmethod
    def put_blocks(self, kept: list[Kept]) -> None:
        """Put in blocks whose bytes are stored."""

    @abstractmethod
    def drop_blocks(self, keys: list[int]) -> None:
        """Take blocks out, and their bytes now or later."""

    @abstractmethod
    def sweep(self) -> None:
        """Take away some of the bytes that are in no block."""

    def block(self, key: int) -> Columns:
        """Raises Missing, Damaged."""
        return self.packed_block(key).columns()

    def in_blocks(self, t: Floats) -> Columns:
        """What the blocks hold at these sorted instants. Raises Damaged."""
        found = [EMPTY]
        for span in self.spans(t[0], _next(t[-1])) if len(t) else ():
            low, high = np.searchsorted(t, [span.first, _next(span.final)])
            if low < high:
                block = self.block(span.key)
                here = block.t.searchsorted(t[low:high])
                held = here[block.t[here] == t[low:high]]
                found.append(Columns(block.t[held], block.v[held]))
        return Columns(*map(np.concatenate, zip(*found)))

    def exchange(self, parcels: list[Parcel], gone: list[Row]) -> int:
        """Put blocks in, and take out those they replace and the tail rows that are gone.

        How many points there are more.
        """
        self.drop_blocks([span.key for parcel in parcels for span in parcel.dropped])
        self.put_blocks([kept for parcel in parcels for kept in parcel.kept])
        self.drop_tail(gone)
        more = sum(parcel.growth for parcel in parcels) - sum(row.fresh for row in gone)
        self.count(points=more, tail=-len(gone))
        return more


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)
