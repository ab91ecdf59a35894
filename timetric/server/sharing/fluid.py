"""A chart that fills whatever room it is given, in parts of a hundred. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from timetric.display.scale import Mark, Scale, stretches
from timetric.points import Point

#: Marks at the edges at most; narrow and low windows show every second one.
_VALUES, _TIMES = 5, 6

_FINE = 1000  # the units of a path, from edge to edge


class Fluid(NamedTuple):
    """``path`` is the ``d`` of an SVG path in 1000 by 1000; marks are in percent from top left."""

    path: str
    values: list[Mark]
    times: list[Mark]

    @property
    def longest(self) -> str:
        """Of the values' labels, which all have to have room."""
        return max((mark.label for mark in self.values), key=len)


def fluid(points: Sequence[Point]) -> Fluid | None:
    """None where there is no number."""
    scale = Scale.of(points)
    if scale is None:
        return None
    scale, marks = scale.rounded(_VALUES)
    values = [Mark(100 - 100 * scale.y(mark.place), mark.label) for mark in marks]
    times = [Mark(100 * scale.x(mark.place), mark.label) for mark in scale.times(_TIMES)]
    lines = (
        [f"{_FINE * scale.x(t):.1f} {_FINE - _FINE * scale.y(v):.1f}" for t, v in line]
        for line in stretches(points, float("inf"))
    )
    # A dot is a line of no length, whose round ends show.
    return Fluid(
        "".join("M" + "L".join(line) + "h0" * (len(line) == 1) for line in lines), values, times
    )
