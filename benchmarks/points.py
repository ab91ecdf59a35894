"""The points that are measured with, and their text; the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

START = 1_000_000_000  # Unix seconds: 2001; ten million minutes later it is 2020
STEP = 60  # seconds between points
PIECE = 500_000  # rows that are turned into text at a time

Column = NDArray[Any]  # of float64, or of int64


class Points(NamedTuple):
    """Timestamps in Unix seconds, ascending, and values."""

    t: Column
    v: Column


def regular(rows: int) -> Points:
    """One every minute; values wander, with two decimals, as a sensor's do."""
    return Points(START + STEP * np.arange(rows, dtype=np.float64), _walk(rows))


def jittered(rows: int) -> Points:
    """One a minute, give or take half a second, in whole milliseconds; values as in regular."""
    offsets = np.random.default_rng(2).integers(-500, 500, rows)
    return Points((1000 * (START + STEP * np.arange(rows)) + offsets) / 1000, _walk(rows))


def random(rows: int) -> Points:
    """Times and values that use every bit of a double, so that nothing is left to compress."""
    chance = np.random.default_rng(3)
    t = START + np.sort(chance.uniform(0, STEP * rows, rows))
    return Points(t, chance.standard_normal(rows))


KINDS = {"regular": regular, "jittered": jittered, "random": random}


def shifted(points: Points) -> Points:
    """Other values: at every second instant the same times, between them new ones."""
    t = points.t.copy()
    t[1::2] += 0.001
    return Points(t, points.v + 1)


def seconds_csv(points: Points) -> bytes:
    """Rows of ``timestamp,value``, Unix seconds."""
    return _rows(points, _seconds, b"%b,%b\n")


def milliseconds_csv(points: Points) -> bytes:
    """Rows of ``timestamp,value``, whole Unix milliseconds."""
    return _rows(points, _milliseconds, b"%b,%b\n")


def line_protocol(points: Points, series: str, batch: int) -> list[bytes]:
    """InfluxDB's rows, ``p,s=SERIES v=VALUE TIMESTAMP`` with nanoseconds, so many a body."""
    form = b"p,s=" + series.encode() + b" v=%b %b\n"
    bodies = []
    for start in range(0, len(points.t), batch):
        part = Points(points.t[start : start + batch], points.v[start : start + batch])
        bodies.append(_rows(part, _nanoseconds, form, swapped=True))
    return bodies


def _walk(rows: int) -> Column:
    return np.round(20 + np.cumsum(np.random.default_rng(1).normal(0, 0.1, rows)), 2)


def _milliseconds(t: Column) -> Column:
    return np.round(t * 1000).astype(np.int64)


def _nanoseconds(t: Column) -> Column:
    """Whole microseconds as nanoseconds: doubles of this size hold no more."""
    return np.round(t * 1_000_000).astype(np.int64) * 1000


def _seconds(t: Column) -> Column:
    return t


def _rows(
    points: Points, times: Callable[[Column], Column], form: bytes, *, swapped: bool = False
) -> bytes:
    """A line for each point, of its time and value, or of value and time."""
    pieces = []
    for start in range(0, len(points.t), PIECE):
        t = _cells(times(points.t[start : start + PIECE]))
        v = _cells(points.v[start : start + PIECE])
        pieces.append(b"".join(map(form.__mod__, zip(v, t) if swapped else zip(t, v))))
    return b"".join(pieces)


def _cells(column: Column) -> list[bytes]:
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
