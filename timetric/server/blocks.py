"""Packed blocks: how columns are kept. Pure; nothing in here knows SQL.

A block holds up to 4,096 points of one series, timestamps and values each compressed by pcodec,
and a summary of its numbers that coarse questions need not decode for. Blocks of one series never
overlap. pcodec keeps the payload bits of NaNs, and so the words, and has no checksum of its own.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from pcodec import ChunkConfig, standalone

from timetric.server.columns import Columns, Floats, tidy

#: Points a block.
SIZE = 4096

_RAW, _PCO = 0, 1
_CONFIG = ChunkConfig(compression_level=4)


class Corrupt(Exception):
    """A block whose bytes are not what was written."""


class Summary(NamedTuple):
    """What a block says of its numbers; words do not count.

    None where it holds no number, or where their total is past a double's range.
    """

    minimum: float | None
    maximum: float | None
    total: float | None
    numbers: int


class Block(NamedTuple):
    """``size`` points from ``first`` to ``final``, both included; ``last`` is the final value."""

    first: float
    final: float
    size: int
    last: float
    summary: Summary
    codec: int
    crc: int
    times: bytes
    values: bytes


def encode(columns: Columns) -> Block:
    """Pack tidy columns of 1 to SIZE points."""
    t, v = columns
    codec, times, values = _PCO, _pack(t), _pack(v)
    if len(times) + len(values) >= t.nbytes + v.nbytes:
        codec, times, values = _RAW, t.astype("<f8").tobytes(), v.astype("<f8").tobytes()
    ends = float(t[0]), float(t[-1]), len(t), float(v[-1])
    return Block(*ends, summarise(v), codec, _checksum(times, values), times, values)


def decode(codec: int, crc: int, times: bytes, values: bytes) -> Columns:
    """The columns of a block. Raises Corrupt."""
    check(codec, crc, times, values)
    return Columns(_UNPACK[codec](times), _UNPACK[codec](values))


def check(codec: int, crc: int, times: bytes, values: bytes) -> None:
    """Raises Corrupt where a block's bytes can't be decoded."""
    if _checksum(times, values) != crc:
        raise Corrupt("its checksum does not match")
    if codec not in _UNPACK:
        raise Corrupt(f"its codec {codec} is not known to this version")


def unpack(codec: int, packed: bytes, column: Floats) -> None:
    """Fill a column with the timestamps, or the values, of a block that was checked.

    Raises Corrupt where there are more or fewer.
    """
    if codec == _RAW:
        held = len(packed) // column.itemsize
        column[:held] = np.frombuffer(packed, "<f8")[: len(column)]
    else:
        progress = standalone.simple_decompress_into(packed, column)
        held = progress.n_processed if progress.finished else -1
    if held != len(column):
        raise Corrupt(f"it does not hold {len(column)} points")


def summarise(v: Floats) -> Summary:
    """The summary of a column of values."""
    numbers = v[v == v]
    if not len(numbers):
        return Summary(None, None, None, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(numbers.sum())
    return Summary(
        float(numbers.min()),
        float(numbers.max()),
        total if math.isfinite(total) else None,
        len(numbers),
    )


def merge(old: Columns, new: Columns) -> Columns:
    """Both in one, tidy; where they share a timestamp ``new`` stands."""
    if not len(old.t) or not len(new.t):
        return new if len(new.t) else old
    return tidy(Columns(np.concatenate((old.t, new.t)), np.concatenate((old.v, new.v))))


def cut(columns: Columns) -> Iterator[Columns]:
    """Columns in pieces of a block each, of about one size."""
    pieces = -(-len(columns.t) // SIZE)
    bounds = [len(columns.t) * piece // max(pieces, 1) for piece in range(pieces + 1)]
    for start, end in zip(bounds, bounds[1:]):
        yield Columns(columns.t[start:end], columns.v[start:end])


def _pack(column: Floats) -> bytes:
    packed: bytes = standalone.simple_compress(np.ascontiguousarray(column), _CONFIG)
    return packed


def _unpack(data: bytes) -> Floats:
    column: Floats = standalone.simple_decompress(data)
    return column


def _unpack_raw(data: bytes) -> Floats:
    return np.frombuffer(data, "<f8")


_UNPACK = {_RAW: _unpack_raw, _PCO: _unpack}


def _checksum(times: bytes, values: bytes) -> int:
    return zlib.crc32(values, zlib.crc32(times))
