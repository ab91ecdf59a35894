"""What is drawn of a series: few points that look like all, with nulls where the line is broken."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from timetric.points import Point
from timetric.server.columns import Columns, to_points
from timetric.server.overview import Thinned
from timetric.server.selection import SIDES
from timetric.server.storage import Rewritten, Series, Storage, Window
from timetric.server.stretches import Rows, cut, rows

#: How many of the longest holes between thinned points are looked into.
_HOLES = 50


def outline(storage: Storage, series: Series, window: Window, columns: int) -> list[Point]:
    """All points of the window where they are no more than two a column.

    Else the least and the greatest number of each column, and a null where the line is broken; they
    stand at the ends of the column, so this is for pictures only. Raises Rewritten, Damaged.
    """
    few = _points(storage.read(series, window._replace(limit=2 * columns + 1)))
    if len(few) <= 2 * columns:
        return few
    latest = SIDES["before"](storage, series, math.nextafter(window.end, -math.inf))
    assert latest is not None, "there are points in the window"
    start, end = few[0][0], math.nextafter(latest[0], math.inf)
    table = rows(storage.aggregate(series, Window(start, end), cut(start, end, columns)))
    _check_whole(storage, series)
    return list(_drawn(table))


def thinned(storage: Storage, series: Series, window: Window, most: int) -> list[Point]:
    """All points of the window where they are no more than ``most``, or else so many numbers.

    Thinning leaves words out; where there were nothing but words for the length of a bin, there is
    a null between the numbers. Raises Rewritten, Damaged.
    """
    few = _points(storage.read(series, window._replace(limit=most + 1)))
    if len(few) <= most:
        return few
    [numbers] = Thinned(most, "minmax").page(storage, series, window).pieces
    points = list(to_points(numbers))
    if len(points) < 2 or not storage.may_hold_words(series, window):
        return points
    nulls = [(t, None) for t in _breaks(storage, series, numbers, most)]
    _check_whole(storage, series)
    return sorted([*points, *nulls], key=lambda point: point[0])


def _drawn(table: Rows) -> Iterator[Point]:
    """Two points a column, of which the first is the nearer one to where the line has come."""
    here = 0.0
    columns = (table.first, table.final, table.minimum, table.maximum)
    for first, final, low, high in zip(*(column.tolist() for column in columns)):
        if low != low:  # a null
            yield first, None
            continue
        near, here = (low, high) if abs(low - here) <= abs(high - here) else (high, low)
        yield first, near
        if final > first:
            yield final, here


def _breaks(storage: Storage, series: Series, numbers: Columns, most: int) -> Iterator[float]:
    """Times between thinned numbers at which there is a word.

    A bin with numbers keeps one of them; so what stands more than a bin away from both is none.
    """
    t = numbers.t
    bin = (t[-1] - t[0]) / max(1, most // 2 - 1)
    holes = np.flatnonzero(np.diff(t) > 2 * bin)
    longest = holes[np.argsort(np.diff(t)[holes])[-_HOLES:]]
    for start, end in zip((t[longest] + bin).tolist(), (t[longest + 1] - bin).tolist()):
        for word, _ in _points(storage.read(series, Window(start, end, limit=1))):
            yield word


def _points(pieces: Iterator[Columns]) -> list[Point]:
    return [point for piece in pieces for point in to_points(piece)]


def _check_whole(storage: Storage, series: Series) -> None:
    if storage.series(series.id).generation != series.generation:
        raise Rewritten(f"the series {series.id} was rewritten while it was read")
