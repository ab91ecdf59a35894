"""Points in the form of 16 bytes, to send many of them fast. Pure.

The rules are protocol.md's, Reading more precisely: two little-endian doubles a point, and the
words null, true and false as NaNs that carry their number, 1, 2 and 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

from timetric.points import Point, Value, to_points
from timetric.records import RECORD, parse_records
from timetric.timestamps import END, FIRST

_WORDS = {bool, type(None)}
_RUN = 4096  # points that are looked at together
_NUMBER, _WORD = struct.Struct("<dd"), struct.Struct("<dQ")
_BITS: dict[Value, int] = {
    None: 0x7FF8_0000_0000_0001,
    True: 0x7FF8_0000_0000_0002,
    False: 0x7FF8_0000_0000_0003,
}


def pack(items: Iterable[object]) -> Iterator[bytes]:
    """A caller's pairs, checked, in pieces of whole points.

    >>> b"".join(pack([(1, 2.5), ("1970-01-02", None)])).hex(" ", 8)
    '000000000000f03f 0000000000000440 000000000018f540 010000000000f87f'

    Raises InvalidPoint naming the item, from 0.
    """
    source, position = iter(items), 0
    while run := list(islice(source, _RUN)):
        yield _pack_plain(run) or b"".join(map(_packed, to_points(run, position)))
        position += len(run)


def _pack_plain(run: list[Any]) -> bytes | None:
    """Pairs of nothing but good numbers and words, all at once; None where there may be others."""
    if not _are(run, (tuple, list)) or set(map(len, run)) != {2}:
        return None
    cells: list[Any] = list(chain.from_iterable(run))
    words: dict[int, int] = {}
    if not _are(cells, (float, int)):
        words = _taken_words(cells)
        if not _are(cells, (float, int)):
            return None
    packed = _pack_numbers(cells)
    if packed is None:
        return None
    for place, bits in words.items():
        struct.pack_into("<Q", packed, 8 * place, bits)
    return bytes(packed)


def _taken_words(cells: list[Any]) -> dict[int, int]:
    """Puts 0 in the place of the words among the values; gives their places, and their bits."""
    places = range(1, len(cells), 2)
    words = {n: _BITS[cells[n]] for n in places if type(cells[n]) in _WORDS}
    for place in words:
        cells[place] = 0.0
    return words


def _pack_numbers(cells: list[Any]) -> bytearray | None:
    """Timestamps and values in turn; None where any is out of range, infinite or NaN."""
    times = cells[::2]
    try:
        if not (math.isfinite(sum(cells)) and min(times) >= FIRST and max(times) < END):
            return None
        return bytearray(struct.pack(f"<{len(cells)}d", *cells))
    except OverflowError:  # an int past a double's range
        return None


def _are(items: list[Any], kinds: tuple[type, ...]) -> bool:
    return all(issubclass(kind, kinds) and kind is not bool for kind in set(map(type, items)))


def _packed(point: Point) -> bytes:
    timestamp, value = point
    if type(value) is float:
        return _NUMBER.pack(timestamp, value)
    return _WORD.pack(timestamp, _BITS[value])


def unpack(file: BinaryIO) -> Iterator[Point]:
    """The points of a file that pack has made, from its start."""
    file.seek(0)
    while piece := file.read(_RUN * RECORD):
        yield from parse_records(piece)
