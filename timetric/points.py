"""Points, their values, and CSV. Pure; shared by the client and the service.

A point is a plain tuple ``(timestamp, value)``: Unix seconds in UTC, and a float, None, True
or False. The rules are protocol.md's, Values and CSV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Union

from timetric.exceptions import InvalidPoint
from timetric.timestamps import (
    END,
    FIRST,
    format_timestamp,
    parse_number,
    parse_timestamp,
    shown,
    to_timestamp,
)

Value = Union[float, bool, None]
Point = tuple[float, Value]

WORDS: dict[str, Value] = {"null": None, "true": True, "false": False}
_TEXTS = {None: "null", True: "true", False: "false"}

_MISSING = {"nan", "NaT", "<NA>"}

#: What plain numbers are written with; with these bytes gone, two a line leave ",\n" a line.
NUMERALS = b"0123456789.+-eE"


def parse_value(text: str) -> Value:
    """Read a value as the wire writes it: a decimal number or null, true, false in any case.

    >>> parse_value("3"), parse_value("NULL"), parse_value("true")
    (3.0, None, True)

    Raises InvalidPoint for anything else: ``nan``, ``inf``, an empty text, a number past a
    double's range.
    """
    number = parse_number(text)
    if number is None:
        word = text.lower()
        if word not in WORDS:
            raise InvalidPoint(f"{shown(text)} is no value (a number, null, true or false)")
        return WORDS[word]
    if number - number != 0:
        raise InvalidPoint(f"value {shown(text)} is past a double's range")
    return number


def to_value(what: object) -> Value:
    """Make a value of a caller's number, None, True, False, or the text of one.

    >>> to_value(14), to_value(None), to_value("2.5")
    (14.0, None, 2.5)

    What NumPy and pandas have for a missing value (NaN, NA, NaT) is None. Raises InvalidPoint for
    anything else, the infinities and a plain NaN included.
    """
    if what is None or what is True or what is False:
        return what
    if isinstance(what, str):
        return parse_value(what.strip())
    if str(what) in _MISSING and type(what).__module__.startswith(("numpy", "pandas")):
        return None
    if not isinstance(what, (Real, Decimal)):
        raise InvalidPoint(f"{shown(what)} is no value (a number, None, True or False)")
    try:
        number = float(what)
    except OverflowError as error:  # an int past a double's range
        raise InvalidPoint(f"value {shown(what)} is past a double's range") from error
    if number - number != 0:
        raise InvalidPoint(f"{shown(what)} is no value; use None for a missing one")
    return number


def format_value(value: Value) -> str:
    """The value as the wire writes it: a word, or the shortest text of the double.

    >>> format_value(3), format_value(None)
    ('3.0', 'null')
    """
    if value is None or isinstance(value, bool):
        return _TEXTS[value]
    return repr(float(value))


def to_points(items: Iterable[object], first: int = 0) -> Iterator[Point]:
    """Check a caller's pairs one by one; an InvalidPoint names the item, from ``first``."""
    for position, item in enumerate(items, first):
        try:
            when, what = _pair(item)
            yield to_timestamp(when), to_value(what)
        except InvalidPoint as error:  # told where it happened; the reason stays
            raise InvalidPoint(f"item {position}: {error.detail}") from error


def _pair(item: object) -> tuple[object, object]:
    if isinstance(item, (str, bytes)) or not isinstance(item, Iterable):
        raise InvalidPoint(f"{shown(item)} is no pair of a timestamp and a value")
    pair = tuple(item)
    if len(pair) != 2:
        raise InvalidPoint(f"{shown(pair)} has {len(pair)} parts, not a timestamp and a value")
    return pair[0], pair[1]


def format_csv(points: Iterable[Point], rows: int = 2000) -> Iterator[bytes]:
    """The points as CSV, in pieces of ``rows`` rows: Unix seconds, LF, no header.

    >>> b"".join(format_csv([(1236735000.0, 1.0), (1236735500.0, None)]))
    b'1236735000.0,1.0\\n1236735500.0,null\\n'
    """
    piece: list[str] = []
    for timestamp, value in points:
        piece.append(f"{format_timestamp(timestamp)},{format_value(value)}\n")
        if len(piece) == rows:
            yield "".join(piece).encode("ascii")
            piece.clear()
    yield "".join(piece).encode("ascii")


def parse_csv(body: bytes) -> Iterator[Point]:
    """Read points from CSV, blank lines skipped.

    >>> list(parse_csv(b"1236735000,1\\n2009-03-11T01:38:20,null\\n"))
    [(1236735000.0, 1.0), (1236735500.0, None)]

    Raises InvalidPoint naming the line, from 1.
    """
    if body.endswith(b"\n") and body.translate(None, NUMERALS) == b",\n" * body.count(b"\n"):
        return _parse_plain(body)
    return _parse_lines(body)


def _parse_plain(body: bytes) -> Iterator[Point]:
    """Nothing but ``number,number`` lines: split it all at once, five times as fast."""
    cells = body.replace(b"\n", b",").split(b",")
    cells.pop()
    try:
        numbers = list(map(float, cells))
    except ValueError:  # numerals that make no number, such as 1-2: name the line
        return _parse_lines(body)
    times, values = numbers[::2], numbers[1::2]
    if min(times) >= FIRST and max(times) < END and isfinite(sum(values)):
        return zip(times, values)
    return _parse_lines(body)  # one is past its range, or only their sum


def _parse_lines(body: bytes) -> Iterator[Point]:
    for number, line in enumerate(body.split(b"\n"), 1):
        point = parse_line(line, number)
        if point is not None:
            yield point


def parse_line(line: bytes, number: int) -> Point | None:
    """Read one line of CSV; None where it is blank. Raises InvalidPoint naming line ``number``."""
    try:
        text = line.decode("utf-8").strip(" \t\r")
        if not text:
            return None
        fields = text.split(",")
        if len(fields) != 2:
            raise InvalidPoint(f"{shown(text)} has {len(fields)} columns, not timestamp,value")
        return parse_timestamp(fields[0].strip(" \t")), parse_value(fields[1].strip(" \t"))
    except UnicodeDecodeError as error:
        raise InvalidPoint("not UTF-8", line=number) from error
    except InvalidPoint as error:  # told where it happened; the reason stays
        raise InvalidPoint(error.detail, line=number) from error
