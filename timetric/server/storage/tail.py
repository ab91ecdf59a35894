"""Few points: they go to the tail as rows, which is folded into blocks when it is long."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import chain

import numpy as np

from timetric.points import Point, Value
from timetric.server.blocks import SIZE
from timetric.server.columns import Columns, from_points, reach, to_points
from timetric.server.receipt import ERROR, KEEP, Receipt, Terms
from timetric.server.storage import Conflict, Damaged, NotNumeric
from timetric.server.storage.parcel import MOST_REPACKED, changes, stretches
from timetric.server.storage.tables import Row, State, Tables
from timetric.timestamps import END

_MOST_FOLDED = 64 * SIZE  # rows that one fold looks at
_TICK = 1e-6  # seconds from an instant that is taken to the next one to try


def append(rows: Tables, value: Value, now: float) -> Receipt:
    """Add a value at ``now``, or at the next free instant."""
    state, t = rows.state(), now
    while _is_held(rows, state, t) or not rows.add_to_tail(Row(t, value, fresh=True)):
        t = _later(t)
    _close(rows, state, now, added=[True])
    return Receipt(1, 1, 0, 0, 0, state.version + 1, (t, value))


def increment(rows: Tables, amount: float, now: float) -> Receipt:
    """Add the latest value + amount after the latest point. Raises NotNumeric."""
    state = rows.state()
    t, value = rows.latest() or (-math.inf, 0.0)
    if type(value) is not float:
        raise NotNumeric(f"the latest value is {value}, to which nothing can be added")
    if not math.isfinite(value + amount):
        raise NotNumeric("the sum is past a double's range")
    row = Row(max(now, _later(t)), value + amount, fresh=True)
    if row.t >= END:
        raise NotNumeric("the latest point stands at the end of time; none can follow it")
    rows.add_to_tail(row)
    _close(rows, state, now, added=[True])
    return Receipt(1, 1, 0, 0, 0, state.version + 1, (row.t, row.value))


def put_first(rows: Tables, points: Columns) -> None:
    """Put points into an empty series."""
    rows.put_tail(Row(t, value, fresh=True) for t, value in to_points(points))
    rows.count(points=len(points.t), tail=len(points.t))


def put(rows: Tables, points: list[Point], now: float, terms: Terms) -> Receipt:
    """Put points, sorted and each instant once, over those that stand. Raises Conflict."""
    state, received = rows.state(), terms.received(len(points))
    if not points:
        return Receipt(received, version=state.version)
    tail = {row.t: row.value for row in _rows_at(rows, points)}
    below = _below(rows, points) if points[0][0] <= state.final else {}
    standing = below | tail
    added = [point for point in points if point[0] not in standing]
    other = [point for point in points if point[0] in standing and not _same(*point, standing)]
    if other and terms.on_conflict == ERROR:
        raise Conflict(other[0][0])
    replaced = [] if terms.on_conflict == KEEP else other
    new = [Row(t, value, fresh=t not in below) for t, value in added + replaced]
    if new:
        rows.put_tail(new)
        _close(rows, state, now, added=[row.fresh for row in new if row.t not in tail])
    unchanged, version = len(points) - len(new), state.version + bool(new)
    return Receipt(received, len(added), len(replaced), unchanged, 0, version)


def put_one(rows: Tables, point: Point, now: float, terms: Terms) -> Receipt:
    """Put a point over the one that stands; the receipt has what stands then. Raises Conflict."""
    receipt = put(rows, [point], now, terms)
    if receipt.changes:
        return receipt._replace(point=point)
    tail = {row.t: row.value for row in _rows_at(rows, [point])}
    standing = tail or _below(rows, [point])
    return receipt._replace(point=(point[0], standing[point[0]]))


def fold(rows: Tables) -> None:
    """Pack the tail's oldest rows into blocks, as many as others can wait for."""
    tail = rows.tail(-math.inf, math.inf, limit=_MOST_FOLDED)
    points = from_points((row.t, row.value) for row in tail)
    folded = stretches(rows.spans(*reach(points)), points)[:MOST_REPACKED]
    steps = chain.from_iterable(changes(stretch, points, rows.block) for stretch in folded)
    rows.exchange([rows.pack(steps)], gone=tail[: folded[-1].stop])
    rows.sweep()


def _close(rows: Tables, state: State, now: float, added: list[bool]) -> None:
    """Note rows that the tail got since ``state``, each fresh or not; fold it when it is long."""
    rows.touch(now, points=sum(added), tail=len(added))
    if state.tail + len(added) < SIZE:
        return
    with suppress(Damaged):  # reading tells of it; meanwhile new points find room in the tail
        fold(rows)


def _rows_at(rows: Tables, points: list[Point]) -> list[Row]:
    """The tail's rows from the first of these points to the last."""
    return rows.tail(points[0][0], math.nextafter(points[-1][0], math.inf))


def _below(rows: Tables, points: list[Point]) -> dict[float, Value]:
    """What stands in blocks at the instants of these points."""
    return dict(to_points(rows.in_blocks(np.array([t for t, _ in points]))))


def _is_held(rows: Tables, state: State, t: float) -> bool:
    return t <= state.final and len(rows.in_blocks(np.array([t])).t) > 0


def _same(t: float, value: Value, standing: dict[float, Value]) -> bool:
    """Whether the same value stands there, bit for bit."""
    return repr(value) == repr(standing[t])


def _later(t: float) -> float:
    """The next instant at least a microsecond on; far from 1970 doubles lie further apart."""
    return max(t + _TICK, math.nextafter(t, math.inf))
