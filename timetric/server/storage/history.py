"""What is done to the points of a series: append, increment, merge, replace, clear.

Few points go to the tail as rows, many are packed into blocks ahead of the transaction that puts
these in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from timetric.points import Point, Value
from timetric.server.blocks import SIZE
from timetric.server.columns import Columns, to_points
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Missing, Series, tail
from timetric.server.storage.bulk import Merge, Plan, Replacement, Stale, Standing
from timetric.server.storage.engine import Engine, scope_of
from timetric.server.storage.parcel import MOST_REPACKED, changes, stretches, without
from timetric.server.storage.stage import Stage
from timetric.server.storage.tables import Tables

_FEW = 256  # points of a write that go to the tail
_TRIES = 5  # to pack ahead of the transaction before it is done within


class History:
    """The points of all series of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, series: Series, value: Value, now: float, terms: Terms) -> Receipt:
        added = self._engine.add(series, (now, value), now, terms, SIZE)
        job = partial(tail.append, value=value, now=now)
        return added or self._write(series, now, terms, job)

    def increment(self, series: Series, amount: float, now: float, terms: Terms) -> Receipt:
        return self._write(series, now, terms, partial(tail.increment, amount=amount, now=now))

    def put(self, series: Series, point: Point, now: float, terms: Terms) -> Receipt:
        added = self._engine.add(series, point, now, terms, SIZE)
        job = partial(tail.put_one, point=point, now=now, terms=terms)
        return added or self._write(series, now, terms, job)

    def merge(self, series: Series, points: Columns, now: float, terms: Terms) -> Receipt:
        if len(points.t) <= _FEW:
            few = list(to_points(points))
            job = partial(tail.put, points=few, now=now, terms=terms)
            return self._write(series, now, terms, job)
        standing = Standing(self._engine, series.key)

        def pack() -> Receipt:
            if terms.dry_run:
                return standing.meet(points, terms)
            with self._engine.stage() as stage:
                plan = Merge(stage, standing, points, terms)
                return self._settle(series, now, terms, plan, stage)

        return self._engine.once(scope_of(series), terms, now, pack)

    def replace(self, series: Series, points: Columns, now: float, terms: Terms) -> Receipt:
        standing = Standing(self._engine, series.key)

        def pack() -> Receipt:
            if terms.dry_run:
                return standing.meet(points, terms, rewrites=True)
            with self.first_points(points) as (put, stage):
                plan = Replacement(put, standing, points, terms)
                return self._settle(series, now, terms, plan, stage)

        receipt = self._engine.once(scope_of(series), terms, now, pack)
        self._engine.sweep()
        return receipt

    def clear(self, series: Series, start: float, end: float, now: float, terms: Terms) -> Receipt:
        receipt = self._write(series, now, terms, partial(_clear, start=start, end=end, now=now))
        self._engine.sweep()
        return receipt

    @contextmanager
    def first_points(
        self, points: Columns
    ) -> Iterator[tuple[Callable[[Tables], object], Stage | None]]:
        """What puts these points into an empty series; many are packed ahead, in a stage."""
        if len(points.t) <= _FEW:
            yield partial(tail.put_first, points=points), None
            return
        with self._engine.stage() as stage:
            (whole,) = stretches([], points)
            stage.pack(whole, changes(whole, points, _no_block))
            stage.flush()
            parcel = stage[whole]
            yield (lambda rows: rows.exchange([parcel], gone=[])), stage

    def _settle(
        self, series: Series, now: float, terms: Terms, plan: Plan, stage: Stage | None
    ) -> Receipt:
        """Store what was prepared; what other writes have changed meanwhile is prepared again."""
        for _ in range(_TRIES):
            plan.prepare()
            with suppress(Stale):  # other writes were faster
                job = partial(plan.store, now=now, most=MOST_REPACKED)
                return self._engine.write(series, terms, now, job, stage)
        job = partial(plan.store, now=now, most=math.inf)
        return self._engine.write(series, terms, now, job, stage)

    def _write(
        self, series: Series, now: float, terms: Terms, job: Callable[[Tables], Receipt]
    ) -> Receipt:
        return self._engine.write(series, terms, now, job)


def _clear(rows: Tables, start: float, end: float, now: float) -> Receipt:
    state = rows.state()
    if state.points and (start, end) == (-math.inf, math.inf):
        rows.touch(now, generation=1)
        rows.drop_all()
        return Receipt(removed=state.points, version=state.version + 1)
    spans = [span for span in rows.spans(start, end) if span.final >= start]
    rests = [(span, without(span, start, end, rows.block)) for span in spans]
    steps = [rest for span, rest in rests if len(rest.columns.t) < span.size]
    gone = rows.tail(start, end)
    if not steps and not gone:
        return Receipt(version=state.version)
    rows.touch(now, generation=1)
    removed = -rows.exchange([rows.pack(iter(steps))], gone=gone)
    return Receipt(removed=removed, version=state.version + 1)


def _no_block(key: int) -> Columns:
    raise Missing(f"there is no block {key}")
