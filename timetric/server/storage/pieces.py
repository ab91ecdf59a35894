"""How the points of a series are read: piece by piece, each in a short transaction of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from timetric.server.blocks import SIZE, merge
from timetric.server.columns import EMPTY, Columns, from_points
from timetric.server.storage import Rewritten, Series, Window
from timetric.server.storage.engine import Engine
from timetric.server.storage.parcel import Span
from timetric.server.storage.tables import Tables

_PIECE = 16  # blocks a piece


def read(engine: Engine, series: Series, window: Window) -> Iterator[Columns]:
    """The points of the window. Raises Rewritten, Damaged."""
    generation = None
    while window.start < window.end and window.limit != 0:
        with engine.reading(series.key) as rows:
            seen, generation = generation, rows.state().generation
            piece = Piece(rows, window)
        if seen not in (None, generation):
            raise Rewritten(f"the series {series.id} was rewritten while it was read")
        columns = piece.columns()
        window = piece.rest(len(columns.t))
        if len(columns.t):
            yield columns


class Piece:
    """One piece of a read: the blocks and tail rows of an interval."""

    def __init__(self, rows: Tables, window: Window) -> None:
        start, end, limit, descending = window
        most = _PIECE if limit is None else min(_PIECE, limit // (SIZE // 2) + 2)
        blocks = rows.packed(start, end, most, descending=descending)
        if len(blocks) == most and descending:
            start = max(start, blocks[-1].span.first)
        elif len(blocks) == most:
            end = min(end, _next(blocks[-1].span.final))
        self._asked = window
        self._blocks = blocks
        self._tail = rows.tail(start, end)
        self._start, self._end = start, end

    def columns(self) -> Columns:
        """Decoded and merged, in reading order; called after the transaction. Raises Damaged."""
        order = slice(None, None, -1 if self._asked.descending else 1)
        packed = [block.columns() for block in self._blocks[order]]
        old = Columns(*map(np.concatenate, zip(EMPTY, *packed)))
        t, v = merge(old, from_points((row.t, row.value) for row in self._tail))
        low, high = np.searchsorted(t, [self._start, self._end])
        cut = slice(None, self._asked.limit)
        return Columns(t[low:high][order][cut], v[low:high][order][cut])

    def rest(self, size: int) -> Window:
        """What is still to be read, when this piece gave ``size`` points."""
        limit = None if self._asked.limit is None else self._asked.limit - size
        if self._asked.descending:
            return self._asked._replace(end=self._start, limit=limit)
        return self._asked._replace(start=self._end, limit=limit)


def cut(engine: Engine, series: Series, window: Window) -> float | None:
    """The instant of the last point within the window's limit, where it leaves some out."""
    with engine.reading(series.key) as rows:
        near, left = _pass_blocks(rows, window)
    pieces = [piece.t for piece in read(engine, series, near._replace(limit=left + 1))]
    t = np.concatenate([EMPTY.t, *pieces])
    return float(t[left - 1]) if len(t) > left else None


def _pass_blocks(rows: Tables, window: Window) -> tuple[Window, int]:
    """The window after blocks that hold fewer points than its limit, and how many are left of it.

    They are counted with the tail's points before and among them, and not decoded.
    """
    start, end, limit, descending = window
    assert limit is not None, "there is a limit to count up to"
    spans = [span for span in rows.spans(start, end) if span.final >= start]
    fresh = np.array([row.t for row in rows.tail(start, end) if row.fresh])
    if descending:
        spans.reverse()
        edges = [span.first for span in spans]
        loose = len(fresh) - np.searchsorted(fresh, edges)
    else:
        edges = [_next(span.final) for span in spans]
        loose = np.searchsorted(fresh, edges)
    sizes = [_size(rows, span, start, end) for span in spans]
    counts = [0, *(np.cumsum(sizes) + loose).tolist()]
    passed = int(np.searchsorted(counts, limit)) - 1
    left = limit - int(counts[passed])
    if not passed:
        return window, left
    if descending:
        return window._replace(end=edges[passed - 1]), left
    return window._replace(start=edges[passed - 1]), left


def _size(rows: Tables, span: Span, start: float, end: float) -> int:
    """How many points a block holds in the interval; decoded only where it reaches beyond."""
    if start <= span.first and span.final < end:
        return span.size
    low, high = np.searchsorted(rows.block(span.key).t, [start, end])
    return int(high - low)


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)
