"""The 16-byte form as the client reads it."""

from __future__ import annotations

import doctest
import math
import struct

import pytest

import timetric
from timetric import records
from timetric.records import last_timestamp, parse_records

QUIET, SIGN = 0x7FF8 << 48, 1 << 63


def packed(*cells: float | int) -> bytes:
    """Doubles, and ints as the bits of one."""
    return b"".join(struct.pack("<d" if type(c) is float else "<Q", c) for c in cells)


def test_the_examples_are_right() -> None:
    assert doctest.testmod(records).failed == 0


def test_words_are_nans_with_a_payload_whatever_their_sign() -> None:
    found = list(
        parse_records(
            packed(1.0, QUIET | 1, 2.0, QUIET | 2, 3.0, QUIET | 3, 4.0, 0.0)
            + packed(5.0, SIGN | QUIET | 1, 6.0, SIGN | QUIET | 3)
        )
    )
    assert found == [(1.0, None), (2.0, True), (3.0, False), (4.0, 0.0), (5.0, None), (6.0, False)]
    assert [type(value) for _, value in found[2:4]] == [bool, float]


@pytest.mark.parametrize("cell", [QUIET, QUIET | 4, (0x7FF0 << 48) | 1, math.inf, -math.inf])
def test_a_value_that_is_none_is_a_bad_reply(cell: float | int) -> None:
    with pytest.raises(timetric.BadReply, match="point 1 "):
        parse_records(packed(1.0, 2.0, 3.0, cell))


@pytest.mark.parametrize("numeric", [True, False])
def test_numbers_come_bit_for_bit(numeric: bool) -> None:
    cells = [-62135596800.0, -0.0, 0.1, 5e-324, 253402300799.99997, -1.7976931348623157e308]
    found = [cell for point in parse_records(packed(*cells), numeric=numeric) for cell in point]
    assert packed(*found) == packed(*cells)
    assert list(parse_records(b"", numeric=numeric)) == []


def test_the_last_timestamp_is_that_of_the_last_record() -> None:
    assert last_timestamp(packed(1.0, 2.0, 3.5, 4.0)) == 3.5
