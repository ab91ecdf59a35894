"""How a foreign CSV file is written, and its points read accordingly. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from timetric.exceptions import BadRequest, InvalidPoint
from timetric.points import Point, Value, parse_value
from timetric.timestamps import parse_number, shown, to_timestamp

#: Where day, month and year stand in a date of three numbers.
ORDERS = {"ymd": (2, 1, 0), "dmy": (0, 1, 2), "mdy": (1, 0, 2)}

NUMERIC_DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:(?:[T ]+|, )(.+))?", re.ASCII)
CLOCK = re.compile(
    r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?\s*([AaPp][Mm])?\s*"
    r"(Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_NOTHING = {"", "na", "n/a", "nan", "null", "none", "-", "--"}
_ZONED = re.compile(r".*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)", re.ASCII)
_GROUPED = {
    ".": re.compile(r"(\d)[,' \u00a0\u202f](?=\d{3})"),
    ",": re.compile(r"(\d)[.' \u00a0\u202f](?=\d{3})"),
}


class Layout(NamedTuple):
    """How a file is written. Columns and lines count from 0.

    ``time`` and ``value`` are columns; ``clock`` is that of the time of day, where dates have
    none; there are ``width`` columns, where that is known. ``skip`` rows stand ahead of the
    points. ``order`` is that of dates in three numbers: ymd, dmy or mdy. ``tz`` is the IANA name
    of the zone of times that name none.
    """

    delimiter: str = ","
    skip: int = 0
    time: int = 0
    value: int = 1
    clock: int | None = None
    order: str = "ymd"
    decimal: str = "."
    tz: str = "UTC"
    width: int | None = None


class Row(NamedTuple):
    line: int  # from 1
    cells: list[str]


def rows(text: str, delimiter: str) -> list[Row]:
    """The rows that hold anything, each with the line that it ends on."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        return [
            Row(reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:  # such as a field of more than 128 KiB, behind a lone quote
        raise InvalidPoint(f"no CSV: {error}", line=reader.line_num) from error


def points(text: str, **layout: object) -> Iterator[Point]:
    """The points of a file written so; the names are those of Layout::

        series.update(points(open("power.csv").read(), delimiter=";", order="dmy", decimal=","))

    Raises InvalidPoint naming the line that can't be read, and BadRequest for no such zone.
    """
    how = Layout()._replace(**layout)  # type: ignore[arg-type]
    reader = Reader(how)
    for row in rows(text, how.delimiter)[how.skip :]:
        yield reader.point(row)


class Reader:
    """Reads rows in turn: where clocks go back, the hour that comes twice is told by the order."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._zone = zone(layout.tz)
        self._last = -float("inf")

    def point(self, row: Row) -> Point:
        """Raises InvalidPoint, naming the line."""
        how = self._layout
        try:
            if how.width is not None and any(row.cells[how.width :]):
                raise InvalidPoint(f"there are {len(row.cells)} columns, more than {how.width}")
            value = read_value(_cell(row.cells, how.value), how.decimal)
            when = _cell(row.cells, how.time)
            if how.clock is not None:
                when = f"{when} {_cell(row.cells, how.clock)}"
            timestamp = self._timestamp(when)
        except InvalidPoint as error:  # told where it is
            raise InvalidPoint(error.detail, line=row.line) from error
        self._last = timestamp
        return timestamp, value

    def _timestamp(self, text: str) -> float:
        number = parse_number(text)
        if number is not None:
            return _of_number(text, number)
        wall = _numeric(text, self._layout.order) or _worded(text)
        if wall.tzinfo is not None:
            return wall.timestamp()
        return self._on_wall(wall, text)

    def _on_wall(self, wall: datetime, text: str) -> float:
        if not 1 < wall.year < 9999:  # a zone's offset may lead out of the calendar
            raise InvalidPoint(f"{shown(text)} is no year of a measurement")
        first, second = (wall.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1))
        back = datetime.fromtimestamp(first, timezone.utc).astimezone(self._zone)
        if back.replace(tzinfo=None, fold=0) != wall:
            raise InvalidPoint(f"{shown(text)} was skipped by the clocks of {self._layout.tz}")
        return second if first <= self._last < second else first


def zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo  # slow to import

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # unknown; a path; a directory
        raise BadRequest(f"{shown(name)} is no time zone, such as Europe/London") from error


def _cell(cells: Sequence[str], column: int) -> str:
    if column >= len(cells):
        raise InvalidPoint(f"there are {len(cells)} columns, and no column {column + 1}")
    return cells[column]


def _of_number(text: str, number: float) -> float:
    """Unix seconds or milliseconds, or eight digits of a date."""
    if re.fullmatch(r"(19|20)\d{6}", text):
        return to_timestamp(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    return to_timestamp(number / 1000 if abs(number) >= 1e11 else number)


def dates(text: str) -> dict[str, datetime]:
    """What a date of three numbers may be, by order; empty for anything else."""
    found = NUMERIC_DATE.fullmatch(text)
    if found is None:
        return {}
    parts = [found[1], found[3], found[4]]
    read = {order: _date(parts, places) for order, places in ORDERS.items()}
    return {order: date for order, date in read.items() if date is not None}


def _date(parts: Sequence[str], places: tuple[int, int, int]) -> datetime | None:
    day, month, year = (parts[place] for place in places)
    if len(day) > 2 or len(month) > 2 or len(year) not in (2, 4):
        return None
    number = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 69 else 1900)
    try:
        return datetime(number, int(month), int(day))
    except ValueError:  # no such day
        return None


def _numeric(text: str, order: str) -> datetime | None:
    """None where it is no date of three numbers. Raises InvalidPoint where there is no such day."""
    found = NUMERIC_DATE.fullmatch(text)
    if found is None:
        return None
    date = dates(text).get(order)
    if date is None:
        raise InvalidPoint(f"{shown(text)} is no date in the order {order}")
    return date if found[5] is None else _with_clock(date, found[5].strip(), text)


def _with_clock(date: datetime, clock: str, text: str) -> datetime:
    found = CLOCK.fullmatch(clock)
    if found is None:
        raise InvalidPoint(f"{shown(text)} has no time of day that can be read")
    hour, half = int(found[1]), (found[5] or "").lower()
    if half and not 1 <= hour <= 12:
        raise InvalidPoint(f"{shown(text)} has no such hour")
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    rest = int(found[2]), int(found[3] or 0), int((found[4] or "").ljust(6, "0"))
    try:
        return date.replace(hour=hour, minute=rest[0], second=rest[1], microsecond=rest[2]).replace(
            tzinfo=_offset(found[6])
        )
    except ValueError as error:  # 25:00
        raise InvalidPoint(f"{shown(text)} has no such time of day") from error


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text in ("Z", "UTC", "GMT"):
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _worded(text: str) -> datetime:
    """A date with words, such as 3 Mar 2024."""
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=to_timestamp(text))
    return at if _ZONED.fullmatch(text) else at.replace(tzinfo=None)


def read_value(text: str, decimal: str) -> Value:
    """A value with this decimal sign; what stands for nothing is None. Raises InvalidPoint.

    >>> read_value("1.234,5", ","), read_value("n/a", ".")
    (1234.5, None)
    """
    if text.lower() in _NOTHING:
        return None
    plain = _GROUPED[decimal].sub(r"\1", text)
    if decimal == ",":
        if "." in plain:
            raise InvalidPoint(f"{shown(text)} is no number with a decimal comma")
        plain = plain.replace(",", ".")
    return parse_value(plain.lower() if plain.lower() in ("true", "false") else plain)
