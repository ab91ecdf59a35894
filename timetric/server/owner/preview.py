"""What was understood of points that are not stored yet. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

import numpy as np

from timetric.display.scale import Scale, stretches
from timetric.points import Point
from timetric.server.columns import Columns, part, to_points
from timetric.server.intake import Upload
from timetric.server.thinning import thin

#: Points that are shown one by one, and drawn.
_FIRST, _DRAWN = 5, 400

#: The size of the drawing, in units of its own.
WIDTH, HEIGHT = 600, 120


class Preview(NamedTuple):
    """``rows`` came, of which ``points`` have timestamps of their own.

    ``words`` counts null, true and false; ``line`` is the path of a drawing, "" without numbers.
    """

    rows: int
    points: int
    words: int
    first: list[Point]
    last: Point
    least: float | None
    most: float | None
    line: str

    @property
    def others(self) -> int:
        """How many points are not shown one by one."""
        return self.points - len(self.first)


def understood(upload: Upload) -> Preview | None:
    """None where there are no points."""
    columns = upload.points
    size = len(columns.t)
    if not size:
        return None
    words = int(np.isnan(columns.v).sum())
    few = words == size
    return Preview(
        upload.rows,
        size,
        words,
        list(to_points(part(columns, 0, _FIRST))),
        next(to_points(part(columns, size - 1, size))),
        None if few else float(np.fmin.reduce(columns.v)),
        None if few else float(np.fmax.reduce(columns.v)),
        _line(columns),
    )


def _line(columns: Columns) -> str:
    def read(descending: bool) -> Iterator[Columns]:
        yield Columns(columns.t[::-1], columns.v[::-1]) if descending else columns

    points = list(to_points(thin(read, _DRAWN, "minmax")))
    scale = Scale.of(points)
    if scale is None:
        return ""
    places = [
        [f"{scale.x(t) * WIDTH:.1f} {(1 - scale.y(v)) * HEIGHT:.1f}" for t, v in line]
        for line in stretches(points, inf)
    ]
    return "".join(f"M{'L'.join(line if len(line) > 1 else line * 2)}" for line in places)
