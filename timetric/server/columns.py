"""Points as two float64 columns: to and from CSV. Pure.

NumPy has no null: the words are quiet NaNs that carry their number as payload, null 1, true 2,
false 3, on the wire's 16-byte form as in here. Any other NaN is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timetric.exceptions import InvalidPoint
from timetric.points import NUMERALS, Point, Value, format_value, parse_line
from timetric.timestamps import END, FIRST, format_iso, format_timestamp

Floats = NDArray[np.float64]

_PAYLOADS: dict[Value, int] = {None: 1, True: 2, False: 3}
_BITS = {word: 0x7FF8_0000_0000_0000 | payload for word, payload in _PAYLOADS.items()}
_BOXES = {word: np.uint64(bits).view(np.float64) for word, bits in _BITS.items()}
_WORDS = {bits: word for word, bits in _BITS.items()}

#: How much of a body is parsed at a time, and how long a line may be, in bytes.
SLICE, LONGEST_LINE = 4 << 20, 64 << 10


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


def from_points(points: Iterable[Point]) -> Columns:
    """Columns of points in any order, not yet tidy."""
    pairs = [(timestamp, box(value)) for timestamp, value in points]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return Columns(table[:, 0].copy(), table[:, 1].copy())


def to_points(columns: Columns) -> Iterator[Point]:
    """The points of columns, one by one."""
    return zip(columns.t.tolist(), map(unbox, columns.v.tolist()))


def read_csv(file: BinaryIO) -> Columns:
    """Parse a whole CSV file, slice by slice, into tidy columns.

    Raises InvalidPoint naming the line (protocol.md, Values and CSV).
    """
    parts = [EMPTY]
    line = 1
    for lines in _slices(file):
        parts.append(parse_csv(lines, line))
        line += lines.count(b"\n")
    return tidy(Columns(*map(np.concatenate, zip(*parts))))


def _slices(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces of whole lines, without a byte-order mark."""
    rest = file.read(3).removeprefix(b"\xef\xbb\xbf")
    line = 1
    while piece := file.read(SLICE):
        head, newline, tail = (rest + piece).rpartition(b"\n")
        if len(tail) > LONGEST_LINE:
            raise InvalidPoint("longer than any timestamp,value", line=line + head.count(b"\n"))
        line += head.count(b"\n") + len(newline)
        rest = tail
        yield head + newline
    yield rest


def parse_csv(lines: bytes, first: int = 1) -> Columns:
    """Parse whole lines, the first of which is number ``first``. Raises InvalidPoint."""
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    if lines and not lines.endswith(b"\n"):
        lines += b"\n"
    return _parse_plain(lines) or _parse_lines(lines, first)


def _parse_plain(lines: bytes) -> Columns | None:
    """Nothing but ``number,number`` lines, all at once; None where there is anything else."""
    if lines.translate(None, NUMERALS) != b",\n" * lines.count(b"\n"):
        return None
    cells = lines.replace(b"\n", b",").split(b",")
    cells.pop()
    try:
        numbers = np.array(list(map(float, cells)))
    except ValueError:  # numerals that make no number, such as 1-2
        return None
    t, v = numbers[0::2] + 0.0, numbers[1::2].copy()
    fine = np.all((t >= FIRST) & (t < END)) and np.all(np.isfinite(v))
    return Columns(t, v) if fine else None


def _parse_lines(lines: bytes, first: int) -> Columns:
    rows = (parse_line(line, number) for number, line in enumerate(lines.split(b"\n"), first))
    return from_points(row for row in rows if row is not None)


def write_csv(columns: Columns, *, iso: bool = False) -> bytes:
    """CSV of columns: shortest round-trip numbers, or ISO timestamps."""
    stamp = format_iso if iso else format_timestamp
    rows = (f"{stamp(t)},{format_value(value)}\n" for t, value in to_points(columns))
    return "".join(rows).encode("ascii")
