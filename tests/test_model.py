"""Random operations on a store, held against a plain dict."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.test_points import exact
from tests.test_storage import IDS, METADATA
from timetric.points import Point, Value
from timetric.server.columns import EMPTY, Columns, from_points, tidy, to_points
from timetric.server.storage import NotNumeric, Window, open_storage

WORDS: list[Value] = [None, True, False, -0.0, 5e-324]

# Instants on a coarse grid, so that writes meet; steps and counts so that blocks come about.
instants = st.integers(0, 40_000).map(float)
counts = st.one_of(st.integers(1, 300), st.integers(250, 9_000))
steps = st.sampled_from([0.5, 1.0, 3.0, 7.0])
values = st.one_of(st.sampled_from(WORDS), st.integers(-1000, 1000).map(float))


def a_run(start: float, step: float, count: int, value: Value) -> Columns:
    """Points at regular instants; every tenth value is ``value``, the others count on."""
    times = start + step * np.arange(count)
    numbers: list[Value] = [value if n % 10 == 0 else start + n for n in range(count)]
    return tidy(from_points(zip(times.tolist(), numbers)))


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.directory = tempfile.mkdtemp()
        self.store = open_storage(self.directory, durability="normal")
        owner = self.store.add_user("owner", 0.0)
        self.series = self.store.create(IDS[0], owner, METADATA, EMPTY, 0.0)
        self.model: dict[float, Value] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert list(self.store.check()) == []
            self.store.close()
            shutil.rmtree(self.directory)

    @rule(start=instants, step=steps, count=counts, value=values)
    def merge(self, start: float, step: float, count: int, value: Value) -> None:
        points = a_run(start, step, count, value)
        self.store.merge(self.series, points, 1.0)
        self.model.update(to_points(points))

    @rule(start=instants, count=st.integers(1, 30))
    def merge_many_small_ones(self, start: float, count: int) -> None:
        for n in range(count):
            self.merge(start + n * 100, 1.0, 250, None)

    @rule(now=instants, value=values)
    def append(self, now: float, value: Value) -> None:
        t, stored = self.store.append(self.series, value, now)
        assert t not in self.model
        assert now <= t < now + 0.5
        assert (t == now) == (now not in self.model)
        self.model[t] = stored

    @rule(now=instants, amount=st.integers(-5, 5).map(float))
    def increment(self, now: float, amount: float) -> None:
        latest_time, latest = max(self.model.items(), default=(-math.inf, 0.0))
        if type(latest) is not float:
            try:
                self.store.increment(self.series, amount, now)
            except NotNumeric:
                return
            raise AssertionError("a word was counted on from")
        t, value = self.store.increment(self.series, amount, now)
        assert t > latest_time
        assert value == latest + amount
        self.model[t] = value

    @rule(start=instants, step=steps, count=counts)
    def replace(self, start: float, step: float, count: int) -> None:
        points = a_run(start, step, count, True)
        self.store.replace(self.series, points, 1.0)
        self.model = dict(to_points(points))

    @rule()
    def clear(self) -> None:
        self.store.clear(self.series, -math.inf, math.inf, 1.0)
        self.model = {}

    @rule(start=instants, length=st.integers(0, 5_000))
    def clear_a_range(self, start: float, length: int) -> None:
        self.store.clear(self.series, start, start + length, 1.0)
        self.model = {t: v for t, v in self.model.items() if not start <= t < start + length}

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = open_storage(self.directory, durability="normal")

    @precondition(lambda self: self.model)
    @rule(
        start=instants,
        length=st.integers(0, 40_000),
        limit=st.one_of(st.none(), st.integers(1, 10_000)),
        descending=st.booleans(),
    )
    def read_a_range(self, start: float, length: int, limit: int | None, descending: bool) -> None:
        window = Window(start, start + length, limit, descending)
        inside = [(t, v) for t, v in self.points() if start <= t < start + length]
        expected = inside[::-1] if descending else inside
        assert exact(self.read(window)) == exact(expected[:limit])

    @invariant()
    def all_is_there(self) -> None:
        if not hasattr(self, "store"):
            return
        assert exact(self.read(Window())) == exact(self.points())
        assert self.store.series(self.series.id).points == len(self.model)
        latest = self.store.latest(self.series)
        assert exact([latest] if latest else []) == exact(self.points()[-1:])

    def points(self) -> list[Point]:
        return sorted(self.model.items())

    def read(self, window: Window) -> list[Any]:
        return [point for piece in self.pieces(window) for point in piece]

    def pieces(self, window: Window) -> Iterator[list[Point]]:
        for piece in self.store.read(self.series, window):
            yield list(to_points(piece))


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=30,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
