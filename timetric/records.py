"""Points in the 16-byte form, read with nothing but the standard library. Pure.

The rules are protocol.md's, Reading more precisely: two little-endian doubles a point, the words
as quiet NaNs with a payload of their own, whose sign does not count.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence

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
    doubles = array("d", records)
    if sys.byteorder == "big":
        doubles.byteswap()
    if not numeric:
        return zip(doubles[::2], _values(doubles))
    cells = iter(doubles)
    return zip(cells, cells)


def _values(doubles: array[float]) -> list[Value]:
    values: list[Value] = list(doubles[1::2])
    bits = memoryview(doubles).cast("B").cast("Q")[1::2]
    odd = [i for i, value in enumerate(doubles[1::2]) if value - value != 0]
    for index in odd:
        values[index] = _word(bits, index)
    return values


def _word(bits: Sequence[int], index: int) -> Value:
    word = bits[index] & _UNSIGNED
    if word not in _WORDS:
        raise BadReply(f"the service sent a value that is none, as point {index} of a page")
    return _WORDS[word]


def last_timestamp(records: bytes) -> float:
    """That of the last of some records."""
    doubles = array("d", records[-RECORD:])
    if sys.byteorder == "big":
        doubles.byteswap()
    return doubles[0]
