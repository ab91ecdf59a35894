"""Random operations held against a plain dict: on a store, and on a service over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import RunningService
from tests.test_points import exact
from tests.test_storage import IDS, METADATA
from timetric.points import Point, Value, format_csv, format_value, parse_csv
from timetric.server import blocks
from timetric.server.columns import EMPTY, Columns, from_points, tidy, to_points
from timetric.server.storage import NotNumeric, Window, history, open_storage, parcel

WORDS: list[Value] = [None, True, False, -0.0, 5e-324]

# Instants on a coarse grid, so that writes meet; steps and counts so that blocks come about.
instants = st.one_of(st.integers(0, 10_000), st.integers(0, 100_000)).map(float)
lengths = st.integers(0, 40_000)
counts = st.one_of(st.integers(1, 300), st.integers(250, 9_000))
limits = st.one_of(st.none(), st.integers(1, 10_000))
steps = st.sampled_from([0.5, 1.0, 3.0, 7.0])
values = st.one_of(st.sampled_from(WORDS), st.integers(-1000, 1000).map(float))


def a_run(start: float, step: float, count: int, value: Value) -> list[Point]:
    """Points at regular instants; every tenth value is ``value``, the others count on."""
    times: list[float] = (start + step * np.arange(count)).tolist()
    return [(t, value if n % 10 == 0 else start + n) for n, t in enumerate(times)]


def columns(points: list[Point]) -> Columns:
    return tidy(from_points(points))


class StoreSubject:
    """A series of a store of its own."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp()
        self.store = open_storage(self.directory, durability="normal")
        owner = self.store.accounts.add_user("owner", 0.0)
        self.series = self.store.create(IDS[0], owner, METADATA, EMPTY, 0.0)

    def close(self) -> None:
        assert list(self.store.check()) == []
        self.store.close()
        shutil.rmtree(self.directory)

    def open_again(self) -> None:
        self.store.close()
        self.store = open_storage(self.directory, durability="normal")

    def merge(self, points: list[Point]) -> None:
        self.store.merge(self.series, columns(points), 1.0)

    def append(self, value: Value, now: float) -> Point:
        return self.store.append(self.series, value, now)

    def increment(self, amount: float, now: float) -> Point:
        return self.store.increment(self.series, amount, now)

    def replace(self, points: list[Point]) -> None:
        self.store.replace(self.series, columns(points), 1.0)

    def clear(self) -> None:
        self.clear_range(-math.inf, math.inf)

    def clear_range(self, start: float, end: float) -> None:
        self.store.clear(self.series, start, end, 1.0)

    def read(self, window: Window) -> list[Point]:
        return list(chain.from_iterable(map(to_points, self.store.read(self.series, window))))

    def cut(self, window: Window) -> float | None:
        return self.store.cut(self.series, window)

    def may_hold_words(self, window: Window) -> bool:
        return self.store.may_hold_words(self.series, window)

    def latest(self) -> Point | None:
        return self.store.latest(self.series)

    def count(self) -> int:
        return self.store.series(self.series.id).points


class ServiceSubject:
    """A new series of a running service, over one connection. Its clock is the machine's."""

    def __init__(self, service: RunningService) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=60)
        pair = f"{service.config['apitoken_key']}:{service.config['apitoken_secret']}"
        self.headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        self.send("POST", "/create/?title=Power&caption=Office+power")
        self.path = urlsplit(self.reply.headers["Location"]).path

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "text/csv") -> bytes:
        self.connection.request(method, path, body, {**self.headers, "Content-Type": kind})
        self.reply = self.connection.getresponse()
        content = self.reply.read()
        if self.reply.status == 409:
            raise NotNumeric(json.loads(content)["detail"])
        assert self.reply.status in (200, 201, 204), content
        return content

    def close(self) -> None:
        self.connection.close()

    def merge(self, points: list[Point]) -> None:
        self.send("POST", self.path, b"".join(format_csv(points)))

    def put_value(self, point: Point) -> None:
        self._post_form(value=format_value(point[1]), timestamp=repr(point[0]))

    def append(self, value: Value, now: float) -> Point | None:
        self._post_form(value=format_value(value))
        return self.latest()

    def increment(self, amount: float, now: float) -> Point | None:
        self._post_form(increment=repr(amount))
        return self.latest()

    def replace(self, points: list[Point]) -> None:
        self.send("PUT", self.path, b"".join(format_csv(points)))

    def clear(self) -> None:
        self.send("DELETE", self.path)

    def read(self, window: Window) -> list[Point]:
        bounds = {"after": math.nextafter(window.start, -math.inf), "end": window.end}
        query = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        if window.limit is not None:
            query["limit"] = window.limit
        return list(parse_csv(self.send("GET", f"{self.path}csv/?{urlencode(query)}")))

    def latest(self) -> Point | None:
        latest = json.loads(self.send("GET", f"{self.path}value/json/"))
        return None if latest["timestamp"] is None else (latest["timestamp"], latest["value"])

    def pages(self, limit: int) -> list[list[Point]]:
        """The whole history, as the links lead through it."""
        address, pages = f"{self.path}csv/?limit={limit}", []
        while address:
            pages.append(list(parse_csv(self.send("GET", address))))
            link = self.reply.headers.get("Link", "<>")
            parts = urlsplit(link[1 : link.index(">")])
            address = parts.path and f"{parts.path}?{parts.query}"
        return pages

    def _post_form(self, **fields: str) -> None:
        form = urlencode(fields).encode()
        self.send("POST", self.path, form, "application/x-www-form-urlencoded")


class SeriesMachine(RuleBasedStateMachine):
    """What holds for every subject."""

    def __init__(self, subject: Callable[[], Any]) -> None:
        super().__init__()
        self.subject = subject()
        self.model: dict[float, Value] = {}

    def teardown(self) -> None:
        self.subject.close()

    @rule(start=instants, step=steps, count=counts, value=values)
    def merge(self, start: float, step: float, count: int, value: Value) -> None:
        points = a_run(start, step, count, value)
        self.subject.merge(points)
        self.model.update(points)

    @rule(start=instants, count=st.integers(1, 30))
    def merge_many_small_ones(self, start: float, count: int) -> None:
        for n in range(count):
            self.merge(start + n * 100, 1.0, 250, None)

    @rule(now=instants, value=values)
    def append(self, now: float, value: Value) -> None:
        t, stored = self.subject.append(value, now)
        assert t not in self.model
        assert t >= now
        assert exact([(t, stored)]) == exact([(t, value)])
        self.model[t] = stored

    @rule(now=instants, amount=st.integers(-5, 5).map(float))
    def increment(self, now: float, amount: float) -> None:
        latest_time, latest = max(self.model.items(), default=(-math.inf, 0.0))
        if type(latest) is not float:
            with pytest.raises(NotNumeric):
                self.subject.increment(amount, now)
            return
        t, value = self.subject.increment(amount, now)
        assert t > latest_time
        assert value == latest + amount
        self.model[t] = value

    @rule(start=instants, step=steps, count=counts)
    def replace(self, start: float, step: float, count: int) -> None:
        points = a_run(start, step, count, True)
        self.subject.replace(points)
        self.model = dict(points)

    @rule()
    def clear(self) -> None:
        self.subject.clear()
        self.model = {}

    @precondition(lambda self: self.model)
    @rule(start=instants, length=lengths, limit=limits)
    def read_a_range(self, start: float, length: int, limit: int | None) -> None:
        read = self.subject.read(Window(start, start + length, limit))
        assert exact(read) == exact(self.points(start, start + length)[:limit])

    @invariant()
    def all_is_there(self) -> None:
        assert exact(self.subject.read(Window())) == exact(self.points())
        latest = self.subject.latest()
        assert exact([latest] if latest else []) == exact(self.points()[-1:])

    def points(self, start: float = -math.inf, end: float = math.inf) -> list[Point]:
        return sorted((t, value) for t, value in self.model.items() if start <= t < end)


class StoreMachine(SeriesMachine):
    """What only a store can be asked for by now."""

    @rule(now=instants, value=values)
    def append_at_the_next_free_instant(self, now: float, value: Value) -> None:
        free = now not in self.model
        self.append(now, value)
        t = next(reversed(self.model))
        assert t < now + 0.5
        assert (t == now) == free

    @rule(start=instants, length=st.integers(0, 5_000))
    def clear_a_range(self, start: float, length: int) -> None:
        self.subject.clear_range(start, start + length)
        self.model = {t: v for t, v in self.model.items() if not start <= t < start + length}

    @precondition(lambda self: self.model)
    @rule(start=instants, length=lengths, limit=limits)
    def read_a_range_backwards(self, start: float, length: int, limit: int | None) -> None:
        read = self.subject.read(Window(start, start + length, limit, descending=True))
        assert exact(read) == exact(self.points(start, start + length)[::-1][:limit])

    @rule(start=instants, length=lengths, data=st.data(), descending=st.booleans())
    def find_where_a_limit_cuts(
        self, start: float, length: int, data: st.DataObject, descending: bool
    ) -> None:
        points = self.points(start, start + length)
        limit = data.draw(st.integers(1, len(points) + 2))
        window = Window(start, start + length, limit, descending)
        ordered = points[::-1] if descending else points
        assert self.subject.cut(window) == (ordered[limit - 1][0] if ordered[limit:] else None)
        if not self.subject.may_hold_words(window):
            assert all(type(value) is float for _, value in points)

    @rule()
    def open_again(self) -> None:
        self.subject.open_again()

    @invariant()
    def points_are_counted(self) -> None:
        assert self.subject.count() == len(self.model)


class ServiceMachine(SeriesMachine):
    """What only a service has."""

    @rule(t=instants, value=values)
    def put_a_value_at_its_time(self, t: float, value: Value) -> None:
        self.subject.put_value((t, value))
        self.model[t] = value

    @precondition(lambda self: self.model)
    @rule(limit=st.integers(2_000, 10_000))
    def read_page_by_page(self, limit: int) -> None:
        pages = self.subject.pages(limit)
        assert exact(chain.from_iterable(pages)) == exact(self.points())
        assert {len(page) for page in pages[:-1]} <= {limit}


def run(machine: Callable[[], SeriesMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def longer(request: pytest.FixtureRequest) -> int:
    """How many times more examples to try: more under ``pytest -m slow``."""
    return 10 if request.config.getoption("markexpr") == "slow" else 1


@pytest.mark.slow
def test_a_store_does_what_a_dict_does(longer: int) -> None:
    run(partial(StoreMachine, StoreSubject), examples=30 * longer, steps=20)


@pytest.mark.slow
def test_a_store_of_many_small_blocks_does_what_a_dict_does(
    longer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"SIZE": 16, "_HALF": 8, "_CHUNK": 64, "_FEW": 4, "_PIECE": 3}
    limits = {"_MOST_FOLDED": 50, "_MOST_REPACKED": 3}
    for module in (blocks, parcel, history):
        for name, value in {**small, **limits}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    run(partial(StoreMachine, StoreSubject), examples=12 * longer, steps=20)


@pytest.mark.slow
def test_a_service_does_what_a_dict_does(longer: int, service: RunningService) -> None:
    run(partial(ServiceMachine, partial(ServiceSubject, service)), examples=25 * longer, steps=15)
