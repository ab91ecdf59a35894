"""A parcel: blocks that a write puts in the place of others, packed ahead of its transaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

import numpy as np

from timetric.server.blocks import SIZE, Block, cut, encode, merge
from timetric.server.columns import Columns

_HALF = SIZE // 2  # points from which on a block may stand alone
_CHUNK = 64 * SIZE  # points packed at a time
_MEMORY = 4 << 20  # bytes of packed blocks kept in memory before a temporary file is used


class Span(NamedTuple):
    """Where a stored block lies: ``size`` points from ``first`` to ``final``, both included."""

    key: int
    first: float
    final: float
    size: int


class Change(NamedTuple):
    """A step of a merge: these columns come in the place of a block, or of none.

    ``taken`` counts the points to be merged that went into this step and those before it.
    """

    drop: Span | None
    columns: Columns
    taken: int


def changes(
    spans: Sequence[Span], points: Columns, block: Callable[[int], Columns]
) -> Iterator[Change]:
    """How tidy points are merged into a series' blocks, of which ``block`` reads one by its key.

    Only blocks that take points in are rewritten. Points that lie between two blocks make blocks
    of their own where they are many, and else fill up the one before them.
    """
    t = points.t
    bounds = [0, *np.searchsorted(t, [span.first for span in spans[1:]]), len(t)]
    if not spans:
        yield from _loose(points, 0, len(t))
    for span, start, stop in zip(spans, bounds, bounds[1:]):
        inner = start + np.searchsorted(t[start:stop], [span.first, _next(span.final)])
        low, high = _attached(span, start, int(inner[0]), int(inner[1]), stop)
        yield from _loose(points, start, low)
        if low < high:
            yield Change(span, merge(block(span.key), _slice(points, low, high)), high)
        yield from _loose(points, high, stop)


def _attached(span: Span, start: int, low: int, high: int, stop: int) -> tuple[int, int]:
    """Which points a block takes in: ``low:high`` lie inside it, the rest before or after it."""
    if low - start < _HALF:
        low = start
    if stop - high < _HALF or span.size < _HALF:
        high = min(stop, high + SIZE)
    return low, high


def _loose(points: Columns, start: int, stop: int) -> Iterator[Change]:
    for low in range(start, stop, _CHUNK):
        high = min(stop, low + _CHUNK)
        yield Change(None, _slice(points, low, high), high)


def _slice(columns: Columns, start: int, stop: int) -> Columns:
    return Columns(columns.t[start:stop], columns.v[start:stop])


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)


@contextmanager
def packed(steps: Iterator[Change]) -> Iterator[Parcel]:
    """The parcel of a merge's steps."""
    with SpooledTemporaryFile(max_size=_MEMORY) as bodies:
        parcel = Parcel(bodies)
        for step in steps:
            parcel.add(step)
        yield parcel


class Parcel:
    """Packed blocks, the larger part of them in a temporary file, and the blocks they replace.

    ``growth`` is how many points the blocks hold more than those that go, ``taken`` how many of
    the points to be merged are in them.
    """

    def __init__(self, bodies: IO[bytes]) -> None:
        self.dropped: list[int] = []
        self.growth = 0
        self.taken = 0
        self._bodies = bodies
        self._heads: list[Block] = []
        self._sizes: list[tuple[int, int]] = []  # bytes of each block's times and values

    def blocks(self) -> Iterator[Block]:
        """The blocks, oldest first."""
        self._bodies.seek(0)
        for head, (times, values) in zip(self._heads, self._sizes):
            yield head._replace(times=self._bodies.read(times), values=self._bodies.read(values))

    def add(self, step: Change) -> None:
        """Pack the columns of a step."""
        self.taken = step.taken
        self.growth += len(step.columns.t)
        if step.drop is not None:
            self.dropped.append(step.drop.key)
            self.growth -= step.drop.size
        for piece in cut(step.columns):
            block = encode(piece)
            self._bodies.write(block.times + block.values)
            self._heads.append(block._replace(times=b"", values=b""))
            self._sizes.append((len(block.times), len(block.values)))
