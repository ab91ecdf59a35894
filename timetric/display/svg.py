"""A chart as SVG, without a script, on any background. Pure.

Texts and axes take the colour of what is around them (currentColor); only the line has its own,
by whether light or dark is preferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from timetric.display.scale import Mark, Scale, stretches
from timetric.points import Point

_STYLE = (
    ".timetric-line{stroke:#1a66c9;fill:#1a66c9}"
    "@media(prefers-color-scheme:dark){.timetric-line{stroke:#5aa2ff;fill:#5aa2ff}}"
)
_FONT = 'font-family="system-ui,sans-serif" font-size="11"'
_BELOW, _ABOVE, _RIGHT = 22.0, 8.0, 10.0  # pixels around the chart itself
_CHARACTER = 6.4  # pixels, of a digit
_TIME_LABEL, _VALUE_LABEL = 80, 36  # pixels for each


def svg_chart(
    points: Sequence[Point],
    label: str,
    *,
    width: int = 600,
    height: int = 180,
    gap: float = float("inf"),
) -> str:
    """``label`` says what it shows to those who can't see it.

    Where there is no number for ``gap`` seconds there is no line either.
    """
    scale = Scale.of(points)
    if scale is None:
        inside = f'<text x="10" y="24" fill="currentColor" {_FONT}>no numbers to draw</text>'
        return _framed(inside, label, width, 40)
    scale, values = scale.rounded(max(2, height // _VALUE_LABEL))
    left = 10 + _CHARACTER * max(len(mark.label) for mark in values)
    area = _Area(scale, left, width - left - _RIGHT, height - _ABOVE - _BELOW)
    times = scale.times(max(1, int(area.width // _TIME_LABEL)))
    inside = area.values(values) + area.times(times) + area.lines(points, gap)
    return _framed(inside, label, width, height)


def _framed(inside: str, label: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="max-width:100%;height:auto" role="img" '
        f'aria-label="{escape(label)}"><style>{_STYLE}</style>{inside}</svg>'
    )


class _Area:
    """Where the lines are, in pixels."""

    def __init__(self, scale: Scale, left: float, width: float, height: float) -> None:
        self.scale, self.left, self.width, self.height = scale, left, width, height

    def x(self, t: float) -> str:
        return f"{self.left + self.scale.x(t) * self.width:.1f}"

    def y(self, v: float) -> str:
        return f"{_ABOVE + (1 - self.scale.y(v)) * self.height:.1f}"

    def values(self, marks: list[Mark]) -> str:
        right = f"{self.left + self.width:.1f}"
        lines = "".join(f"M{self.left:.1f} {self.y(m.place)}H{right}" for m in marks)
        texts = "".join(
            f'<text x="{self.left - 6:.1f}" y="{self.y(m.place)}" dy=".35em">{m.label}</text>'
            for m in marks
        )
        return (
            f'<path d="{lines}" stroke="currentColor" stroke-opacity=".18" fill="none"/>'
            f'<g fill="currentColor" fill-opacity=".75" text-anchor="end" {_FONT}>{texts}</g>'
        )

    def times(self, marks: list[Mark]) -> str:
        base = _ABOVE + self.height
        lines = "".join(f"M{self.x(m.place)} {base:.1f}v4" for m in marks)
        texts = "".join(
            f'<text x="{self.x(m.place)}" y="{base + 16:.1f}" text-anchor="{self._anchor(m)}">'
            f"{m.label}</text>"
            for m in marks
        )
        return (
            f'<path d="{lines}" stroke="currentColor" stroke-opacity=".5" fill="none"/>'
            f'<g fill="currentColor" fill-opacity=".75" {_FONT}>{texts}</g>'
        )

    def _anchor(self, mark: Mark) -> str:
        """A label near the right edge ends at its mark, so that it is not cut off."""
        left_over = (1 - self.scale.x(mark.place)) * self.width + _RIGHT
        return "end" if left_over < _CHARACTER * len(mark.label) / 2 else "middle"

    def lines(self, points: Sequence[Point], gap: float) -> str:
        paths, dots = [], []
        for line in stretches(points, gap):
            places = [f"{self.x(t)} {self.y(v)}" for t, v in line]
            paths.append("M" + "L".join(places))
            if len(line) == 1:
                x, y = places[0].split()
                dots.append(f'<circle cx="{x}" cy="{y}" r="1.8" stroke="none"/>')
        return (
            f'<g class="timetric-line" stroke="#3b82d6" fill="#3b82d6"><path d="{"".join(paths)}" '
            f'style="fill:none" stroke-width="1.5" stroke-linejoin="round"/>{"".join(dots)}</g>'
        )
