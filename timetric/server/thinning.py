"""Thinning: as few points as a chart has room for, which look like all of them. Pure, NumPy.

Both methods keep the first number and the last, cut the time between into bins of equal length and
keep of each what stands out. Words are left out. A history is read piece by piece, so what is held
in memory depends on how many points are kept, and not on how many there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from timetric.server.buckets import Integers, split
from timetric.server.columns import EMPTY, Columns, Floats

#: Gives a history in pieces, oldest first, or latest first when told so; each call reads it anew.
Read = Callable[[bool], Iterator[Columns]]
#: Gives what lies between the first number and the last.
Inner = Callable[[], Iterator[Columns]]


class Spot(NamedTuple):
    """A place on the chart."""

    t: float
    v: float


class Bins(NamedTuple):
    """Buckets, each from one edge to the next."""

    edges: Floats

    def numbers(self, t: Floats) -> Integers:
        numbers: Integers = np.searchsorted(self.edges, t, side="right") - 1
        return numbers

    def starts(self, numbers: Integers) -> Floats:
        return self.edges[numbers]


def thin(read: Read, most: int, method: str) -> Columns:
    """At most so many numbers of a history, 2 or more; all of them where they are no more.

    ``method`` is a key of METHODS.
    """
    latest = next(_numbers(read(True)), None)
    few = _joined(_begun(_numbers(read(False)), most))
    if latest is None or len(few.t) <= most:
        return few
    first, last = _first(few), _first(latest)

    def inner() -> Iterator[Columns]:
        for t, v in _numbers(read(False)):
            low, high = np.searchsorted(t, first.t, "right"), np.searchsorted(t, last.t)
            if low < high:
                yield Columns(t[low:high], v[low:high])

    with np.errstate(over="ignore", invalid="ignore"):
        found = METHODS[method](inner, first, last, most - 2)
    ends = [Columns(np.array([spot.t]), np.array([spot.v])) for spot in (first, last)]
    return _joined([ends[0], found, ends[1]])


def _minmax(inner: Inner, first: Spot, last: Spot, most: int) -> Columns:
    """The least and the greatest number of each bin."""
    if most < 2:
        return EMPTY
    bins = Bins(np.linspace(first.t, last.t, most // 2 + 1))
    return _extremes(bins, _joined(_extremes(bins, piece) for piece in inner()))


def _extremes(bins: Bins, points: Columns) -> Columns:
    """Of each bin the first of the least numbers, and of the greatest."""
    t, v = points
    if not len(t):
        return points
    places = split(bins, t).places
    sizes = np.diff(places, append=len(t))
    kept = np.zeros(len(t), np.bool_)
    for extreme in (np.minimum.reduceat(v, places), np.maximum.reduceat(v, places)):
        hits = np.flatnonzero(v == np.repeat(extreme, sizes))
        kept[hits[np.searchsorted(hits, places)]] = True
    return Columns(t[kept], v[kept])


def _lttb(inner: Inner, first: Spot, last: Spot, most: int) -> Columns:
    """Largest triangle, three buckets (Steinarsson 2013).

    Of each bin the point that makes the largest triangle with the one kept before it and the
    middle of the bin after it.
    """
    if most < 1:
        return EMPTY
    bins = Bins(np.linspace(first.t, last.t, most + 1))
    numbers, middles = _middles(bins, inner())
    middles.append(last)
    kept = [first]
    for number, parts in groupby(_parts(bins, inner()), key=itemgetter(0)):
        ahead = middles[bisect_right(numbers, number)]
        candidates = [_farthest(part, kept[-1], ahead) for _, part in parts]
        kept.append(max(candidates, key=itemgetter(0))[1])
    return Columns(*(np.array(column[1:]) for column in zip(*kept)))


def _middles(bins: Bins, pieces: Iterator[Columns]) -> tuple[list[int], list[Spot]]:
    """The bins that hold points, and the mean of the points in each."""
    begin = bins.edges[0]
    totals = np.zeros((3, len(bins.edges) - 1))
    for t, v in pieces:
        places = split(bins, t).places
        sizes = np.diff(places, append=len(t))
        sums = [np.add.reduceat(column, places) for column in (t - begin, v)]
        totals[:, bins.numbers(t[places])] += [sizes, *sums]
    numbers = np.flatnonzero(totals[0])
    sizes, t, v = totals[:, numbers]
    return numbers.tolist(), list(map(Spot, (begin + t / sizes).tolist(), (v / sizes).tolist()))


def _parts(bins: Bins, pieces: Iterator[Columns]) -> Iterator[tuple[int, Columns]]:
    """The points bin by bin, those of one bin perhaps in several parts."""
    for t, v in pieces:
        places = split(bins, t).places
        numbers = bins.numbers(t[places]).tolist()
        for number, start, stop in zip(numbers, places, [*places[1:], len(t)]):
            yield number, Columns(t[start:stop], v[start:stop])


def _farthest(points: Columns, before: Spot, ahead: Spot) -> tuple[float, Spot]:
    """The point that makes the largest triangle with two others, and twice the area of it."""
    t, v = points
    areas = np.abs((before.t - ahead.t) * (v - before.v) - (before.t - t) * (ahead.v - before.v))
    at = int(np.argmax(areas))
    return float(areas[at]), Spot(float(t[at]), float(v[at]))


#: How the points of a bin are chosen; the first is the default.
METHODS: dict[str, Callable[[Inner, Spot, Spot, int], Columns]] = {
    "minmax": _minmax,
    "lttb": _lttb,
}


def _numbers(pieces: Iterable[Columns]) -> Iterator[Columns]:
    """The pieces without words, and only those in which something is left."""
    for t, v in pieces:
        numbers = v == v
        if numbers.any():
            yield Columns(t[numbers], v[numbers])


def _first(points: Columns) -> Spot:
    return Spot(float(points.t[0]), float(points.v[0]))


def _begun(pieces: Iterator[Columns], most: int) -> Iterator[Columns]:
    """The first pieces, as far as they hold more points than so many."""
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece.t)
        if size > most:
            return


def _joined(pieces: Iterable[Columns]) -> Columns:
    return Columns(*map(np.concatenate, zip(EMPTY, *pieces)))
