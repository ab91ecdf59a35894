"""Many series side by side, against a real service."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable

import pytest

import timetric
from tests.misbehaving import answer, http, misbehaving
from timetric.timestamps import to_timestamp

Make = Callable[[object], timetric.Series]

MARCH = to_timestamp("2024-03-01")


@pytest.fixture
def make(client: timetric.TimetricClient) -> Make:
    def made(points: object) -> timetric.Series:
        return client.create_series(points, title="Column", caption="One of a table")

    return made


def test_rows_are_joined_by_timestamp(client: timetric.TimetricClient, make: Make) -> None:
    a = make([(1, 10), (2, 20), (4, None)])
    b = make([(2, 0.5), (3, True)])
    empty = make([])
    rows = list(client.table([a, b, empty]))
    assert rows == [
        (1.0, 10.0, None, None),
        (2.0, 20.0, 0.5, None),
        (3.0, None, True, None),
        (4.0, None, None, None),
    ]
    assert {type(row) for row in rows} == {tuple}
    assert list(client.table([b.id, a, b], 2, 3)) == [(2.0, 0.5, 20.0, 0.5)]
    assert list(client.table(s for s in (a,))) == [(t, v) for t, v in a]
    assert list(client.table([])) == []


def test_buckets_of_many_series(client: timetric.TimetricClient, make: Make) -> None:
    days = [(MARCH + 86400 * day, day) for day in range(31)]
    a, b = make(days), make(days[7:14])
    weeks = list(client.table([a, b], "2024-03-04", "2024-03-18", every="1w"))
    assert weeks == [
        (MARCH + 3 * 86400, 6.0, 8.0),
        (MARCH + 10 * 86400, 13.0, 11.5),
    ]
    [[_, most, count]] = client.table([a, a], every="1y", aggregate="max", tz="Europe/Berlin")
    assert (most, count) == (30.0, 30.0)


def test_long_series_are_joined_page_by_page(client: timetric.TimetricClient, make: Make) -> None:
    columns = [
        make(io.BytesIO(b"".join(b"%d,%d\n" % (t, step) for t in range(0, 40_000, step))))
        for step in (1, 2, 3)
    ]
    wide = columns * 12  # so many that each page is a part of a series only
    rows = list(client.table(wide))
    assert len(rows) == 40_000
    cells = [tuple(1.0 * step if t % step == 0 else None for step in (1, 2, 3)) for t in range(6)]
    assert rows[:6] == [(float(t), *cells[t] * 12) for t in range(6)]
    assert rows[-1] == (39_999.0, *(1.0, None, 3.0) * 12)


def test_the_threads_end_with_the_table(client: timetric.TimetricClient, make: Make) -> None:
    column = make(io.BytesIO(b"".join(b"%d,1\n" % t for t in range(30_000))))
    rows = client.table([column] * 20)
    assert len(list(itertools.islice(rows, 3))) == 3
    threads = [t for t in threading.enumerate() if t.name.startswith("timetric-table")]
    assert 0 < len(threads) <= 8
    del rows
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()


def test_a_series_that_fails_fails_the_table(client: timetric.TimetricClient, make: Make) -> None:
    with pytest.raises(timetric.NotFound):
        list(client.table([make([(1, 2)]), "A" * 22]))
    with pytest.raises(timetric.BadRequest, match="no series ID"):
        client.table(["nonsense"])
    with pytest.raises(timetric.BadRequest, match="mean"):
        list(client.table([make([(1, 2)])], every="1d", aggregate="median"))


def test_nothing_is_asked_before_the_first_row() -> None:
    with misbehaving(answer(http(body=b"", content_type="text/csv"))) as service:
        config = {"url": service.url, "authtype": "apitoken"}
        config.update(apitoken_key="k", apitoken_secret="s")
        rows = timetric.TimetricClient(config).table(["A" * 22])
        assert service.requests == []
        assert list(rows) == []
        assert len(service.requests) == 1
