"""A history in some few characters: ``▁▂▅▇▆▃``. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from timetric.display.scale import Scale, drawn
from timetric.points import Point

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"

_WIDTH = 8  # characters


def sparkline(points: Sequence[Point], levels: str = BLOCKS, width: int = _WIDTH) -> str:
    """Each character stands for an equal part of the time, and for the mean of its numbers.

    >>> sparkline([(0, 1.0), (1, 8.0), (2, 4.0)])
    '▁█▄'

    A part without numbers is a blank, and where there are no numbers at all the text is "".
    """
    scale = Scale.of(points)
    if scale is None:
        return ""
    width = min(width, len(points))
    parts: list[list[float]] = [[] for _ in range(width)]
    for t, v in points:
        number = drawn(v)
        if number is not None:
            parts[min(width - 1, int(scale.x(t) * width))].append(scale.y(number))
    return "".join(_level(part, levels) for part in parts)


def _level(heights: list[float], levels: str) -> str:
    if not heights:
        return " "
    height = sum(heights) / len(heights)
    return levels[min(len(levels) - 1, int(height * len(levels)))]
