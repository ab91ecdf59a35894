"""Thinning: few points that look like many, compared with plain Python that does the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from operator import itemgetter
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service import Service, running_service
from timetric.points import Point, Value, format_csv, parse_csv


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


class Known(NamedTuple):
    """A series, and the numbers in it."""

    path: str
    numbers: list[tuple[float, float]]


def series_of(service: Service, size: int, seed: int, words: float) -> Known:
    """Points at even and uneven times; values repeat, and some are words."""
    chance = np.random.default_rng(seed)
    t = np.unique(np.round(chance.uniform(-1e9, 1e9) + np.cumsum(chance.exponential(60, size)), 1))
    walk = np.round(np.cumsum(chance.normal(0, 1, len(t))), int(chance.integers(0, 3)))
    rows: list[Point] = [
        (time, (None, True, False)[seed % 3] if chance.random() < words else value)
        for time, value in zip(t.tolist(), walk.tolist())
    ]
    path = service.create(b"".join(format_csv(rows)))
    return Known(path, [(time, value) for time, value in rows if type(value) is float])


@pytest.fixture(scope="module")
def long(service: Service) -> Known:
    """More points than are read at a time."""
    return series_of(service, 150_000, seed=1, words=0.01)


def thinned(service: Service, path: str, query: str) -> list[Point]:
    reply = service.owner_sends("GET", f"{path}csv/?{query}")
    assert reply.status == 200, reply.body
    assert reply.headers["Link"] is None
    return list(parse_csv(reply.body))


# the same, by hand

Points = list[tuple[float, float]]


def binned(points: Points, bins: int) -> list[Points]:
    """The points between the first and the last in bins of equal time; those that are empty too."""
    edges = np.linspace(points[0][0], points[-1][0], bins + 1).tolist()
    found: list[Points] = [[] for _ in range(bins)]
    place = 0
    for point in points[1:-1]:
        while point[0] >= edges[place + 1]:
            place += 1
        found[place].append(point)
    return found


def assert_minmax(found: Points, points: Points, most: int) -> None:
    kept = {points[0], points[-1]}
    for bin in binned(points, (most - 2) // 2) if most > 3 else []:
        if bin:
            kept |= {min(bin, key=itemgetter(1)), max(bin, key=itemgetter(1))}
    assert found == sorted(kept)


def assert_lttb(found: Points, points: Points, most: int) -> None:
    """Each point makes the largest triangle in its bin, but for what rounding may do."""
    first, *inner, last = found
    assert (first, last) == (points[0], points[-1])
    bins = [bin for bin in binned(points, most - 2) if bin] if most > 2 else []
    assert len(inner) == len(bins)
    middles = [*map(middle, bins[1:]), last]
    for before, kept, bin, ahead in zip(found, inner, bins, middles):
        assert kept in bin
        largest = max(area(before, point, ahead) for point in bin)
        assert area(before, kept, ahead) >= largest * (1 - 1e-6)


def middle(bin: Points) -> tuple[float, float]:
    return fmean(t for t, _ in bin), fmean(v for _, v in bin)


def area(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return abs((a[0] - c[0]) * (b[1] - a[1]) - (a[0] - b[0]) * (c[1] - a[1])) / 2


AS_BY_HAND = {"minmax": assert_minmax, "lttb": assert_lttb}


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 400), st.integers(2, 120), st.integers(0, 2**32), st.sampled_from([0, 0.2, 1])
)
def test_what_is_kept_is_what_plain_python_keeps(
    service: Service, size: int, most: int, seed: int, words: float
) -> None:
    path, numbers = series_of(service, size, seed, words)
    for method, assert_alike in AS_BY_HAND.items():
        found = thinned(service, path, f"max_points={most}&method={method}")
        if len(numbers) <= most:
            assert found == numbers
        else:
            assert_alike(found, numbers, most)


@pytest.mark.parametrize("most", [2, 3, 4, 5, 100, 1001, 60_000])
@pytest.mark.parametrize("method", AS_BY_HAND)
def test_a_long_history_is_thinned_as_a_short_one_is(
    service: Service, long: Known, method: str, most: int
) -> None:
    found = thinned(service, long.path, f"max_points={most}&method={method}")
    assert len(found) <= most
    AS_BY_HAND[method](found, long.numbers, most)


def test_minmax_is_the_default_and_a_window_may_be_thinned(service: Service, long: Known) -> None:
    start, end = long.numbers[1000][0], long.numbers[140_000][0]
    found = thinned(service, long.path, f"max_points=500&start={start!r}&end={end!r}")
    assert_minmax(found, long.numbers[1000:140_000], 500)
    later = thinned(service, long.path, f"max_points=500&after={start!r}&end={end!r}&order=desc")
    assert_minmax(later[::-1], long.numbers[1001:140_000], 500)


def test_a_spike_is_never_lost(service: Service) -> None:
    rows: list[Point] = [(float(t), 0.0) for t in range(20_000)]
    rows[12_345] = (12_345.0, 1.0)
    rows[12_346] = (12_346.0, -1.0)
    path = service.create(b"".join(format_csv(rows)))
    found = thinned(service, path, "max_points=20")
    assert found.count((12_345.0, 1.0)) == found.count((12_346.0, -1.0)) == 1
    found = thinned(service, path, "max_points=20&method=lttb")
    assert any(v for _, v in found)


@pytest.mark.parametrize("method", AS_BY_HAND)
def test_values_at_the_end_of_the_range_are_thinned_too(service: Service, method: str) -> None:
    values = [1.7e308, -1.7e308, 5e-324, 0.0, 1e300] * 40
    path = service.create(b"".join(format_csv((float(t), v) for t, v in enumerate(values))))
    found = thinned(service, path, f"max_points=20&method={method}")
    assert 3 <= len(found) <= 20
    assert all(values[int(t)] == v for t, v in found)
    assert found[0][0] == 0
    assert found[-1][0] == 199


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("max_points=1", "max_points"),
        ("max_points=0", "max_points"),
        ("max_points=100001", "max_points"),
        ("max_points=ten", "max_points"),
        ("max_points=", "max_points"),
        ("max_points=10&method=mean", "method"),
        ("method=lttb", "method"),
        ("max_points=10&limit=5", "max_points"),
        ("max_points=10&every=1h&aggregate=mean", "max_points"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(
    service: Service, query: str, field: str
) -> None:
    reply = service.owner_sends("GET", f"{service.create(b'0,1')}csv/?{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["field"] == field


@pytest.mark.parametrize(
    ("csv", "points"),
    [(b"", []), (b"0,null\n1,true\n", []), (b"0,null\n1,2\n2,false\n", [(1.0, 2.0)])],
)
def test_of_words_nothing_is_left(
    service: Service, csv: bytes, points: list[tuple[float, Value]]
) -> None:
    path = service.create(csv)
    for method in AS_BY_HAND:
        assert thinned(service, path, f"max_points=2&method={method}") == points


def test_thinned_points_have_a_weak_validator_and_hold_no_words(service: Service) -> None:
    path = service.create(b"0,1\n1,null\n2,3\n")
    binary = {"Accept": "application/vnd.timetric.points"}
    reply = service.owner_sends("GET", f"{path}points/?max_points=10", headers=binary)
    assert len(reply.body) == 32
    assert reply.headers["Timetric-Words"] == "no"
    assert reply.headers["ETag"].startswith('W/"')
