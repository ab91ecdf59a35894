"""How points are merged into a series' blocks: which take them in, and what becomes of those.

A merge goes stretch by stretch. A stretch is the time from where a block begins to where the next
one does; what becomes of it depends on nothing else, so it stays packed when others change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from timetric.server.blocks import SIZE, Block, cut, encode, merge
from timetric.server.columns import EMPTY, Columns, part
from timetric.server.storage.tally import NONE, Tally, tally

_HALF = SIZE // 2  # points from which on a block may stand alone
_CHUNK = 64 * SIZE  # points packed at a time

#: How many blocks are stored at a time, and how many are packed while other writers wait.
BATCH, MOST_REPACKED = 64, 64


class Span(NamedTuple):
    """Where a stored block lies: ``size`` points from ``first`` to ``final``, both included."""

    key: int
    first: float
    final: float
    size: int


class Stretch(NamedTuple):
    """The points ``start:stop`` of those to be merged, and the block they go to, if any."""

    span: Span | None
    start: int
    stop: int


class Change(NamedTuple):
    """A step of a merge: these columns come in the place of a block, or of none.

    The tally says how the points of the step met those of the block.
    """

    drop: Span | None
    columns: Columns
    tally: Tally = NONE


class Kept(NamedTuple):
    """A block whose bytes are stored already, under this key; ``head`` has none."""

    key: int
    head: Block


class Parcel(NamedTuple):
    """Blocks whose bytes are stored, and those in whose place they come."""

    dropped: list[Span]
    kept: list[Kept]
    tallies: list[Tally]

    @property
    def growth(self) -> int:
        """How many points there are more."""
        added = sum(block.head.size for block in self.kept)
        return added - sum(span.size for span in self.dropped)


class Packer:
    """Packs columns; ``store`` keeps the bytes of some blocks at a time, and gives their keys."""

    def __init__(self, store: Callable[[list[Block]], list[int]]) -> None:
        self._store = store
        self._waiting: list[tuple[Parcel, Block]] = []

    def pack(self, steps: Iterable[Change]) -> Parcel:
        """The parcel of a merge's steps; it is complete once all is flushed."""
        parcel = Parcel([], [], [])
        for drop, columns, found in steps:
            parcel.tallies.append(found)
            if drop is not None:
                parcel.dropped.append(drop)
            for piece in cut(columns):
                self._waiting.append((parcel, encode(piece)))
                if len(self._waiting) == BATCH:
                    self.flush()
        return parcel

    def flush(self) -> None:
        """Store what has been packed."""
        waiting, self._waiting = self._waiting, []
        keys = self._store([block for _, block in waiting]) if waiting else []
        for (parcel, block), key in zip(waiting, keys):
            parcel.kept.append(Kept(key, block._replace(times=b"", values=b"")))


def stretches(spans: Sequence[Span], points: Columns) -> list[Stretch]:
    """Where tidy points go; the first stretch begins with time, the last ends with it."""
    bounds = [0, *np.searchsorted(points.t, [span.first for span in spans[1:]]), len(points.t)]
    takers: Sequence[Span | None] = spans or [None]
    return [
        Stretch(span, int(start), int(stop))
        for span, start, stop in zip(takers, bounds, bounds[1:])
        if start < stop
    ]


def changes(
    stretch: Stretch, points: Columns, block: Callable[[int], Columns], *, keeps: bool = False
) -> Iterator[Change]:
    """The steps of a stretch; ``block`` reads a block by its key.

    Points before or after the block make blocks of their own where they are many. With ``keeps``
    the block's points stand where both have one. A block of which nothing changes stays.
    """
    span, start, stop = stretch
    if span is None:
        yield from _loose(points, start, stop)
        return
    inner = start + np.searchsorted(points.t[start:stop], [span.first, _next(span.final)])
    low, high = _attached(stretch, span, int(inner[0]), int(inner[1]))
    yield from _loose(points, start, low)
    if low < high:
        old, new = block(span.key), part(points, low, high)
        found = tally(old, new)
        if (found.met if keeps else found.same) == high - low:
            yield Change(None, EMPTY, found)
        else:
            yield Change(span, merge(new, old) if keeps else merge(old, new), found)
    yield from _loose(points, high, stop)


def without(span: Span, start: float, end: float, block: Callable[[int], Columns]) -> Change:
    """What remains of a block when the points ``start <= t < end`` are taken away."""
    if start <= span.first and span.final < end:
        return Change(span, EMPTY)
    t, v = block(span.key)
    kept = (t < start) | (t >= end)
    return Change(span, Columns(t[kept], v[kept]))


def _attached(stretch: Stretch, span: Span, low: int, high: int) -> tuple[int, int]:
    """Which points a block takes in: ``low:high`` lie inside it, the rest before or after it."""
    if low - stretch.start < _HALF:
        low = stretch.start
    if stretch.stop - high < _HALF or span.size < _HALF:
        high = min(stretch.stop, high + SIZE)
    return low, high


def _loose(points: Columns, start: int, stop: int) -> Iterator[Change]:
    for low in range(start, stop, _CHUNK):
        yield Change(None, part(points, low, min(stop, low + _CHUNK)))


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)
