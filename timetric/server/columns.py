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

#: How much of a body is parsed at a time, in bytes.
SLICE = 4 << 20


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
