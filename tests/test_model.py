"""Random operations held against a plain dict: on a store, and on a service over HTTP."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import math
import shutil
import tempfile
import uuid
from collections.abc import Callable
from functools import partial
from itertools import chain, cycle
from typing import Any, NamedTuple
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
from tests.postgres import Databases
from tests.test_points import exact
from tests.test_storage import IDS, make, point_of
from timetric.points import Point, Value, format_csv, format_value, parse_csv
from timetric.server import blocks
from timetric.server.columns import Columns, from_points, tidy, to_points
from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import (
    Changed,
    Conflict,
    Missing,
    NotNumeric,
    Window,
    history,
    open_storage,
    parcel,
    pieces,
    tail,
)

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


class Asked(NamedTuple):
    """What a write asks for; ``match`` is whether it names the version that the series is of."""

    on_conflict: str = "replace"
    dry_run: bool = False
    key: str | None = None
    match: bool | None = None

    def versions(self, current: tuple[int, int]) -> frozenset[tuple[int, int]] | None:
        other = (current[0] + 1, current[1])
        return None if self.match is None else frozenset([current if self.match else other])


rarely = st.sampled_from([False, False, False, True])
asks = st.builds(
    Asked,
    on_conflict=st.sampled_from(["replace", "replace", "keep", "error"]),
    dry_run=rarely,
    key=rarely.map(lambda keyed: uuid.uuid4().hex if keyed else None),
    match=st.sampled_from([None, None, None, True, False]),
)

#: A write that was sent, to be sent again, and its receipt.
Sent = tuple[Callable[[], Receipt], Receipt]


class Directories:
    """Places of new stores in SQLite."""

    def new(self) -> str:
        return tempfile.mkdtemp()

    def drop(self, place: str) -> None:
        shutil.rmtree(place)


class StoreSubject:
    """A series of a store of its own."""

    def __init__(self, places: Directories | Databases) -> None:
        self.places = places
        self.place = places.new()
        self.store = open_storage(self.place, durability="normal")
        self.owner = self.store.accounts.add_user("owner", 0.0)
        self.series = make(self.store, IDS[0], self.owner)

    def close(self) -> None:
        assert list(self.store.check()) == []
        self.store.close()
        self.places.drop(self.place)

    def open_again(self) -> None:
        self.store.close()
        self.store = open_storage(self.place, durability="normal")

    def merge(self, points: list[Point], asked: Asked, current: tuple[int, int]) -> Receipt:
        terms = self._terms(asked, current, "merge", points)
        return self.store.merge(self.series, columns(points), 1.0, terms)

    def put_value(self, point: Point, asked: Asked, current: tuple[int, int]) -> Receipt:
        return self.store.put(self.series, point, 1.0, self._terms(asked, current, "put", point))

    def append(self, value: Value, now: float, asked: Asked, current: tuple[int, int]) -> Receipt:
        terms = self._terms(asked, current, "append", value)
        return self.store.append(self.series, value, now, terms)

    def increment(
        self, amount: float, now: float, asked: Asked, current: tuple[int, int]
    ) -> Receipt:
        terms = self._terms(asked, current, "increment", amount)
        return self.store.increment(self.series, amount, now, terms)

    def replace(self, points: list[Point], asked: Asked, current: tuple[int, int]) -> Receipt:
        terms = self._terms(asked, current, "replace", points)
        return self.store.replace(self.series, columns(points), 1.0, terms)

    def clear(self, start: float, end: float, asked: Asked, current: tuple[int, int]) -> Receipt:
        terms = self._terms(asked, current, "clear", (start, end))
        return self.store.clear(self.series, start, end, 1.0, terms)

    def remove(self) -> Receipt:
        """Remove the series, and go on with a new one."""
        receipt = self.store.remove(self.series, 1.0)
        with pytest.raises(Missing):
            self.store.series(self.series.id)
        self.series = make(self.store, uuid.uuid4().hex[:22], self.owner)
        return receipt

    def _terms(self, asked: Asked, current: tuple[int, int], *meaning: object) -> Terms:
        key = asked.key and Key(asked.key, repr(meaning).encode())
        return Terms(None, key or None, asked.versions(current), asked.on_conflict, asked.dry_run)

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
        self.forms = cycle(FORMS)
        self.make()

    def make(self) -> None:
        self.send("POST", "/create/?title=Power&caption=Office+power")
        self.path = urlsplit(self.reply.headers["Location"]).path

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        self.connection.request(
            method, path, body, {"Content-Type": "text/csv", **names, **self.headers}
        )
        self.reply = self.connection.getresponse()
        content = self.reply.read()
        if self.reply.status in REFUSALS:
            problem = json.loads(content)
            raise REFUSALS[self.reply.status](problem.get("timestamp", problem["detail"]))
        assert self.reply.status in (200, 201, 204), content
        return content

    def close(self) -> None:
        self.connection.close()

    def merge(self, points: list[Point], asked: Asked, current: tuple[int, int]) -> Receipt:
        body, headers = next(self.forms)(points)
        return self._write("POST", asked, current, body, **headers)

    def put_value(self, point: Point, asked: Asked, current: tuple[int, int]) -> Receipt:
        form = {"value": format_value(point[1]), "timestamp": repr(point[0])}
        return self._post_form(form, asked, current)

    def append(self, value: Value, now: float, asked: Asked, current: tuple[int, int]) -> Receipt:
        return self._post_form({"value": format_value(value)}, asked, current)

    def increment(
        self, amount: float, now: float, asked: Asked, current: tuple[int, int]
    ) -> Receipt:
        return self._post_form({"increment": repr(amount)}, asked, current)

    def replace(self, points: list[Point], asked: Asked, current: tuple[int, int]) -> Receipt:
        body, headers = next(self.forms)(points)
        asked = asked._replace(on_conflict="replace")
        return self._write("PUT", asked, current, body, **headers)

    def clear(self, start: float, end: float, asked: Asked, current: tuple[int, int]) -> Receipt:
        bounds = {"start": start, "end": end}
        query = {name: repr(bound) for name, bound in bounds.items() if math.isfinite(bound)}
        asked = asked._replace(on_conflict="")
        return self._write("DELETE", asked, current, query=query)

    def remove(self) -> Receipt:
        """Remove the series, and go on with a new one."""
        self.send("DELETE", f"{self.path}?series=true")
        receipt = receipt_of(self.reply.headers)
        self.make()
        return receipt

    def _post_form(self, fields: dict[str, str], asked: Asked, current: tuple[int, int]) -> Receipt:
        kind = "application/x-www-form-urlencoded"
        body = urlencode(fields).encode()
        return self._write("POST", asked, current, body, Content_Type=kind)

    def _write(
        self,
        method: str,
        asked: Asked,
        current: tuple[int, int],
        body: bytes = b"",
        query: dict[str, str] | None = None,
        **headers: str,
    ) -> Receipt:
        told = {"on_conflict": asked.on_conflict, "dry_run": "true" if asked.dry_run else ""}
        query = {name: text for name, text in {**told, **(query or {})}.items() if text}
        if asked.key:
            headers["Idempotency_Key"] = asked.key
        for version, generation in asked.versions(current) or ():
            headers["If_Match"] = f'"none", W/"{version}.{generation}-csv-gzip"'
        self.send(method, f"{self.path}?{urlencode(query)}", body, **headers)
        return receipt_of(self.reply.headers)

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


def as_csv(points: list[Point]) -> tuple[bytes, dict[str, str]]:
    return b"".join(format_csv(points)), {}


def as_records(points: list[Point]) -> tuple[bytes, dict[str, str]]:
    table = np.column_stack(from_points(points)).astype("<f8")
    return table.tobytes(), {"Content_Type": "application/vnd.timetric.points"}


def packed(points: list[Point]) -> tuple[bytes, dict[str, str]]:
    body, headers = as_records(points)
    return gzip.compress(body), {**headers, "Content_Encoding": "gzip"}


#: The forms that points are sent in.
FORMS = (as_csv, as_records, packed)

#: What the service's refusals are to a store; Changed and the rest say what, Conflict says where.
REFUSALS: dict[int, Callable[[Any], Exception]] = {
    409: lambda what: Conflict(what) if isinstance(what, float) else NotNumeric(what),
    412: Changed,
}


def receipt_of(headers: http.client.HTTPMessage) -> Receipt:
    counts = [int(headers[f"Timetric-{name.title()}"]) for name in Receipt._fields[:6]]
    point = next(parse_csv(headers.get("Timetric-Point", "").encode()), None)
    return Receipt(*counts)._replace(point=point)


class SeriesMachine(RuleBasedStateMachine):
    """What holds for every subject."""

    def __init__(self, subject: Callable[[], Any]) -> None:
        super().__init__()
        self.subject = subject()
        self.begin_anew()

    def begin_anew(self) -> None:
        self.model: dict[float, Value] = {}
        self.version = self.generation = 0
        self.sent: list[Sent] = []

    def teardown(self) -> None:
        self.subject.close()

    def send(self, asked: Asked, write: Callable[..., Receipt], *what: Any) -> Receipt | None:
        """The receipt of a write; none where it names another version, and is refused."""
        current = (self.version, self.generation)
        again = partial(write, *what, asked, current)
        if asked.match is False:
            with pytest.raises(Changed):
                again()
            return None
        receipt = again()
        if asked.key and not asked.dry_run:
            self.sent.append((again, receipt))
        return receipt

    def settle(
        self,
        receipt: Receipt,
        model: dict[float, Value],
        sent: list[Point],
        asked: Asked,
        rewrites: bool = False,
    ) -> None:
        """Hold a receipt against what becomes of the model, and let it become that."""
        before, sizes = self.model, len(dict(sent))
        added = len(model.keys() - before.keys())
        removed = len(before.keys() - model.keys())
        replaced = sum(repr(before[t]) != repr(v) for t, v in model.items() if t in before)
        if not asked.dry_run:
            self.model = model
            self.version += bool(added or removed or replaced)
            self.generation += bool(removed or (rewrites and (added or replaced)))
        counts = (len(sent), added, replaced, sizes - added - replaced, removed, self.version)
        assert receipt[:6] == counts

    def expected(self, points: list[Point], asked: Asked) -> dict[float, Value]:
        """The model with points put over it, or below it. Raises Conflict."""
        if asked.on_conflict == "keep":
            return {**dict(points), **self.model}
        for t, value in sorted(dict(points).items()) if asked.on_conflict == "error" else ():
            if t in self.model and repr(self.model[t]) != repr(value):
                raise Conflict(t)
        return {**self.model, **dict(points)}

    def put(
        self, points: list[Point], asked: Asked, write: Callable[..., Receipt], what: Any
    ) -> None:
        try:
            model = self.expected(points, asked)
        except Conflict as conflict:
            if asked.match is not False:
                with pytest.raises(Conflict) as caught:
                    self.send(asked, write, what)
                assert caught.value.timestamp == conflict.timestamp
            return
        receipt = self.send(asked, write, what)
        if receipt:
            self.settle(receipt, model, points, asked)

    @rule(start=instants, step=steps, count=counts, value=values, asked=asks)
    def merge(self, start: float, step: float, count: int, value: Value, asked: Asked) -> None:
        points = a_run(start, step, count, value)
        self.put(points, asked, self.subject.merge, points)

    @rule(start=instants, count=st.integers(1, 30))
    def merge_many_small_ones(self, start: float, count: int) -> None:
        for n in range(count):
            self.merge(start + n * 100, 1.0, 250, None, Asked())

    @rule(asked=asks, share=st.sampled_from([1, 2, 7]))
    def merge_what_is_there(self, asked: Asked, share: int) -> None:
        points = self.points()[::share]
        self.put(points, asked, self.subject.merge, points)

    @rule(t=instants, value=values, asked=asks)
    def put_a_value_at_its_time(self, t: float, value: Value, asked: Asked) -> None:
        self.put([(t, value)], asked, self.subject.put_value, (t, value))

    @rule(now=instants, value=values, asked=asks)
    def append(self, now: float, value: Value, asked: Asked) -> None:
        receipt = self.send(asked, self.subject.append, value, now)
        if receipt:
            t, stored = point_of(receipt)
            assert t not in self.model
            assert t >= now
            assert exact([(t, stored)]) == exact([(t, value)])
            self.settle(receipt, {**self.model, t: stored}, [(t, stored)], asked)

    @rule(now=instants, amount=st.integers(-5, 5).map(float), asked=asks)
    def increment(self, now: float, amount: float, asked: Asked) -> None:
        latest_time, latest = max(self.model.items(), default=(-math.inf, 0.0))
        if type(latest) is not float:
            with pytest.raises(NotNumeric):
                self.subject.increment(amount, now, Asked(), (self.version, self.generation))
            return
        receipt = self.send(asked, self.subject.increment, amount, now)
        if receipt:
            t, value = point_of(receipt)
            assert t > latest_time
            assert value == latest + amount
            self.settle(receipt, {**self.model, t: value}, [(t, value)], asked)

    @rule(start=instants, step=steps, count=counts, asked=asks)
    def replace(self, start: float, step: float, count: int, asked: Asked) -> None:
        points, asked = a_run(start, step, count, True), asked._replace(on_conflict="replace")
        receipt = self.send(asked, self.subject.replace, points)
        if receipt:
            self.settle(receipt, dict(points), points, asked, rewrites=True)

    @rule(asked=asks, value=values)
    def replace_by_nearly_the_same(self, asked: Asked, value: Value) -> None:
        points, asked = self.points(), asked._replace(on_conflict="replace")
        points[: len(points) // 3] = [(t, value) for t, _ in points[: len(points) // 3]]
        receipt = self.send(asked, self.subject.replace, points)
        if receipt:
            self.settle(receipt, dict(points), points, asked, rewrites=True)

    @rule(asked=asks)
    def clear(self, asked: Asked) -> None:
        self._clear(-math.inf, math.inf, asked)

    @rule(start=instants, length=st.integers(0, 5_000), asked=asks)
    def clear_a_range(self, start: float, length: int, asked: Asked) -> None:
        self._clear(start, start + length, asked)

    def _clear(self, start: float, end: float, asked: Asked) -> None:
        receipt = self.send(asked, self.subject.clear, start, end)
        if receipt:
            left = {t: value for t, value in self.model.items() if not start <= t < end}
            self.settle(receipt, left, [], asked)

    @rule()
    def remove(self) -> None:
        receipt = self.subject.remove()
        assert receipt == Receipt(removed=len(self.model), version=self.version + 1)
        self.begin_anew()

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 100))
    def repeat(self, which: int) -> None:
        again, receipt = self.sent[which % len(self.sent)]
        assert again() == receipt

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
        self.append(now, value, Asked())
        t = next(reversed(self.model))
        assert t < now + 0.5
        assert (t == now) == free

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


@pytest.fixture(params=["sqlite", "postgres"])
def places(request: pytest.FixtureRequest) -> Directories | Databases:
    if request.param == "sqlite":
        return Directories()
    made: Databases = request.getfixturevalue("postgres_databases")
    return made


@pytest.mark.slow
def test_a_store_does_what_a_dict_does(longer: int, places: Directories | Databases) -> None:
    run(partial(StoreMachine, partial(StoreSubject, places)), examples=30 * longer, steps=20)


@pytest.mark.slow
def test_a_store_of_many_small_blocks_does_what_a_dict_does(
    longer: int, places: Directories | Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"SIZE": 16, "_HALF": 8, "_CHUNK": 64, "_FEW": 4, "_PIECE": 3}
    limits = {"_MOST_FOLDED": 50, "MOST_REPACKED": 3}
    for module in (blocks, parcel, history, pieces, tail):
        for name, value in {**small, **limits}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    run(partial(StoreMachine, partial(StoreSubject, places)), examples=12 * longer, steps=20)


@pytest.mark.slow
def test_a_service_does_what_a_dict_does(longer: int, service: RunningService) -> None:
    run(partial(ServiceMachine, partial(ServiceSubject, service)), examples=25 * longer, steps=15)
