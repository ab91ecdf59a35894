"""chart.json: what a chart draws of a series, held against the points themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service import Reply, Service, running_service
from timetric.points import Point, Value, format_csv

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


class Row(NamedTuple):
    first: float
    final: float
    minimum: float | None
    mean: float | None
    maximum: float | None
    numbers: int


def ask(service: Service, path: str, query: str = "") -> Reply:
    return service.owner_sends("GET", f"{path}chart.json?{query}")


def chart(service: Service, path: str, query: str = "") -> list[Row]:
    reply = ask(service, path, query)
    assert reply.status == 200, reply.body
    table: dict[str, Any] = json.loads(reply.body)
    return [Row(*cells) for cells in zip(*(table[name] for name in Row._fields))]


def create(service: Service, points: list[Point]) -> str:
    return service.create(b"".join(format_csv(points)))


def alone(t: float, value: float) -> Row:
    return Row(t, t, value, value, value, 1)


def null(t: float) -> Row:
    return Row(t, t, None, None, None, 0)


def number(value: Value) -> float | None:
    """Where a value is drawn."""
    return None if value is None else float(value)


def assert_drawn(found: list[Row], points: list[Point], most: int) -> None:
    """Each stretch says what its points come to, all of them are in one, and nulls between."""
    assert sum(1 for row in found if row.numbers) <= most
    numbers = [(t, drawn) for t, v in points if (drawn := number(v)) is not None]
    nulls = [t for t, v in points if v is None]
    stretches = [row for row in found if row.numbers]
    assert sum(row.numbers for row in stretches) == len(numbers)
    t, v = (np.array(column) for column in zip(*numbers))
    for row in stretches:
        held = v[np.searchsorted(t, row.first) : np.searchsorted(t, row.final, "right")]
        assert (row.minimum, row.maximum, row.numbers) == (held.min(), held.max(), len(held))
        assert row.mean == pytest.approx(fmean(held), rel=1e-9, abs=1e-9)
    for before, after in zip(stretches, stretches[1:]):
        assert before.final < after.first
        between = [row.first for row in found if before.final < row.first < after.first]
        assert len(between) <= 1, "one null breaks a line"
        assert set(between) <= set(nulls)
        is_broken = any(before.final < t < after.first for t in nulls)
        assert bool(between) == is_broken


def test_few_points_are_drawn_each(service: Service) -> None:
    path = create(service, [(0.0, 1.0), (10.0, None), (20.0, True), (30.0, False), (40.0, 2.5)])
    assert chart(service, path) == [
        alone(0.0, 1.0),
        null(10.0),
        alone(20.0, 1.0),
        alone(30.0, 0.0),
        alone(40.0, 2.5),
    ]
    assert json.loads(ask(service, path).body)["extent"] == [0.0, 40.0]


def test_of_an_empty_series_there_is_nothing(service: Service) -> None:
    path = service.create()
    assert chart(service, path) == []
    assert json.loads(ask(service, path).body)["extent"] is None


def test_of_nulls_one_after_another_one_is_told(service: Service) -> None:
    rows: list[Point] = [(0.0, 1.0), (1.0, None), (2.0, None), (3.0, None), (4.0, 1.0)]
    path = create(service, rows)
    assert chart(service, path) == [alone(0.0, 1.0), null(1.0), alone(4.0, 1.0)]


def test_a_window_has_the_points_beside_it_to_which_the_line_goes(service: Service) -> None:
    path = create(service, [(float(t), float(t)) for t in range(0, 100, 10)])
    found = chart(service, path, "start=35&end=60")
    assert [row.first for row in found] == [30.0, 40.0, 50.0, 60.0]
    assert [row.first for row in chart(service, path, "start=1970-01-01&end=15")] == [
        0.0,
        10.0,
        20.0,
    ]
    assert [row.first for row in chart(service, path, "start=41&end=42")] == [40.0, 50.0]
    assert [row.first for row in chart(service, path, "start=500&end=600")] == [90.0]
    assert [row.first for row in chart(service, path, "start=-600&end=-500")] == [0.0]
    assert json.loads(ask(service, path, "start=41&end=42").body)["extent"] == [0.0, 90.0]


def test_a_window_that_ends_before_it_starts_holds_nothing(service: Service) -> None:
    path = create(service, [(0.0, 1.0)])
    assert chart(service, path, "start=9&end=3") == []


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 600), st.integers(2, 90), st.integers(0, 2**32), st.sampled_from([0, 0.2, 0.9])
)
def test_what_is_drawn_is_what_there_is(
    service: Service, size: int, width: int, seed: int, words: float
) -> None:
    points = history(size, seed, words)
    path = create(service, points)
    if any(v is not None for _, v in points):
        assert_drawn(chart(service, path, f"width={width}"), points, 2 * width + 1)


def history(size: int, seed: int, words: float) -> list[Point]:
    """Points at even and uneven times, some of which are words, and with holes between."""
    chance = np.random.default_rng(seed)
    steps = chance.exponential(60, size) * chance.choice([1, 1, 1, 500], size)
    t = np.unique(np.round(1e9 + np.cumsum(steps), 1)).tolist()
    walk = np.round(np.cumsum(chance.normal(0, 1, len(t))), 2).tolist()
    kinds: list[Value] = [None, True, False]
    drawn = chance.random(len(t)) < words
    runs = (np.arange(len(t)) // 7 + seed) % 3
    return [(at, kinds[run] if word else v) for at, v, word, run in zip(t, walk, drawn, runs)]


@pytest.fixture(scope="module")
def long() -> list[Point]:
    """So many numbers that a block of them is narrower than a column."""
    return [(1e9 + 60.0 * n, math.sin(n / 5000) + (n % 7) / 10) for n in range(150_000)]


@pytest.mark.parametrize("width", [2, 10, 30, 100, 1000])
def test_a_long_history_is_drawn_from_summaries_as_from_points(
    service: Service, long: list[Point], width: int
) -> None:
    path = create(service, long)
    found = chart(service, path, f"width={width}")
    assert width / 2 <= len(found) <= width + 1
    assert_drawn(found, long, width + 1)
    start, end = long[20_000][0], long[130_000][0]
    within = chart(service, path, f"width={width}&start={start}&end={end}")
    assert_drawn(within, long[20_000:130_000], width + 1)


def test_lines_go_on_beyond_a_long_silence_only(service: Service, long: list[Point]) -> None:
    early, late = (-1e9, 5.0), (3e9, 5.0)
    path = create(service, [early, *long, late])
    found = chart(service, path, f"width=20&start={long[0][0] - 1e6}&end={long[-1][0] + 1e6}")
    assert (found[0], found[-1]) == (alone(*early), alone(*late))
    assert_drawn(found[1:-1], long, 21)
    found = chart(service, path, f"width=20&start={long[9][0]}&end={long[-9][0]}")
    assert_drawn(found, long[9:-9], 21)


def test_points_that_come_later_are_drawn_too(service: Service, long: list[Point]) -> None:
    path = create(service, long)
    later: list[Point] = [(1e9 + 60.0 * n + 1, 50.0 + n) for n in (10, 70_000, 149_999)]
    service.owner_sends("POST", path, b"".join(format_csv(later)), CSV)
    replaced: list[Point] = [(long[80_000][0], -50.0)]
    service.owner_sends("POST", path, b"".join(format_csv(replaced)), CSV)
    points = sorted({**dict(long), **dict(later), **dict(replaced)}.items())
    assert_drawn(chart(service, path, "width=20"), points, 21)


@pytest.mark.parametrize("place", [4096, 75_000, 77_823])
def test_a_long_silence_is_broken_by_a_null_at_either_end(
    service: Service, long: list[Point], place: int
) -> None:
    silence = 1e7
    for at, time in ((place, long[place][0]), (place, long[place][0] + silence - 60)):
        points = [*long[:at], (time, None), *((t + silence, v) for t, v in long[at + 1 :])]
        found = chart(service, create(service, points), "width=20")
        assert [row.first for row in found if not row.numbers] == [time]


def test_a_single_null_among_many_numbers_is_no_gap(service: Service, long: list[Point]) -> None:
    points = [*long[:70_000], (long[70_000][0], None), *long[70_001:]]
    found = chart(service, create(service, points), "width=20")
    assert sum(row.numbers for row in found) == 149_999
    assert sum(not row.numbers for row in found) <= 1


def test_a_spike_is_never_lost(service: Service, long: list[Point]) -> None:
    points = [*long[:70_000], (long[70_000][0], 1e6), *long[70_001:]]
    found = chart(service, create(service, points), "width=20")
    assert max(row.maximum or 0 for row in found) == 1e6


def test_values_at_the_end_of_the_range_are_drawn_too(service: Service) -> None:
    values = [1.7e308, -1.7e308, 1.7e308, 1.6e308, 1.5e308]
    points: list[Point] = [(float(t), values[t % 5]) for t in range(1000)]
    found = chart(service, create(service, points), "width=20")
    assert {row.maximum for row in found[:-1]} == {1.7e308}
    assert all(row.mean is not None and abs(row.mean) < 1e308 for row in found[:-1])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("width=1", "width"),
        ("width=4001", "width"),
        ("width=wide", "width"),
        ("start=soon", "start"),
        ("end=", "end"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(
    service: Service, query: str, field: str
) -> None:
    reply = ask(service, service.create(b"0,1"), query)
    assert reply.status == 400
    assert json.loads(reply.body)["field"] == field


def test_what_has_not_changed_is_not_sent_again(service: Service) -> None:
    path = service.create(b"0,1\n")
    tag = ask(service, path).headers["ETag"]
    assert tag.startswith("W/")
    known = {"If-None-Match": tag}
    assert service.owner_sends("GET", f"{path}chart.json", headers=known).status == 304
    assert service.send("GET", f"{path}chart.json", headers=known).status == 401
    service.owner_sends("POST", path, b"1,1", CSV)
    assert service.owner_sends("GET", f"{path}chart.json", headers=known).status == 200
