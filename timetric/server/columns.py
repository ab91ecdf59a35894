"""Points as two float64 columns: to and from CSV, and from the 16-byte form. Pure.

NumPy has no null: the words are quiet NaNs that carry their number as payload, null 1, true 2,
false 3, on the wire's 16-byte form as in here. Any other NaN is a fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from timetric.exceptions import InvalidPoint
from timetric.points import NUMERALS, Point, Value, format_value, parse_line
from timetric.timestamps import END, FIRST, checked, format_iso

Floats = NDArray[np.float64]

#: Bytes of a point in the 16-byte form.
RECORD = 16

_PAYLOADS: dict[Value, int] = {None: 1, True: 2, False: 3}
_BITS = {word: 0x7FF8_0000_0000_0000 | payload for word, payload in _PAYLOADS.items()}
_BOXES = {word: np.uint64(bits).view(np.float64) for word, bits in _BITS.items()}
_WORDS = {bits: word for word, bits in _BITS.items()}
_UNSIGNED = np.uint64(0x7FFF_FFFF_FFFF_FFFF)

#: Every byte of plain numbers, words and ISO times; without them, two cells a line leave ",\\n".
_LETTERS = b"TZ: nultrefas"
_PLAIN = NUMERALS + _LETTERS

#: The size in bytes from which on pyarrow is faster.
LARGE = 64 << 10

_ISO_FORMS = {
    10: re.compile(rb"(\d{4}-\d\d-\d\d)*"),
    19: re.compile(rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)*"),
    20: re.compile(rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ)*"),
}


class BadRecord(InvalidPoint):
    """A point of the 16-byte form that is none; ``record`` is its number, from 1."""

    def __init__(self, detail: str, record: int) -> None:
        super().__init__(f"record {record}: {detail}")
        self.record = record


class Columns(NamedTuple):
    """Timestamps (Unix seconds, UTC) and values (words boxed in NaN), of one length."""

    t: Floats
    v: Floats


EMPTY = Columns(np.empty(0), np.empty(0))


def box(value: Value) -> float:
    """A value as a double. A bool is told from 0.0 and 1.0 by its type."""
    return float(value) if type(value) is float else float(_BOXES[value])


def unbox(number: float) -> Value:
    """The value that a double of a column stands for."""
    return number if number == number else _WORDS[int(np.float64(number).view(np.uint64))]


def is_word(column: Floats, word: Value) -> NDArray[np.bool_]:
    """Which values are that word: null, true or false."""
    found: NDArray[np.bool_] = column.view(np.uint64) == _BITS[word]
    return found


def has_words(column: Floats) -> bool:
    """Whether any value is no number."""
    return bool(np.isnan(column).any())


def tidy(columns: Columns) -> Columns:
    """Sorted by timestamp, each timestamp once: of several rows the last one stands.

    Whole rows are moved, values never compared: a NaN's payload is its meaning.
    """
    t, v = columns
    if len(t) < 2 or bool(np.all(t[1:] > t[:-1])):
        return columns
    order = np.argsort(t, kind="stable")
    t = t.take(order)
    last = np.append(t[1:] != t[:-1], True)
    return Columns(t[last], v.take(order)[last])


def part(columns: Columns, start: int, stop: int) -> Columns:
    """The rows ``start:stop``."""
    return Columns(columns.t[start:stop], columns.v[start:stop])


def reach(columns: Columns) -> tuple[float, float]:
    """The interval (start and end) that tidy columns lie in; an empty one for empty columns."""
    if not len(columns.t):
        return math.inf, -math.inf
    return float(columns.t[0]), math.nextafter(float(columns.t[-1]), math.inf)


def from_points(points: Iterable[Point]) -> Columns:
    """Columns of points in any order, not yet tidy."""
    pairs = [(timestamp, box(value)) for timestamp, value in points]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return Columns(table[:, 0].copy(), table[:, 1].copy())


def to_points(columns: Columns) -> Iterator[Point]:
    """The points of columns, one by one."""
    return zip(columns.t.tolist(), map(unbox, columns.v.tolist()))


def parse_csv(lines: bytes, first: int = 1) -> Columns:
    """Parse whole lines of CSV, the first of which is number ``first``; not yet tidy.

    Raises InvalidPoint naming the line (protocol.md, Values and CSV). What is written as most
    CSV is, numbers or ISO times of one form and values, is parsed all at once; anything else,
    and whatever turns out to be bad, line by line.
    """
    if not lines.strip(b" \t\r\n"):  # blank lines alone: any number of them takes no time
        return EMPTY
    body = lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines
    if not body.endswith(b"\n"):
        body += b"\n"
    count = body.count(b"\n")
    if body.translate(None, _PLAIN) != b",\n" * count:
        return _parse_lines(lines, first)
    columns = _parse_by_arrow(body) if len(body) >= LARGE else None
    if columns is not None:
        return columns
    text = body[:-1].replace(b"\n", b",")
    columns = _parse_numbers(text, count) or _parse_iso(text, count)
    return columns or _parse_lines(lines, first)


def _parse_by_arrow(body: bytes) -> Columns | None:
    """By pyarrow, where it is installed; None for anything but finite numbers."""
    arrow = _arrow()
    if arrow is None or body.translate(None, _LETTERS) != body:
        return None
    read = arrow.csv.ReadOptions(
        column_names=Columns._fields, use_threads=False, block_size=len(body) + 1
    )
    convert = arrow.csv.ConvertOptions(column_types=dict.fromkeys(Columns._fields, "float64"))
    try:
        table = arrow.csv.read_csv(
            arrow.BufferReader(body), read_options=read, convert_options=convert
        )
    except ValueError:  # numerals that make no number, such as 1-2
        return None
    if any(column.null_count for column in table.columns):
        return None
    t, v = (column.to_numpy() for column in table.columns)
    return _checked(t, v) if np.all(np.isfinite(v)) else None


@cache
def _arrow() -> Any:
    """It takes 50 MB and a fifth of a second to load, so only a large upload does."""
    try:
        import pyarrow.csv
    except ImportError:  # the extra "arrow" is not installed
        return None
    return pyarrow


def _parse_numbers(text: bytes, count: int) -> Columns | None:
    """Cells of times and values in turn; None where a time is no plain number."""
    cells = _load(text, 2 * count)
    if cells is None or (_has_words(text) and not {float, int}.issuperset(map(type, cells[0::2]))):
        return None
    return _checked(np.array(cells[0::2], np.float64), _boxed(cells[1::2], text))


def _parse_iso(text: bytes, count: int) -> Columns | None:
    cells = text.split(b",")
    values = _load(b",".join(cells[1::2]), count)
    t = _parse_iso_times(cells[0::2])
    if values is None or t is None:
        return None
    return _checked(t, _boxed(values, text))


def _checked(t: Floats, v: Floats) -> Columns | None:
    return Columns(t + 0.0, v) if np.all((t >= FIRST) & (t < END)) else None


def _load(text: bytes, count: int) -> list[Any] | None:
    """So many cells, read as JSON, whose numbers and words are CSV's too.

    None where CSV and JSON differ: ``+1``, ``.5``, ``007``, ``NULL``, -0, which is 0 to JSON, and
    a lone empty cell.
    """
    if b"-0," in text or b"-0 " in text or text.endswith(b"-0"):
        return None
    try:
        cells: list[Any] = orjson.loads(b"[%b]" % text)
    except orjson.JSONDecodeError:  # no JSON, or a number past a double's range
        return None
    return cells if len(cells) == count else None


def _has_words(text: bytes) -> bool:
    return b"l" in text or b"u" in text


def _boxed(values: list[Any], text: bytes) -> Floats:
    if _has_words(text):
        values = [_BOXES[x] if x is None or x is True or x is False else x for x in values]
    return np.array(values, np.float64)


def _parse_iso_times(cells: list[bytes]) -> Floats | None:
    text = b"".join(cells)
    width, odd = divmod(len(text), len(cells))
    form = _ISO_FORMS.get(width)
    if odd or form is None or not form.fullmatch(text):
        return None
    try:  # a Z at the end is cut off
        seconds = np.array(cells, f"S{min(width, 19)}").astype("datetime64[s]")
    except ValueError:  # no such day or time
        return None
    return seconds.astype(np.float64)


def _parse_lines(lines: bytes, first: int) -> Columns:
    rows = (parse_line(line, number) for number, line in enumerate(lines.split(b"\n"), first))
    return from_points(row for row in rows if row is not None)


def parse_records(records: bytes, first: int = 1) -> Columns:
    """Parse whole records of the 16-byte form, the first of which is number ``first``; not tidy.

    Raises BadRecord (protocol.md, Reading more precisely: two little-endian doubles each).
    """
    table = np.frombuffer(records, "<f8").reshape(-1, 2)
    t, v = table[:, 0].astype(np.float64), table[:, 1].astype(np.float64)
    t[t == 0] = 0.0  # -0.0 too
    words = v != v
    bits = v.view(np.uint64)
    bits[words] &= _UNSIGNED
    bad = ~((t >= FIRST) & (t < END)) | np.isinf(v)
    bad[words] |= ~np.isin(bits[words], list(_WORDS))
    if not bad.any():
        return Columns(t, v)
    index = int(np.argmax(bad))
    try:
        checked(float(t[index]), float(t[index]))
    except InvalidPoint as error:  # told where it happened
        raise BadRecord(error.detail, first + index) from error
    raise BadRecord("the value is infinite, or a NaN that is none of the words", first + index)


def write_csv(columns: Columns, *, iso: bool = False) -> bytes:
    """CSV of columns: shortest round-trip numbers, or ISO timestamps."""
    t, v = columns
    if not len(t):
        return b""
    if not iso and not _is_odd(t).any() and not _is_odd(v).any():
        rows: bytes = orjson.dumps(np.column_stack(columns), option=orjson.OPT_SERIALIZE_NUMPY)
        return rows[2:-2].replace(b"],[", b"\n") + b"\n"
    times = _format_iso(t) if iso else _format(t)
    return b"\n".join(map(b",".join, zip(times, _format(v)))) + b"\n"


def _is_odd(column: Floats) -> NDArray[np.bool_]:
    """Which numbers JSON writes otherwise than CSV: words, and those written like 1e-05."""
    size = np.abs(column)
    odd: NDArray[np.bool_] = ~((size >= 1e-4) | (size == 0))
    return odd


def _format(column: Floats) -> list[bytes]:
    text: bytes = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    cells = text[1:-1].split(b",")
    for index in np.flatnonzero(_is_odd(column)).tolist():
        cells[index] = format_value(unbox(column[index])).encode("ascii")
    return cells


def _format_iso(t: Floats) -> list[bytes]:
    if np.all(t == np.floor(t)):
        return list(np.datetime_as_string(t.astype("datetime64[s]")).astype("S19").tolist())
    return [format_iso(x).encode("ascii") for x in t.tolist()]
