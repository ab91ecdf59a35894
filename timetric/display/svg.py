"""Charts as SVG, without a script: on any background, or on one of their own. Pure.

Texts and axes take the colour of what is around them (currentColor); only the line has its own,
by whether light or dark is preferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from timetric.display.look import DARK, LIGHT, Look
from timetric.display.plan import LARGE, SMALL, Place, Plan, Text, plan_of
from timetric.display.scale import Scale, stretches
from timetric.display.wording import plain
from timetric.points import Point

NOTHING = "no numbers to draw"

_PLAIN = "#3b82d6"  # of the line, where the style is taken away


def _line(look: Look) -> str:
    return f".timetric-line{{stroke:{look.line};fill:{look.line}}}"


def _alone(look: Look) -> str:
    """The rules of a picture that is a file of its own."""
    return f"svg{{color:{look.text}}}.timetric-ground{{fill:{look.ground}}}{_line(look)}"


def _either(light: str, dark: str) -> str:
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


_AROUND = _either(_line(LIGHT), _line(DARK))
#: By whether a picture is to be dark; None is what its reader prefers.
_STYLES = {
    None: _either(_alone(LIGHT), _alone(DARK)),
    False: _alone(LIGHT),
    True: _alone(DARK),
}
_FONT = f'font-family="system-ui,sans-serif" font-size="{SMALL}"'
_TITLE = f'font-family="system-ui,sans-serif" font-size="{LARGE}"'


def svg_chart(
    points: Sequence[Point],
    label: str,
    *,
    width: int = 600,
    height: int = 180,
    gap: float = float("inf"),
) -> str:
    """Part of a page. ``label`` says what it shows to those who can't see it.

    Where there is no number for ``gap`` seconds there is no line either.
    """
    plan = plan_of(points, width, height, gap=gap)
    fluid = ' style="max-width:100%;height:auto"'
    if not plan.lines:
        inside = f'<text x="10" y="24" fill="currentColor" {_FONT}>{NOTHING}</text>'
        return _framed(inside, label, width, 40, _AROUND, fluid)
    return _framed(_marks(plan) + _lines(plan.lines), label, width, height, _AROUND, fluid)


def svg_picture(plan: Plan, label: str, *, dark: bool | None = None, nothing: str = NOTHING) -> str:
    """A file of its own, with a ground. ``nothing`` stands where there are no numbers."""
    ground = f'<rect class="timetric-ground" width="{plan.width}" height="{plan.height}"/>'
    inside = _marks(plan) + _lines(plan.lines) if plan.lines else _said(nothing, plan)
    parts = ground + _heading(plan) + inside
    return _framed(parts, label, plan.width, plan.height, _STYLES[dark])


def svg_sparkline(
    points: Sequence[Point], label: str, width: int, height: int, dark: bool | None = None
) -> str:
    """A line and nothing else, also a file of its own; on any background."""
    return _framed(_lines(_small(points, width, height)), label, width, height, _STYLES[dark])


def _small(points: Sequence[Point], width: int, height: int) -> list[list[Place]]:
    scale, edge = Scale.of(points), 2.0
    if scale is None:
        return []
    across, up = width - 2 * edge, height - 2 * edge
    return [
        [(edge + scale.x(t) * across, height - edge - scale.y(v) * up) for t, v in line]
        for line in stretches(points, float("inf"))
    ]


def _framed(
    inside: str, label: str, width: int, height: int, style: str, attributes: str = ""
) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"{attributes} role="img" '
        f'aria-label="{escape(plain(label))}"><style>{style}</style>{inside}</svg>'
    )


def _heading(plan: Plan) -> str:
    if not plan.title:
        return ""
    x, y = plan.heading
    unit = f'<tspan dx="8" fill-opacity=".75" font-weight="400">{escape(plan.unit)}</tspan>'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor" font-weight="600" {_TITLE}>'
        f"{escape(plan.title)}{unit if plan.unit else ''}</text>"
    )


def _said(text: str, plan: Plan) -> str:
    x, y = plan.width / 2, (plan.top + plan.bottom) / 2
    where = f'x="{x:.1f}" y="{y:.1f}" dy=".35em" text-anchor="middle"'
    return f'<text {where} fill="currentColor" fill-opacity=".75" {_FONT}>{escape(text)}</text>'


def _marks(plan: Plan) -> str:
    grid = "".join(f"M{plan.left:.1f} {y:.1f}H{plan.right:.1f}" for y in plan.grid)
    ticks = "".join(f"M{x:.1f} {plan.bottom:.1f}v4" for x in plan.ticks)
    texts = "".join(map(_text, [*plan.values, *plan.times]))
    return (
        f'<path d="{grid}" stroke="currentColor" stroke-opacity=".18" fill="none"/>'
        f'<path d="{ticks}" stroke="currentColor" stroke-opacity=".5" fill="none"/>'
        f'<g fill="currentColor" fill-opacity=".75" {_FONT}>{texts}</g>'
    )


def _text(text: Text) -> str:
    anchor = f' text-anchor="{text.anchor}"'
    return f'<text x="{text.x:.1f}" y="{text.y:.1f}"{anchor}>{text.text}</text>'


def _lines(lines: Sequence[Sequence[Place]]) -> str:
    paths = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in lines)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" stroke="none"/>'
        for (x, y), *more in lines
        if not more
    )
    return (
        f'<g class="timetric-line" stroke="{_PLAIN}" fill="{_PLAIN}"><path d="{paths}" fill="none" '
        f'stroke-width="1.5" stroke-linejoin="round"/>{dots}</g>'
    )
