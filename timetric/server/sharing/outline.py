"""What is drawn of a series: few points that look like all, with nulls where the line is broken."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timetric.points import Point
from timetric.server.columns import Columns, to_points
from timetric.server.overview import Thinned
from timetric.server.storage import Series, Storage, Window

#: How many of the longest holes between thinned points are looked into.
_HOLES = 50


def outline(storage: Storage, series: Series, window: Window, most: int) -> list[Point]:
    """All points of the window where they are no more than ``most``, or else so many numbers.

    Thinning leaves words out; where there were nothing but words for the length of a bin, there is
    a null between the numbers. Raises Rewritten, Damaged.
    """
    few = _points(storage.read(series, window._replace(limit=most + 1)))
    if len(few) <= most:
        return few
    pieces = Thinned(most, "minmax").page(storage, series, window).pieces
    [numbers] = pieces
    points = list(to_points(numbers))
    if len(points) < 2 or not storage.may_hold_words(series, window):
        return points
    nulls = [(t, None) for t in _breaks(storage, series, numbers, most)]
    return sorted([*points, *nulls], key=lambda point: point[0])


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
