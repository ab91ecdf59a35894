"""Reading what buckets come to: by the summaries of blocks, and by points where these won't do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, compress

import numpy as np

from timetric.server.aggregates import Aggregation, Partials, Summaries
from timetric.server.blocks import merge
from timetric.server.columns import EMPTY, Columns, from_points
from timetric.server.storage import Rewritten, Series, Window
from timetric.server.storage.engine import Engine
from timetric.server.storage.tables import Head, Packed, Tables

_MOST = 256  # blocks a piece of a read,
_DECODED = 64  # and how many of them are decoded

#: Decodes values while the reader decodes timestamps: pcodec lets go of the interpreter's lock.
_HELPERS = ThreadPoolExecutor(thread_name_prefix="decoding")


def aggregate(
    engine: Engine, series: Series, window: Window, aggregation: Aggregation
) -> Iterator[Columns]:
    """The buckets of a window, each whole, in reading order and pieces; its limit counts them."""
    left = math.inf if window.limit is None else window.limit
    order = slice(None, None, -1 if window.descending else 1)
    for partials in _whole(engine, series, window, aggregation):
        t, v = aggregation.result(partials)
        cut = slice(min(left, len(t)))
        left -= len(t)
        if len(t):
            yield Columns(t[order][cut], v[order][cut])
        if left <= 0:
            return


def _whole(
    engine: Engine, series: Series, window: Window, aggregation: Aggregation
) -> Iterator[Partials]:
    """Pieces of the answer; a bucket that the next piece may have more of is held back."""
    done, last = slice(-1), slice(-1, None)
    if window.descending:
        done, last = slice(1, None), slice(1)
    held = aggregation.nothing()
    for partials in _pieces(engine, series, window, aggregation):
        found = aggregation.together([held, *partials])
        held = found.cut(last)
        yield found.cut(done)
    yield held


def _pieces(
    engine: Engine, series: Series, window: Window, aggregation: Aggregation
) -> Iterator[list[Partials]]:
    """Each is read in a short transaction of its own. Raises Rewritten, Damaged."""
    generation = None
    while window.start < window.end:
        with engine.reading(series.key) as rows:
            seen, generation = generation, rows.state().generation
            survey = Survey(rows, window, aggregation)
        if seen not in (None, generation):
            raise Rewritten(f"the series {series.id} was rewritten while it was read")
        window = survey.rest
        yield survey.partials()


class Survey:
    """One piece of a read: the blocks and tail rows of an interval, as far as they are needed.

    Made within a transaction; ``partials`` is called after it.
    """

    def __init__(self, rows: Tables, window: Window, aggregation: Aggregation) -> None:
        self._asked, self._aggregation = window, aggregation
        heads = rows.heads(window.start, window.end, _MOST, descending=window.descending)
        if len(heads) == _MOST:
            window = _up_to(window, heads[-1])
        tail = from_points((row.t, row.value) for row in rows.tail(window.start, window.end))
        order = slice(None, None, -1 if window.descending else 1)
        keys = np.array([head[0] for head in heads], np.int64)[order]
        columns = np.array([head[1:] for head in heads], np.float64).reshape(-1, 7)[order].T
        runs = Summaries(*columns)
        touched = np.searchsorted(tail.t, runs.first) < np.searchsorted(tail.t, runs.final, "right")
        runs.forget(touched | (runs.first < window.start) | (runs.final >= window.end))
        told = aggregation.is_told(runs)
        kept = (np.cumsum(~told[order]) <= _DECODED)[order]
        if not kept.all():
            window = _up_to(window, heads[int(kept.sum()) - 1])
        self._reached, self._tail = window, tail
        self._runs = runs.among(kept & told)
        needed = kept & ~told
        self._blocks = rows.packed_blocks(keys[needed].tolist())
        self._touched = touched[needed]

    def partials(self) -> list[Partials]:
        """What is found of the interval's buckets. Raises Damaged."""
        alone = _decoded(list(compress(self._blocks, ~self._touched)))
        below = _decoded(list(compress(self._blocks, self._touched)))
        return [
            self._aggregation.of_summaries(self._runs),
            self._aggregation.of_points(self._within(alone)),
            self._aggregation.of_points(self._within(merge(below, self._tail))),
        ]

    @property
    def rest(self) -> Window:
        """What is still to be read."""
        if self._asked.descending:
            return self._asked._replace(end=self._reached.start)
        return self._asked._replace(start=self._reached.end)

    def _within(self, points: Columns) -> Columns:
        low, high = np.searchsorted(points.t, [self._reached.start, self._reached.end])
        return Columns(points.t[low:high], points.v[low:high])


def _up_to(window: Window, head: Head) -> Window:
    """The part of a window that ends, in reading order, with a block."""
    _, first, final, *_ = head
    if window.descending:
        return window._replace(start=max(window.start, first))
    return window._replace(end=min(window.end, math.nextafter(final, math.inf)))


def _decoded(blocks: list[Packed]) -> Columns:
    """The points of blocks, one after another. Raises Damaged."""
    if not blocks:
        return EMPTY
    bounds = [0, *accumulate(block.span.size for block in blocks)]
    t, v = np.empty(bounds[-1]), np.empty(bounds[-1])
    for block in blocks:
        block.check()
    parts = list(zip(blocks, bounds, bounds[1:]))

    def fill_values() -> None:
        for block, start, stop in parts:
            block.fill(v[start:stop], block.values)

    values = _HELPERS.submit(fill_values)
    for block, start, stop in parts:
        block.fill(t[start:stop], block.times)
    values.result()
    return Columns(t, v)
