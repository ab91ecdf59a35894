"""Pairs as they are packed to be sent."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import timetric
from tests.misbehaving import answer, http, misbehaving
from tests.test_doubt import DONE, series_of
from timetric.packing import pack, unpack
from timetric.timestamps import END, FIRST

times = st.floats(FIRST, END, exclude_max=True) | st.integers(int(FIRST), int(END) - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
values = numbers | st.none() | st.booleans()
REFUSED = http("415 Unsupported Media Type")


def packed(items: Any) -> bytes:
    return b"".join(pack(items))


@given(st.lists(st.tuples(times, numbers), max_size=30) | st.lists(st.tuples(times, values)))
def test_what_is_packed_is_the_same(pairs: list[tuple[float, Any]]) -> None:
    points = list(unpack(io.BytesIO(packed(pairs))))
    assert [t for t, _ in points] == [float(t) for t, _ in pairs]
    for (_, sent), (_, came) in zip(pairs, points):
        assert type(came) is (
            type(sent) if sent is None or sent is True or sent is False else float
        )
        assert came == (float(sent) if type(came) is float else sent)


def test_the_words_are_told_from_numbers() -> None:
    bits = struct.unpack("<10Q", packed([(0, None), (0, True), (0, False), (0, 1), (0, -0.0)]))
    assert bits[1::2] == (
        0x7FF8_0000_0000_0001,
        0x7FF8_0000_0000_0002,
        0x7FF8_0000_0000_0003,
        0x3FF0_0000_0000_0000,
        0x8000_0000_0000_0000,
    )


def mixed() -> Iterator[Any]:
    for n in range(10_000):
        yield [n, n / 3]
    yield date(2009, 3, 10), Decimal("2.5")
    yield iter((1, "7"))
    for n in range(10_000):
        yield n, n


def test_all_kinds_of_pairs_may_be_mixed() -> None:
    points = list(unpack(io.BytesIO(packed(mixed()))))
    assert len(points) == 20_002
    assert points[10_000:10_003] == [(1236643200.0, 2.5), (1.0, 7.0), (0.0, 0.0)]


def test_columns_of_numpy_are_packed() -> None:
    numpy = pytest.importorskip("numpy")
    values = numpy.array([1.5, numpy.nan, 2.5])
    pairs = zip(numpy.arange(3), values)
    assert list(unpack(io.BytesIO(packed(pairs)))) == [(0.0, 1.5), (1.0, None), (2.0, 2.5)]
    table = numpy.column_stack([numpy.arange(3.0), values])
    assert list(unpack(io.BytesIO(packed(table)))) == [(0.0, 1.5), (1.0, None), (2.0, 2.5)]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ((1, float("nan")), "nan"),
        ((1, float("inf")), "inf"),
        ((float("nan"), 1), "nan"),
        ((float("-inf"), 1), "inf"),
        ((1236735000000, 1), "milliseconds"),
        ((-1e15, 1), "years"),
        ((10**400, 1), "timestamp|too large"),
        ((1, 10**400), "double's range"),
        ((True, 1), "no timestamp"),
        ((1, 2, 3), "3 parts"),
        ((), "0 parts"),
        (5, "no pair"),
        ("12", "no pair"),
        ((1, "many"), "many"),
    ],
)
@pytest.mark.parametrize("before", [0, 10_000])
def test_a_bad_item_is_named(bad: Any, says: str, before: int) -> None:
    items = [*((n, 1.0) for n in range(before)), bad, (0, 0)]
    with pytest.raises(timetric.InvalidPoint, match=f"item {before}: .*({says})"):
        packed(items)


def test_pairs_are_sent_as_16_bytes_each_and_files_as_they_are() -> None:
    with misbehaving(answer(DONE, DONE, DONE)) as service:
        series = series_of(service.url)
        series.update([(1, 2), (3, None)])
        series.rewrite([(1, 2)])
        series.update(io.StringIO("1,2\n"))
    kinds = [(request.headers["content-type"], len(request.body)) for request in service.requests]
    assert kinds == [
        ("application/vnd.timetric.points", 32),
        ("application/vnd.timetric.points", 16),
        ("text/csv", 4),
    ]


def test_a_service_that_knows_csv_only_is_sent_csv_from_then_on() -> None:
    with misbehaving(answer(REFUSED, DONE, DONE)) as service:
        series = series_of(service.url)
        assert series.update(pair for pair in [(1, 2), (3, None), (4, True)]).version == 7
        series.update([(5, 6)])
    first, second, third = service.requests
    assert len(first.body) == 48
    assert second.body == b"1.0,2.0\n3.0,null\n4.0,true\n"
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]
    assert third.body == b"5.0,6.0\n"
    assert third.headers["content-type"] == "text/csv"


def test_a_file_that_is_refused_is_not_sent_twice() -> None:
    with misbehaving(answer(REFUSED)) as service, pytest.raises(timetric.BadRequest):
        series_of(service.url, retries=0).update(io.StringIO("1,2\n"))
    assert len(service.requests) == 1


def test_many_points_of_every_kind_come_back(series: timetric.Series) -> None:
    sent = [(t, (t / 7, None, True, False, -t)[t % 5]) for t in range(50_000)]
    assert series.update(sent).added == 50_000
    came = list(series)
    assert came == [(float(t), value) for t, value in sent]
    assert [type(value) for _, value in came[:5]] == [float, type(None), bool, bool, float]
