"""What is done to the points of a series: append, merge, replace, clear.

Few points go to the tail as rows; when that has grown to a block's size it is folded into
blocks, in the same transaction. Many points are packed into blocks ahead of the transaction,
which then only looks whether the blocks are still those and puts the new ones in their place.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray

from timetric.points import Point, Value
from timetric.server.blocks import SIZE
from timetric.server.columns import Columns, Floats, from_points, to_points
from timetric.server.storage import Damaged, Missing, NotNumeric, Series, StorageError
from timetric.server.storage.bodies import Stage, sweep
from timetric.server.storage.database import Database
from timetric.server.storage.parcel import Parcel, changes, stretches, without
from timetric.server.storage.tables import LATEST, Row, State, Tables, point
from timetric.timestamps import END

_FEW = 256  # points of a write that go to the tail
_MOST_FOLDED = 64 * SIZE  # tail rows that one fold looks at,
_MOST_REPACKED = 64  # and blocks that it may rewrite, since other writers wait for it
_TRIES = 5  # to pack ahead of the transaction before it is done within
_TICK = 1e-6  # seconds from an instant that is taken to the next one to try


class _Stale(StorageError):
    """The blocks have changed since they were packed."""


class History:
    """The points of all series in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, series: Series, value: Value, now: float) -> Point:
        def job(db: sqlite3.Connection) -> Point:
            rows, t = Tables(db, series.key), now
            state = rows.state()
            while _is_held(rows, state, t) or not rows.add_to_tail(Row(t, value, fresh=True)):
                t = _later(t)
            _close_tail(rows, state, now, added=[True])
            return t, value

        return self._database.write(job, amends=False)

    def increment(self, series: Series, amount: float, now: float) -> Point:
        def job(db: sqlite3.Connection) -> Point:
            rows = Tables(db, series.key)
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
            _close_tail(rows, state, now, added=[True])
            return row.t, row.value

        return self._database.write(job, amends=False)

    def merge(self, series: Series, points: Columns, now: float) -> None:
        if len(points.t) <= _FEW:
            self._database.write(
                lambda db: _merge_few(Tables(db, series.key), points, now), amends=False
            )
            return

        def job(db: sqlite3.Connection, most: int) -> None:
            rows = Tables(db, series.key)
            wanted = stretches(rows.spans(*_reach(points)), points)
            missing = [stretch for stretch in wanted if stretch not in stage]
            if len(missing) > most:
                raise _Stale("other writes have changed the blocks")
            late = {stretch: rows.pack(changes(stretch, points, rows.block)) for stretch in missing}
            _put_in(rows, [late.get(stretch) or stage[stretch] for stretch in wanted], points, now)

        with Stage(self._database) as stage:
            for most in (*[_MOST_REPACKED] * _TRIES, len(points.t)):
                self._pack_ahead(stage, series, points)
                try:
                    self._database.write(partial(job, most=most), amends=False)
                    return
                except _Stale:  # other writes were faster: pack what they have changed
                    continue

    def _pack_ahead(self, stage: Stage, series: Series, points: Columns) -> None:
        """Pack the stretches that are not packed yet."""

        def block(key: int) -> Columns:
            with self._database.reading() as db:
                return Tables(db, series.key).block(key)

        with self._database.reading() as db:
            spans = Tables(db, series.key).spans(*_reach(points))
        for stretch in stretches(spans, points):
            if stretch not in stage:
                with suppress(Missing):  # the block was changed meanwhile, and with it the stretch
                    stage.pack(stretch, points, block)
        stage.flush()

    def replace(self, series: Series, points: Columns, now: float) -> None:
        def job(db: sqlite3.Connection) -> None:
            rows = Tables(db, series.key)
            _clear(rows, -math.inf, math.inf, now)
            put(rows, now)

        with self.first_points(points) as put:
            self._database.write(job, amends=False)
        sweep(self._database)

    @contextmanager
    def first_points(self, points: Columns) -> Iterator[Callable[[Tables, float], None]]:
        """What puts these points into an empty series; many are packed ahead."""
        if len(points.t) <= _FEW:
            yield lambda rows, now: _merge_few(rows, points, now)
            return
        with Stage(self._database) as stage:
            (whole,) = stretches([], points)
            stage.pack(whole, points, _no_block)
            stage.flush()
            yield lambda rows, now: _put_in(rows, [stage[whole]], points, now)

    def clear(self, series: Series, start: float, end: float, now: float) -> None:
        self._database.write(
            lambda db: _clear(Tables(db, series.key), start, end, now), amends=False
        )
        sweep(self._database)

    def latest(self, series: Series) -> Point | None:
        return point(self._database.row(LATEST, (series.key,)))


def fold(rows: Tables) -> None:
    """Pack the tail's oldest rows into blocks, as many as others can wait for."""
    tail = rows.tail(-math.inf, math.inf, limit=_MOST_FOLDED)
    points = from_points((row.t, row.value) for row in tail)
    folded = stretches(rows.spans(*_reach(points)), points)[:_MOST_REPACKED]
    steps = chain.from_iterable(changes(stretch, points, rows.block) for stretch in folded)
    _exchange(rows, [rows.pack(steps)], gone=tail[: folded[-1].stop])
    rows.sweep()


def _merge_few(rows: Tables, points: Columns, now: float) -> None:
    if not len(points.t):
        return
    state = rows.state()
    known = {row.t: row.fresh for row in rows.tail(*_reach(points))}
    held = [False] * len(points.t)
    if points.t[0] <= state.final:
        held = _held(rows, points.t).tolist()
    new = [
        Row(t, value, known.get(t, not there)) for (t, value), there in zip(to_points(points), held)
    ]
    rows.put_tail(new)
    _close_tail(rows, state, now, added=[row.fresh for row in new if row.t not in known])


def _close_tail(rows: Tables, state: State, now: float, added: list[bool]) -> None:
    """Note rows that the tail got since ``state``, each fresh or not; fold it when it is long."""
    rows.touch(now, points=sum(added), tail=len(added))
    if state.tail + len(added) < SIZE:
        return
    with suppress(Damaged):  # reading tells of it; meanwhile new points find room in the tail
        fold(rows)


def _put_in(rows: Tables, parcels: list[Parcel], points: Columns, now: float) -> None:
    """Put blocks in their place; the points that were packed hide what the tail holds there."""
    tail = rows.tail(*_reach(points))
    hidden = _among(np.array([row.t for row in tail]), points.t)
    rows.touch(now)
    _exchange(rows, parcels, gone=list(compress(tail, hidden.tolist())))


def _clear(rows: Tables, start: float, end: float, now: float) -> None:
    rows.touch(now, generation=1)
    if (start, end) == (-math.inf, math.inf):
        rows.drop_all()
        return
    spans = [span for span in rows.spans(start, end) if span.final >= start]
    steps = (without(span, start, end, rows.block) for span in spans)
    _exchange(rows, [rows.pack(steps)], gone=rows.tail(start, end))


def _exchange(rows: Tables, parcels: list[Parcel], gone: list[Row]) -> None:
    """Put blocks in, and take out those they replace and the tail rows that are gone."""
    for parcel in parcels:
        rows.drop_blocks([span.key for span in parcel.dropped])
        rows.put_blocks(parcel.kept)
    rows.drop_tail(row.t for row in gone)
    growth = sum(parcel.growth for parcel in parcels)
    rows.count(points=growth - sum(row.fresh for row in gone), tail=-len(gone))


def _held(rows: Tables, t: Floats) -> NDArray[np.bool_]:
    """At which of these sorted instants a block holds a point."""
    held = np.zeros(len(t), np.bool_)
    for span in rows.spans(t[0], _next(t[-1])):
        low, high = np.searchsorted(t, [span.first, _next(span.final)])
        if low < high:
            held[low:high] = _among(t[low:high], rows.block(span.key).t)
    return held


def _is_held(rows: Tables, state: State, t: float) -> bool:
    return t <= state.final and bool(_held(rows, np.array([t]))[0])


def _among(t: Floats, instants: Floats) -> NDArray[np.bool_]:
    """Which of ``t`` are among these instants, of which there is one at least; both are sorted."""
    places = np.searchsorted(instants, t)
    found: NDArray[np.bool_] = instants[np.minimum(places, len(instants) - 1)] == t
    return found


def _no_block(key: int) -> Columns:
    raise Missing(f"there is no block {key}")


def _reach(points: Columns) -> tuple[float, float]:
    """The interval that tidy points lie in."""
    return float(points.t[0]), _next(float(points.t[-1]))


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)


def _later(t: float) -> float:
    """The next instant at least a microsecond on; far from 1970 doubles lie further apart."""
    return max(t + _TICK, _next(t))
