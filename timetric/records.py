"""Points in the 16-byte form, read with nothing but the standard library. Pure.

The rules are protocol.md's, Reading more precisely: two little-endian doubles a point, the words
as quiet NaNs with a payload of their own, whose sign does not count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from struct import unpack
from typing import Any

from timetric.exceptions import BadReply
from timetric.points import Point, Value

#: The form's media type.
RECORDS = "application/vnd.timetric.points"

#: Bytes of a point.
RECORD = 16

_UNSIGNED = 0x7FFF_FFFF_FFFF_FFFF
_WORDS: dict[int, Value] = {
    0x7FF8_0000_0000_0001: None,
    0x7FF8_0000_0000_0002: True,
    0x7FF8_0000_0000_0003: False,
}


def parse_records(records: bytes, *, numeric: bool = False) -> Iterator[Point]:
    """The points of whole records; where they are ``numeric`` no value needs a look.

    >>> import struct
    >>> list(parse_records(struct.pack("<4d", 1, 2.5, 2, 0)))
    [(1.0, 2.5), (2.0, 0.0)]

    Nothing of it is Python's own work a point, so a million numbers take 20 ms. Raises BadReply
    for a value that is none.
    """
    doubles = _doubles(records)
    if not numeric:
        return zip(doubles[::2], _values(doubles[1::2]))
    cells = iter(doubles)
    return zip(cells, cells)


def last_timestamp(records: bytes) -> float:
    """That of the last of some records."""
    return float(_doubles(records[-RECORD:])[0])


def some_records(records: bytes, most: int) -> bytes:
    """About so many of whole records, evenly chosen, with the first and the last."""
    count = len(records) // RECORD
    places = [*range(0, count - 1, count // most + 1), count - 1] if count else []
    return b"".join(records[place * RECORD : (place + 1) * RECORD] for place in places)


def _doubles(records: bytes) -> Any:
    if sys.byteorder == "little":
        return memoryview(records).cast("d")
    from array import array  # which can turn bytes round, as hardly any machine needs

    doubles = array("d", records)
    doubles.byteswap()
    return memoryview(doubles)


def _values(cells: Any) -> list[Value]:
    values: list[Value] = cells.tolist()
    for index in [i for i, value in enumerate(cells) if value - value != 0]:
        values[index] = _word(cells[index : index + 1], index)
    return values


def _word(cell: Any, index: int) -> Value:
    [bits] = unpack("=Q", cell.tobytes())
    if bits & _UNSIGNED not in _WORDS:
        raise BadReply(f"the service sent a value that is none, as point {index} of a page")
    return _WORDS[bits & _UNSIGNED]
