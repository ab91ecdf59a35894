"""What the numbers in a bucket come to: mean, min, max, sum, count, first, last. Pure, NumPy.

Only numbers count, never words. A long read meets a bucket in several places: it gathers partials,
one for each bucket and place, and puts those of one bucket together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from timetric.server.buckets import Buckets, Places, split
from timetric.server.columns import EMPTY, Columns, Floats, box

#: Totals are kept in units of this too, in which they can't be past a double's range.
LARGE = 2.0**64

#: Which rows.
Chosen = NDArray[np.bool_]


class Summaries(NamedTuple):
    """What is known of runs of points, a row each, ordered by time; NaN where something is not.

    A run has points from ``first`` to ``final``, both included; ``last`` is the final value, where
    that is a number.
    """

    first: Floats
    final: Floats
    last: Floats
    minimum: Floats
    maximum: Floats
    total: Floats
    numbers: Floats

    def among(self, chosen: Chosen) -> Summaries:
        """Some of them."""
        return Summaries(*(column[chosen] for column in self))

    def forget(self, chosen: Chosen) -> None:
        """Know nothing more of some of them than where they lie."""
        for column in self[2:]:
            column[chosen] = np.nan


class Partials(NamedTuple):
    """What was found of some buckets, a row each, ordered by time.

    ``t`` is the first instant that was looked at, or for the aggregate ``last`` the last one, and
    ``starts`` when the bucket begins; ``parts`` are columns of what the aggregate needs.
    """

    t: Floats
    starts: Floats
    parts: tuple[Floats, ...]

    def cut(self, rows: slice) -> Partials:
        """Some of them."""
        return Partials(
            self.t[rows], self.starts[rows], tuple(column[rows] for column in self.parts)
        )


class Aggregation(Protocol):
    """What a long read makes of points, and of the summaries of those that it does not look at."""

    def of_points(self, points: Columns) -> Partials:
        """Of sorted points."""

    def is_told(self, runs: Summaries) -> Chosen:
        """Of which runs the points need not be looked at."""

    def of_summaries(self, runs: Summaries) -> Partials:
        """Of runs that are told."""

    def together(self, partials: Sequence[Partials]) -> Partials:
        """Those of one bucket as one."""

    def result(self, partials: Partials) -> Columns:
        """What each bucket comes to, a row each."""

    def nothing(self) -> Partials: ...


class Part(NamedTuple):
    """Something to know of numbers: of those from each place to the next, and put together."""

    of_numbers: Callable[[Floats, Places], Floats]
    together: Callable[[Floats, Places], Floats]


def _first(column: Floats, places: Places) -> Floats:
    return column[places]


def _last(column: Floats, places: Places) -> Floats:
    ends: Places = np.append(places[1:], len(column)) - 1
    return column[ends]


def _count(numbers: Floats, places: Places) -> Floats:
    counts: Floats = np.diff(places, append=len(numbers)).astype(np.float64)
    return counts


def _total(numbers: Floats, places: Places) -> Floats:
    total: Floats = np.add.reduceat(numbers, places)
    return total


def _scaled(numbers: Floats, places: Places) -> Floats:
    total: Floats = _total(numbers, places) / LARGE
    if np.isfinite(total).all():
        return total
    return _total(numbers / LARGE, places)


_PARTS = {
    "minimum": Part(np.minimum.reduceat, np.minimum.reduceat),
    "maximum": Part(np.maximum.reduceat, np.maximum.reduceat),
    "total": Part(_total, _total),
    "scaled": Part(_scaled, _total),
    "numbers": Part(_count, _total),
    "first": Part(_first, _first),
    "last": Part(_last, _last),
}


class Aggregate(NamedTuple):
    """The parts that are needed, and what they come to."""

    parts: tuple[str, ...]
    result: Callable[..., Floats]


def _same(part: Floats) -> Floats:
    return part


def _sum(total: Floats, scaled: Floats) -> Floats:
    """Null where it is past a double's range; on the way there it may well be."""
    found = np.where(np.isfinite(total), total, scaled * LARGE)
    return np.where(np.isfinite(found), found, box(None))


def mean(total: Floats, scaled: Floats, numbers: Floats) -> Floats:
    return np.where(np.isfinite(total), total / numbers, scaled / numbers * LARGE)


AGGREGATES = {
    "mean": Aggregate(("total", "scaled", "numbers"), mean),
    "min": Aggregate(("minimum",), _same),
    "max": Aggregate(("maximum",), _same),
    "sum": Aggregate(("total", "scaled"), _sum),
    "count": Aggregate(("numbers",), _same),
    "first": Aggregate(("first",), _same),
    "last": Aggregate(("last",), _same),
}


def merged(
    partials: Sequence[Partials],
    puts: Collection[Callable[..., Floats]],
    instants: Callable[[Floats, Places], Floats],
) -> Partials:
    """Those that begin at the same time as one; a function for each part puts its column together.

    ``instants`` picks the time of each from those that come together.
    """
    t = np.concatenate([found.t for found in partials])
    if not len(t):
        return Partials(EMPTY.t, EMPTY.t, tuple(EMPTY.v for _ in puts))
    order = np.argsort(t, kind="stable")
    starts = np.concatenate([found.starts for found in partials])[order]
    places = np.flatnonzero(np.diff(starts, prepend=-np.inf))
    columns = zip(*(found.parts for found in partials))
    with np.errstate(over="ignore", invalid="ignore"):
        parts = tuple(
            put(np.concatenate(column)[order], places) for put, column in zip(puts, columns)
        )
    return Partials(instants(t[order], places), starts[places], parts)


class Bucketing(NamedTuple):
    """Which buckets, and what is asked of the numbers in each: a key of AGGREGATES."""

    buckets: Buckets
    name: str

    def of_points(self, points: Columns) -> Partials:
        """Of sorted points."""
        t, v = points
        if np.isnan(v).any():
            t, v = t[v == v], v[v == v]
        if not len(t):
            return self.nothing()
        places, starts = split(self.buckets, t)
        with np.errstate(over="ignore", invalid="ignore"):
            parts = tuple(_PARTS[name].of_numbers(v, places) for name in self._parts)
        return Partials(self._instants(t, places), starts, parts)

    def is_told(self, runs: Summaries) -> Chosen:
        """Of which runs the points need not be looked at."""
        if not len(runs.first):
            return np.zeros(0, np.bool_)
        ends = np.column_stack((runs.first, runs.final)).ravel()
        begun, ended = self.buckets.numbers(ends).reshape(-1, 2).T
        told: Chosen = ~np.isnan(self._columns(runs)).any(axis=0) | (runs.numbers == 0)
        if self.name == "first":  # not where a number stands before it in the bucket
            told[1:] |= (ended[:-1] == begun[1:]) & ~np.isnan(runs.last[:-1])
        told &= begun == ended
        return told

    def of_summaries(self, runs: Summaries) -> Partials:
        """Of runs that are told."""
        columns = self._columns(runs)
        useful = (runs.numbers > 0) & ~np.isnan(columns).any(axis=0)
        if not useful.any():
            return self.nothing()
        t = runs.final[useful] if self.name == "last" else runs.first[useful]
        numbers = self.buckets.numbers(t)
        return Partials(t, self.buckets.starts(numbers), tuple(columns[:, useful]))

    def together(self, partials: Sequence[Partials]) -> Partials:
        """Those of one bucket as one."""
        puts = [_PARTS[name].together for name in self._parts]
        return merged(partials, puts, self._instants)

    def result(self, partials: Partials) -> Columns:
        """What each bucket comes to, stamped with its beginning."""
        with np.errstate(over="ignore", invalid="ignore"):
            return Columns(partials.starts, AGGREGATES[self.name].result(*partials.parts))

    def nothing(self) -> Partials:
        return Partials(EMPTY.t, EMPTY.t, tuple(EMPTY.v for _ in self._parts))

    @property
    def _parts(self) -> tuple[str, ...]:
        return AGGREGATES[self.name].parts

    def _instants(self, t: Floats, places: Places) -> Floats:
        return (_last if self.name == "last" else _first)(t, places)

    def _columns(self, runs: Summaries) -> NDArray[np.float64]:
        """The parts that the summaries tell, a row each."""
        unknown = np.full(len(runs.first), np.nan)
        known = {**runs._asdict(), "scaled": runs.total / LARGE, "first": unknown}
        return np.array([known[name] for name in self._parts])
