"""Where everything on a chart is, in pixels, whatever draws it. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from timetric.display.scale import Mark, Scale, stretches
from timetric.display.wording import plain
from timetric.points import Point

#: Pixels of letters: of the marks at the axes, and of the title.
SMALL, LARGE = 11, 13

_BELOW, _ABOVE, _SIDE = 22.0, 8.0, 10.0  # pixels around the lines
_HEADING = 26.0  # pixels of a title above them,
_LEAST = 100  # for which there is no room on charts that are lower
_TIME_LABEL, _VALUE_LABEL = 80, 36  # pixels for each
_CHARACTER = 6.1  # pixels, of a small digit
_WIDE, _BROAD, _NARROW = 1.0, 0.78, 0.56  # of letters, in parts of their height

Place = tuple[float, float]


class Text(NamedTuple):
    """Letters with their baseline at ``y``; ``anchor`` says which part of them is at ``x``."""

    x: float
    y: float
    text: str
    anchor: str = "start"


class Plan(NamedTuple):
    """A chart's parts. ``left`` to ``bottom`` are the edges of where the lines are.

    ``title`` and ``unit`` stand side by side. ``grid`` and ``values`` are at the marks of the
    values, ``ticks`` and ``times`` at those of the times. A line of one place is a dot.
    """

    width: int
    height: int
    left: float
    top: float
    right: float
    bottom: float
    title: str
    unit: str
    grid: Sequence[float] = ()
    values: Sequence[Text] = ()
    ticks: Sequence[float] = ()
    times: Sequence[Text] = ()
    lines: Sequence[Sequence[Place]] = ()

    @property
    def heading(self) -> Place:
        """Where the baseline of title and unit begins."""
        return _SIDE, self.top - _ABOVE - 6


def plan_of(
    points: Sequence[Point],
    width: int,
    height: int,
    *,
    gap: float = float("inf"),
    title: str = "",
    unit: str = "",
) -> Plan:
    """Where there is no number for ``gap`` seconds there is no line either.

    Without any number there are no marks. A title that is too long is cut.
    """
    right, bottom = width - _SIDE, height - _SIDE
    title, unit = fitted(title, unit, right - _SIDE) if height >= _LEAST else ("", "")
    top = _ABOVE + (_HEADING if title else 0.0)
    blank = Plan(width, height, _SIDE, top, right, bottom, title, unit)
    scale = Scale.of(points)
    return blank if scale is None else _filled(blank, scale, points, gap)


def _filled(blank: Plan, scale: Scale, points: Sequence[Point], gap: float) -> Plan:
    """With marks and lines, and the room that the marks take."""
    bottom = blank.height - _BELOW
    scale, values = scale.rounded(max(2, int(bottom - blank.top) // _VALUE_LABEL + 1))
    left = _SIDE + 6 + _CHARACTER * max(len(mark.label) for mark in values)
    times = scale.times(max(1, int((blank.right - left) // _TIME_LABEL)))
    area = _Area(scale, left, blank.top, blank.right, bottom)
    return blank._replace(
        left=left,
        bottom=bottom,
        grid=[area.y(mark.place) for mark in values],
        values=[area.at_value(mark) for mark in values],
        ticks=[area.x(mark.place) for mark in times],
        times=[area.at_time(mark) for mark in times],
        lines=[[(area.x(t), area.y(v)) for t, v in line] for line in stretches(points, gap)],
    )


class _Area(NamedTuple):
    """What is shown, and between which edges."""

    scale: Scale
    left: float
    top: float
    right: float
    bottom: float

    def x(self, t: float) -> float:
        return self.left + self.scale.x(t) * (self.right - self.left)

    def y(self, v: float) -> float:
        return self.bottom - self.scale.y(v) * (self.bottom - self.top)

    def at_value(self, mark: Mark) -> Text:
        return Text(self.left - 6, self.y(mark.place) + SMALL * 0.35, mark.label, "end")

    def at_time(self, mark: Mark) -> Text:
        """One near the right edge ends at its mark, so that it is not cut off."""
        x = self.x(mark.place)
        is_last = self.right + _SIDE - x < _CHARACTER * len(mark.label) / 2 + 4
        return Text(x, self.bottom + 16, mark.label, "end" if is_last else "middle")


def fitted(title: str, unit: str, width: float) -> tuple[str, str]:
    """Title and unit, as much of them as there is room for beside each other.

    >>> fitted("Office power", "kW", 200), fitted("Office power", "kW", 80)
    (('Office power', 'kW'), ('Offi…', 'kW'))
    """
    unit = _cut(plain(unit), width / 3)
    return _cut(plain(title), width - (_length(unit) + LARGE if unit else 0)), unit


def _cut(text: str, width: float) -> str:
    if _length(text) <= width:
        return text
    while text and _length(text) + LARGE > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _length(text: str) -> float:
    """About how many pixels a text of large letters is long; rather too many than too few."""
    return LARGE * sum(map(_breadth, text))


def _breadth(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return _WIDE
    return _BROAD if sign.isupper() or sign in "mw%@" else _NARROW
