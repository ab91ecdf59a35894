"""The figures of all rounds as a table: medians, and how they compare with ours."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.measures import Measure

OURS = "timetric"

#: The figures of one measure: for each contender those of all rounds.
Figures = dict[str, list[float]]


class Row(NamedTuple):
    measure: Measure
    title: str
    figures: Figures


def as_text(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Columns with blanks between, a line a measure."""
    table = list(_table(rows, names))
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)
    return "".join(line + "\n" for line in lines)


def as_rst(rows: Sequence[Row], names: Sequence[str]) -> str:
    """A list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in _table(rows, names):
        lines += [f"   {'*' if at == 0 else ' '} - {cell}" for at, cell in enumerate(cells)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _table(rows: Sequence[Row], names: Sequence[str]) -> Iterator[list[str]]:
    yield ["", "unit", "wanted", *names]
    for row in rows:
        measure = row.measure
        wanted = "" if measure.wanted is None else f"at most {measure.wanted:g}"
        yield [row.title, measure.unit, wanted, *(_cell(row, name) for name in names)]


def _cell(row: Row, name: str) -> str:
    """Median, least and most of all rounds, and the ratio to ours."""
    figures = row.figures[name]
    if not figures:
        return ""
    cell = _number(statistics.median(figures))
    if len(figures) > 1:
        cell += f" ({_number(min(figures))} to {_number(max(figures))})"
    ours = row.figures.get(OURS)
    if name == OURS or not ours or row.measure.unit == "x":
        return cell
    return f"{cell}, {_number(_ratio(row.measure, figures, ours))}x"


def _ratio(measure: Measure, theirs: list[float], ours: list[float]) -> float:
    """How many times better we are; below 1 we are worse."""
    ratio = statistics.median(theirs) / statistics.median(ours)
    return 1 / ratio if measure.more_is_better else ratio


def _number(number: float) -> str:
    """Three digits, or all of a whole number."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
