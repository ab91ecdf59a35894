"""How a foreign CSV file seems to be written, and what can't be told from it. Pure.

Nothing is guessed between two readings that both fit: these are doubts, for a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from timetric.exceptions import BadRequest, InvalidPoint
from timetric.layout import CLOCK, NUMERIC_DATE, Layout, Row, dates, read_value, rows
from timetric.timestamps import parse_number, to_timestamp

#: In this order: a decimal comma makes a file of semicolons look like one of commas.
DELIMITERS = ("\t", ";", "|", ",")

_MOST = 0.8  # of the cells of a column decide what it is
_SAMPLE = 200  # rows that a column is judged by
_COMMA_ALONE = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)


class Doubt(NamedTuple):
    """What the file leaves open: the field, its answers and what to ask."""

    field: str
    answers: Mapping[str, Any]
    question: str


class Guess(NamedTuple):
    layout: Layout
    header: list[str]  # the names of all columns; "" for those without
    doubts: list[Doubt]


def guess(text: str, given: Mapping[str, Any]) -> Guess:
    """What a file's text seems to be, with what is given already, by Layout's names.

    Columns are given by name, or number from 1. Raises BadRequest where no column of times and
    one of values are found.
    """
    delimiter = given.get("delimiter") or _delimiter(text)
    found = rows(text, delimiter)
    width = _width(found)
    body = [row for row in found if len(row.cells) == width]
    if width < 2:
        raise BadRequest("no two columns are found; say how they are parted: --delimiter")
    time = _time_column(body, width, given)
    skip, header = _header(found, time, width)
    if given.get("time"):
        time = column(given["time"], header)
    if given.get("header") is not None:
        skip = int(given["header"])
    body = [row for row in found[skip:] if len(row.cells) == width]
    clock = _clock_column(body, width, time)
    layout = Layout(delimiter, skip, time, clock=clock, tz=given.get("tz") or "UTC", width=width)
    doubts = [
        _values(body, width, layout, header, given),
        _orders(body, time, given),
    ]
    layout = _settled(layout, doubts)
    open_ones = [doubt for doubt in doubts if len(doubt.answers) > 1]
    if any(doubt.field == "value" for doubt in open_ones):
        return Guess(layout, header, open_ones)  # the decimal sign is that column's
    decimal = _decimals(body, layout.value, given)
    layout = _settled(layout, [decimal])
    return Guess(layout, header, open_ones + ([decimal] if len(decimal.answers) > 1 else []))


def _settled(layout: Layout, doubts: Sequence[Doubt]) -> Layout:
    """With the answers of all that have one only."""
    sure = {d.field: next(iter(d.answers.values())) for d in doubts if len(d.answers) == 1}
    return layout._replace(**sure)


def column(name: str, header: Sequence[str]) -> int:
    """By its name in the header, or its number from 1. Raises BadRequest."""
    if name in header:
        return header.index(name)
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(header):
        return int(name) - 1
    raise BadRequest(f"there is no column {name!r}; there are {', '.join(_names(header))}")


def _names(header: Sequence[str]) -> list[str]:
    return [name or str(number) for number, name in enumerate(header, 1)]


def _delimiter(text: str) -> str:
    """The first by which most rows have as many columns, one of them of times."""
    head = "\n".join(text.splitlines()[:_SAMPLE])
    for delimiter in DELIMITERS:
        found = rows(head, delimiter)
        width = _width(found)
        body = [row for row in found if len(row.cells) == width]
        if width > 1 and any(_is_time(body, number) for number in range(width)):
            return delimiter
    raise BadRequest("no column of times is found; say how columns are parted: --delimiter")


def _width(found: Sequence[Row]) -> int:
    counts = Counter(len(row.cells) for row in found)
    return counts.most_common(1)[0][0] if counts else 0


def _share(body: Sequence[Row], number: int, test: Any) -> float:
    cells = [row.cells[number] for row in body[: _SAMPLE + 1]][-_SAMPLE:]
    return sum(1 for cell in cells if test(cell)) / len(cells) if cells else 0.0


def _is_time(body: Sequence[Row], number: int) -> bool:
    few = 0.5 if len(body) < 6 else _MOST  # a header is one of two rows
    return _share(body, number, is_time) >= few


def is_time(cell: str) -> bool:
    """Dates, and numbers that are Unix seconds or milliseconds from 1980 on, or YYYYMMDD."""
    number = parse_number(cell)
    if number is not None:
        digits = cell.partition(".")[0]
        return bool(re.fullmatch(r"(19|20)\d{6}|\d{9,10}|\d{12,13}", digits))
    if dates(cell):
        return True
    try:
        to_timestamp(cell)
    except InvalidPoint:
        return False
    return True


def _time_column(body: Sequence[Row], width: int, given: Mapping[str, Any]) -> int:
    for number in range(width):
        if _is_time(body, number):
            return number
    if given.get("time"):
        return 0
    raise BadRequest("no column of times is found; name it: --time COLUMN")


def _header(found: Sequence[Row], time: int, width: int) -> tuple[int, list[str]]:
    """How many rows stand ahead of the points, and the names of the last of them."""
    skip = 0
    for row in found:
        if len(row.cells) == width and _starts(row.cells[time]):
            break
        skip += 1
    last = found[skip - 1].cells if skip else []
    return skip, (list(last) if len(last) == width else [""] * width)


def _starts(cell: str) -> bool:
    """Whether points begin here: a day that there is not is a bad row, and no header."""
    return is_time(cell) or NUMERIC_DATE.fullmatch(cell) is not None


def _clock_column(body: Sequence[Row], width: int, time: int) -> int | None:
    if _share(body, time, lambda cell: ":" in cell or parse_number(cell) is not None) > 0:
        return None
    clocks = (n for n in range(width) if _share(body, n, CLOCK.fullmatch) >= _MOST)
    return next(clocks, None)


def _values(
    body: Sequence[Row], width: int, layout: Layout, header: Sequence[str], given: Mapping[str, Any]
) -> Doubt:
    others = [n for n in range(width) if n not in (layout.time, layout.clock)]
    if given.get("value"):
        others = [column(given["value"], header)]
    else:
        others = [n for n in others if _share(body, n, _is_value) >= _MOST]
    if not others:
        raise BadRequest("no column of numbers is found; name it: --column COLUMN")
    names = _names(header)
    answers = {names[n]: n for n in others}
    if len(answers) < len(others):  # two columns of one name
        answers = {str(n + 1): n for n in others}
    return Doubt("value", answers, "which column has the values")


def _is_value(cell: str) -> bool:
    return any(_reads(cell, decimal) for decimal in ".,")


def _reads(cell: str, decimal: str) -> bool:
    try:
        read_value(cell, decimal)
    except InvalidPoint:
        return False
    return True


def _orders(body: Sequence[Row], time: int, given: Mapping[str, Any]) -> Doubt:
    """The orders that fit all dates of three numbers; a row that fits none is a bad one."""
    example = next((row.cells[time] for row in body if dates(row.cells[time])), "")
    question = f"which order have dates such as {example}, since all fit several"
    if given.get("order"):
        return Doubt("order", {given["order"]: given["order"]}, question)
    fitting = [set(orders) for row in body if (orders := dates(row.cells[time]))]
    left = set.intersection(*fitting) if fitting else {"ymd"}
    if not left:
        raise BadRequest("some dates can only be day-month and others month-day; give --order")
    return Doubt("order", {order: order for order in sorted(left)}, question)


def _decimals(body: Sequence[Row], value: int, given: Mapping[str, Any]) -> Doubt:
    question = "is the comma, in numbers such as 1,234, the decimal sign"
    if given.get("decimal"):
        return Doubt("decimal", {given["decimal"]: given["decimal"]}, question)
    cells = [row.cells[value] for row in body if "," in row.cells[value]]
    if not cells:
        return Doubt("decimal", {".": "."}, question)
    if all(_COMMA_ALONE.fullmatch(cell) for cell in cells):
        return Doubt("decimal", {",": ",", ".": "."}, question)
    fits = {sign: sum(1 for cell in cells if _reads(cell, sign)) for sign in ".,"}
    best = max(fits, key=lambda sign: fits[sign])
    return Doubt("decimal", {best: best}, question)
