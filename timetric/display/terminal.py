"""A chart of braille characters for a terminal, two by four dots each; or of ASCII. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timetric.display.scale import Mark, Scale, stretches
from timetric.points import Point

_BRAILLE = 0x2800
#: The bit of each dot of a character: by its row, from above, and its column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

_TIME_LABEL = 12  # columns that a mark of time takes, blanks included
_NOTHING = "no numbers to draw"


def terminal_chart(
    points: Sequence[Point],
    width: int,
    height: int,
    *,
    gap: float = float("inf"),
    ascii: bool = False,
) -> str:
    """Lines of at most ``width`` columns, ``height`` of them and two for the axis of time.

    Where there is no number for ``gap`` seconds there is no line either.
    """
    scale = Scale.of(points)
    if scale is None:
        return _NOTHING
    scale, values = scale.rounded(max(2, height // 3))
    label = max(len(mark.label) for mark in values)
    columns = max(8, width - label - 2)
    grid = _Grid(columns, height, scale, 1 if ascii else 2, 1 if ascii else 4)
    for line in stretches(points, gap):
        grid.line(line)
    rows = grid.rows("*" if ascii else "")
    return "\n".join(
        [*_with_values(rows, scale, values, label, ascii), *_times(grid, label, ascii)]
    )


class _Grid:
    """Dots, some to a character, counted from the upper left."""

    def __init__(self, columns: int, rows: int, scale: Scale, across: int, down: int) -> None:
        self.columns, self.scale = columns, scale
        self._rows, self._across, self._down = rows, across, down
        self._set: set[tuple[int, int]] = set()

    def line(self, places: Sequence[tuple[float, float]]) -> None:
        dots = [self._dot(t, v) for t, v in places]
        self._set.add(dots[0])
        for begin, end in zip(dots, dots[1:]):
            self._set.update(_between(begin, end))

    def column(self, t: float) -> int:
        return min(self.columns - 1, int(self.scale.x(t) * self.columns))

    def _dot(self, t: float, v: float) -> tuple[int, int]:
        across, down = self.columns * self._across - 1, self._rows * self._down - 1
        return round(self.scale.x(t) * across), round((1 - self.scale.y(v)) * down)

    def rows(self, sign: str = "") -> list[str]:
        cells = [[0] * self.columns for _ in range(self._rows)]
        for x, y in self._set:
            cells[y // self._down][x // self._across] |= _DOTS[y % self._down][x % self._across]
        return ["".join(_sign(cell, sign) for cell in row).rstrip() for row in cells]


def _sign(cell: int, sign: str) -> str:
    return (sign or chr(_BRAILLE + cell)) if cell else " "


def _between(begin: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The dots of a straight line."""
    (x, y), (to_x, to_y) = begin, end
    steps = max(abs(to_x - x), abs(to_y - y))
    if not steps:
        yield begin
    for step in range(steps + 1 if steps else 0):
        yield x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps)


def _with_values(
    rows: list[str], scale: Scale, marks: list[Mark], label: int, ascii: bool
) -> Iterator[str]:
    marked = {round((1 - scale.y(mark.place)) * (len(rows) - 1)): mark.label for mark in marks}
    axis, tick = "|+" if ascii else "│┤"
    for number, row in enumerate(rows):
        text = marked.get(number)
        yield f"{text or '':>{label}} {tick if text else axis}{row}"


def _times(grid: _Grid, label: int, ascii: bool) -> list[str]:
    """The axis, and under it the times that have room."""
    corner, line, tick = "+-+" if ascii else "└─┬"
    axis, texts = [line] * grid.columns, [" "] * grid.columns
    free = 0
    for mark in grid.scale.times(max(1, grid.columns // _TIME_LABEL)):
        column = grid.column(mark.place)
        begin = min(max(column - len(mark.label) // 2, 0), grid.columns - len(mark.label))
        if begin < free:
            continue
        axis[column] = tick
        texts[begin : begin + len(mark.label)] = mark.label
        free = begin + len(mark.label) + 2
    margin = " " * (label + 1)
    return [f"{margin}{corner}{''.join(axis)}", f"{margin} {''.join(texts).rstrip()}".rstrip()]
