"""Stretches: a history as a chart draws it, each column in a few numbers. Pure, NumPy.

A column of many points is drawn from their least, mean and greatest number. So a block that is
hardly wider than a column is drawn from its summary alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from timetric.server.aggregates import LARGE, Chosen, Partials, Summaries, mean, merged
from timetric.server.buckets import Places
from timetric.server.columns import EMPTY, Columns, Floats, is_word

#: How many columns the block has at most that is drawn from its summary alone.
_WIDEST = 2

#: How the parts of one stretch are put together. ``void`` and ``voided`` are where a null stands
#: first and last, infinite where none does; so is ``first`` where there is no number.
_TOGETHER: dict[str, Callable[..., Floats]] = {
    "first": np.minimum.reduceat,
    "final": np.maximum.reduceat,
    "minimum": np.minimum.reduceat,
    "maximum": np.maximum.reduceat,
    "total": np.add.reduceat,
    "scaled": np.add.reduceat,
    "numbers": np.add.reduceat,
    "void": np.minimum.reduceat,
    "voided": np.maximum.reduceat,
}


class Rows(NamedTuple):
    """Stretches, oldest first: of how many numbers, from which time to which, and what they are.

    One of no number is a null, at which the line of a chart is broken.
    """

    first: Floats
    final: Floats
    minimum: Floats
    mean: Floats
    maximum: Floats
    numbers: Floats

    def among(self, chosen: Chosen) -> Rows:
        """Some of them."""
        return Rows(*(column[chosen] for column in self))


class Stretches(NamedTuple):
    """An aggregation of what lies between each of these edges, in Unix seconds, and the next.

    The edges are ``width`` seconds apart. True counts as 1 and false as 0, as charts show them.
    """

    edges: Floats
    width: float

    def of_points(self, points: Columns) -> Partials:
        """Of sorted points."""
        if not len(points.t):
            return self.nothing()
        t, v = points.t, drawn(points.v)
        bounds = np.searchsorted(t, self.edges)
        held = np.diff(bounds, append=len(t)) > 0
        with np.errstate(over="ignore", invalid="ignore"):
            parts = _parts(t, v, bounds[held])
        return Partials(t[bounds[held]], self.edges[held], parts)

    def is_told(self, runs: Summaries) -> Chosen:
        """Of which runs the points need not be looked at.

        Those of two columns at most, of which a chart has enough then. Where a run
        ends with a word, or begins long after the one before it, a null may break the line; words
        within it are too close to numbers to be seen.
        """
        narrow = runs.final - runs.first <= _WIDEST * self.width
        near = np.diff(runs.first, prepend=-np.inf) <= 2 * _WIDEST * self.width
        known = ~np.isnan(runs.last) & ~np.isnan(runs.total)
        told: Chosen = narrow & near & known & (runs.numbers > 0)
        return told

    def of_summaries(self, runs: Summaries) -> Partials:
        """Of runs that are told; each belongs to where its middle is."""
        if not len(runs.first):
            return self.nothing()
        middle = runs.first + (runs.final - runs.first) / 2
        starts = self.edges[np.searchsorted(self.edges, middle, "right") - 1]
        known = {**runs._asdict(), "scaled": runs.total / LARGE}
        known |= _nowhere(len(runs.first))
        return Partials(runs.first, starts, tuple(known[name] for name in _TOGETHER))

    def together(self, partials: Sequence[Partials]) -> Partials:
        """Those of one stretch as one."""
        return merged(partials, _TOGETHER.values(), lambda t, places: t[places])

    def result(self, partials: Partials) -> Columns:
        """The parts of each stretch, which ``rows`` reads, in the place of a value."""
        return Columns(partials.starts, np.column_stack(partials.parts))

    def nothing(self) -> Partials:
        return Partials(EMPTY.t, EMPTY.t, tuple(EMPTY.v for _ in _TOGETHER))


def cut(start: float, end: float, most: int) -> Stretches:
    """So many stretches of equal time from ``start`` to ``end``, or one more.

    They begin at multiples of their width, so that they stay the same as a chart is moved along.
    """
    width = (end - start) / most
    begin = np.floor(start / width) * width
    edges = begin + width * np.arange(most + 2)
    edges[0] = min(edges[0], start)
    return Stretches(edges, width)


def rows(pieces: Iterable[Columns]) -> Rows:
    """What a read by stretches has found."""
    tables = [np.empty((0, len(_TOGETHER))), *(piece.v for piece in pieces)]
    found = dict(zip(_TOGETHER, np.concatenate(tables).T))
    held, broken = found["numbers"] > 0, found["void"] < found["first"]
    ended = held & (found["voided"] > found["final"])
    with np.errstate(over="ignore", invalid="ignore"):
        means = mean(found["total"], found["scaled"], found["numbers"])
    known = found | {"mean": means}
    numbers = Rows(*(known[name][held] for name in Rows._fields))
    return joined([_nulls(found["void"][broken]), numbers, _nulls(found["voided"][ended])])


def single(points: Columns) -> Rows:
    """Points as stretches, each of its own."""
    t, v = points.t, drawn(points.v)
    numbers = v == v
    at, value = t[numbers], v[numbers]
    alone = Rows(at, at, value, value, value, np.ones(len(at)))
    return joined([alone, _nulls(t[~numbers])])


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several reads as one, ordered; of nulls one after another the first."""
    table = Rows(*map(np.concatenate, zip(*parts)))
    order = np.argsort(table.first, kind="stable")
    table = Rows(*(column[order] for column in table))
    null = table.numbers == 0
    again = null[1:] & null[:-1]
    return table.among(np.append(np.full(min(len(null), 1), True), ~again))


def drawn(v: Floats) -> Floats:
    """Values as charts show them: true is 1, false 0, null no number."""
    if not np.isnan(v).any():
        return v
    return np.where(is_word(v, True), 1.0, np.where(is_word(v, False), 0.0, v))


def _parts(t: Floats, v: Floats, places: Places) -> tuple[Floats, ...]:
    """The parts of what stands from each place to the next."""
    numbers = v == v
    if numbers.all():
        return _parts_of_numbers(t, v, places)
    known = {
        "first": np.where(numbers, t, np.inf),
        "final": np.where(numbers, t, -np.inf),
        "minimum": np.where(numbers, v, np.inf),
        "maximum": np.where(numbers, v, -np.inf),
        "total": np.where(numbers, v, 0.0),
        "scaled": np.where(numbers, v, 0.0) / LARGE,
        "numbers": numbers.astype(np.float64),
        "void": np.where(numbers, np.inf, t),
        "voided": np.where(numbers, -np.inf, t),
    }
    return tuple(put(known[name], places) for name, put in _TOGETHER.items())


def _parts_of_numbers(t: Floats, v: Floats, places: Places) -> tuple[Floats, ...]:
    """The same where there are no words, in a third of the time."""
    bounds = np.append(places, len(t))
    total = np.add.reduceat(v, places)
    known = {
        "first": t[places],
        "final": t[bounds[1:] - 1],
        "minimum": np.minimum.reduceat(v, places),
        "maximum": np.maximum.reduceat(v, places),
        "total": total,
        "scaled": total / LARGE if np.isfinite(total).all() else np.add.reduceat(v / LARGE, places),
        "numbers": np.diff(bounds).astype(np.float64),
        **_nowhere(len(places)),
    }
    return tuple(known[name] for name in _TOGETHER)


def _nowhere(size: int) -> dict[str, Floats]:
    """That there is no null."""
    return {"void": np.full(size, np.inf), "voided": np.full(size, -np.inf)}


def _nulls(t: Floats) -> Rows:
    unknown = np.full(len(t), np.nan)
    return Rows(t, t, unknown, unknown, unknown, np.zeros(len(t)))
