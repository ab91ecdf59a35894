"""What the client's writes do and say, against a real service."""

from __future__ import annotations

import dataclasses
import io
import re
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import timetric
from timetric.write import Write, increment_write, new_key, value_write


def test_each_write_returns_its_receipt(series: timetric.Series) -> None:
    assert series.update([(0, 1), (1, 2), (1, 2)]) == (3, 2, 0, 0, 0, 1, None)
    assert series.update([(1, 3), (2, True)]) == (2, 1, 1, 0, 0, 2, None)
    assert series.rewrite([(1, 3)]) == (1, 0, 0, 1, 2, 3, None)
    assert series.delete() == timetric.Receipt(0, 0, 0, 0, 1, 4)


def test_the_receipt_of_one_value_has_its_point(series: timetric.Series) -> None:
    receipt = series.update(None)
    assert receipt.point == series.latest()
    assert receipt.value is None
    series.delete()
    assert series.increment(2).value == 2.0
    receipt = series.increment(0.5)
    assert receipt.point == series.latest()
    assert receipt.value == 2.5


def test_a_write_that_is_sent_again_is_done_once(
    client: timetric.TimetricClient, series: timetric.Series
) -> None:
    write = increment_write(series.id, 2.0)
    first = write.send(client)
    assert write.send(client) == first
    again = Write(**{f.name: getattr(write, f.name) for f in dataclasses.fields(write)})
    assert again.send(client) == first
    assert value_write(series.id, 5.0).send(client).version == 2
    assert len(list(series)) == 2


def test_keys_are_random_and_taken_for_no_option() -> None:
    keys = {new_key() for _ in range(500)}
    assert len(keys) == 500
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{21}", key) for key in keys)


def test_a_value_may_be_stamped(series: timetric.Series) -> None:
    for at in (0, "1970-01-02", datetime(1970, 1, 3, tzinfo=timezone.utc), date(1970, 1, 4)):
        assert series.update(1, at=at).added == 1
    assert [t for t, _ in series] == [0.0, 86400.0, 172800.0, 259200.0]
    assert series.update(None, at=0) == (1, 0, 1, 0, 0, 5, (0.0, None))


def test_what_stands_can_be_kept_or_must_not_differ(series: timetric.Series) -> None:
    series.update([(0, 1), (1, 2)])
    kept = series.update([(1, 9), (2, 3)], on_conflict="keep")
    assert kept[:5] == (2, 1, 0, 1, 0)
    with pytest.raises(timetric.Conflict):
        series.update([(1, 9), (3, 4)], on_conflict="error")
    assert list(series) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert series.update([(1, 2), (3, 4)], on_conflict="error").added == 1
    with pytest.raises(timetric.Conflict):
        series.update(5, at=0, on_conflict="error")
    assert series.update(io.StringIO("0,7\n"), on_conflict="replace").replaced == 1


def test_a_dry_run_stores_nothing(series: timetric.Series) -> None:
    series.update([(0, 1)])
    for data in ([(0, 2), (1, 2)], io.StringIO("0,2\n1,2\n")):
        assert series.update(data, dry_run=True)[:4] == (2, 1, 1, 0)
    assert series.update(2, at=0, dry_run=True).replaced == 1
    assert list(series) == [(0.0, 1.0)]


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (1, {"on_conflict": "ignore"}, "replace, keep, error"),
        ([(1, 2)], {"on_conflict": None}, "on_conflict None"),
        (1, {"dry_run": "yes"}, "dry_run 'yes'"),
        (1, {"at": "soon"}, "'soon'"),
        ([(1, 2)], {"at": 3}, "single value"),
        ([(1, 2)], {"progress": "yes"}, "progress 'yes'"),
    ],
)
def test_options_that_mean_nothing_are_refused_unsent(
    series: timetric.Series, data: object, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        series.update(data, **options)
    assert isinstance(caught.value, timetric.TimetricClientError)
    assert list(series) == []


def test_a_range_can_be_cleared(series: timetric.Series) -> None:
    series.update([(day * 86400, day) for day in range(10)])
    assert series.delete(start=date(1970, 1, 2), end="1970-01-04").removed == 2
    assert series.delete(end=1).removed == 1
    assert [value for _, value in series] == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert series.delete(start=8 * 86400).removed == 2
    with pytest.raises(timetric.InvalidPoint):
        series.delete(start="some day")
    assert series.delete().removed == 5
    assert series.latest() == (None, None)


def test_a_series_can_be_removed(series: timetric.Series) -> None:
    series.update([(0, 1), (1, 2)])
    assert series.remove().removed == 2
    with pytest.raises(timetric.NotFound):
        series.latest()
    with pytest.raises(timetric.NotFound):
        series.remove()


def test_the_bytes_that_are_sent_are_told(series: timetric.Series, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    series.update(((t, 1) for t in range(10_000)), progress=lambda *both: told.append(both))
    assert told[-1] == (160_000, 160_000)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,2\n" * 1000)
    with path.open("rb") as file:
        series.update(file, progress=lambda *both: told.append(both))
    assert told[-1] == (4000, 4000)
