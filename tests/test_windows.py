"""A series read by time, against a real service."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

import timetric
from timetric.pages import LIMIT
from timetric.timestamps import to_timestamp

DAYS = [f"2024-{month:02d}-01" for month in range(1, 13)]
POINTS = [(to_timestamp(day), float(number)) for number, day in enumerate(DAYS, 1)]
MANY = 5 * LIMIT


@pytest.fixture
def months(series: timetric.Series) -> timetric.Series:
    """The first of each month of 2024, numbered."""
    series.update(POINTS)
    return series


@pytest.fixture(scope="module")
def many(service: Any) -> timetric.Series:
    """A point a second from 0 on, of its number: five pages."""
    rows = b"".join(b"%d,%d\n" % (t, t) for t in range(MANY))
    made: timetric.Series = service.client.create_series(title="Many", caption="Five pages")
    made.update(io.BytesIO(rows))
    return made


def numbers(window: timetric.Window) -> list[object]:
    return [value for _, value in window]


# slices


def test_a_slice_ends_before_its_stop_as_pythons_do(months: timetric.Series) -> None:
    assert numbers(months["2024-03-01":"2024-06-01"]) == [3, 4, 5]
    assert numbers(months["2024-03":"2024-06"]) == [3, 4, 5]
    assert numbers(months["2024":"2025"]) == list(range(1, 13))
    assert numbers(months["2024-10":]) == [10, 11, 12]
    assert numbers(months[:"2024-03"]) == [1, 2]
    assert numbers(months["2024-06":"2024-03"]) == []
    assert list(months[:]) == POINTS


def test_a_slice_takes_times_in_every_form(months: timetric.Series) -> None:
    start, stop = POINTS[2][0], POINTS[4][0]
    assert numbers(months[start:stop]) == [3, 4]
    assert numbers(months[int(start) : str(int(stop))]) == [3, 4]
    assert numbers(months[datetime(2024, 3, 1) : date(2024, 5, 1)]) == [3, 4]
    east = timezone(timedelta(hours=1))
    assert numbers(months[datetime(2024, 3, 1, 1, tzinfo=east) : "1 May 2024"]) == [3, 4]
    assert numbers(months[-10:0]) == []  # seconds before 1970, not places from the end


def test_a_window_can_be_read_again_and_sees_what_came(months: timetric.Series) -> None:
    window = months["2025":]
    assert list(window) == []
    months.update([("2025-02-01", 14)])
    assert numbers(window) == [14]
    assert numbers(window) == [14]


def test_a_window_reads_in_every_way(months: timetric.Series) -> None:
    window = months["2024-03":"2024-06"]
    assert window.first() == POINTS[2]
    assert window.latest() == POINTS[4]
    assert list(reversed(window)) == POINTS[4:1:-1]
    assert list(window.resample("1q", "sum")) == [(POINTS[0][0], 3.0), (POINTS[3][0], 9.0)]
    assert window.csv() == "".join(f"{t},{v}\n" for t, v in POINTS[2:5])
    assert months.id in repr(window)


def test_an_empty_window_has_no_points(months: timetric.Series, series: timetric.Series) -> None:
    for empty in (months["1999":"2000"], months[5:5]):
        assert list(empty) == []
        assert empty.first() == (None, None)
        assert empty.latest() == (None, None)
        assert empty.csv() == ""


def test_what_is_no_slice_of_times_is_refused(months: timetric.Series) -> None:
    with pytest.raises(TypeError, match=r"at\(\)"):
        months["2024-03-01"]  # type: ignore[index]
    with pytest.raises(TypeError, match=r"resample\(\)"):
        months["2024":"2025":"1mo"]  # type: ignore[misc]
    with pytest.raises(timetric.InvalidPoint, match="'march'"):
        months["march":]
    with pytest.raises(timetric.InvalidPoint, match="milliseconds"):
        months[1709251200000:]


# single points


def test_the_first_and_the_latest_point(months: timetric.Series) -> None:
    assert months.first() == POINTS[0]
    assert months.latest() == POINTS[-1]
    months.delete()
    assert months.first() == (None, None)


@pytest.mark.parametrize(
    ("when", "side", "number"),
    [
        ("2024-03-01", "before", 3),
        ("2024-03-31", "before", 3),
        ("2024-03-31", "after", 4),
        ("2024-03-31", "nearest", 4),
        ("2024-03", "after", 3),
        ("2025", "before", 12),
        (datetime(2024, 3, 1, 0, 0, 1), "after", 4),
        ("2025", "after", None),
        ("2023", "before", None),
    ],
)
def test_the_point_at_a_time(
    months: timetric.Series, when: object, side: str, number: float | None
) -> None:
    expected = (None, None) if number is None else POINTS[int(number) - 1]
    assert months.at(when, side=side) == expected


def test_at_looks_before_unless_told_otherwise(months: timetric.Series) -> None:
    assert months.at("2024-03-31") == POINTS[2]
    months.update([("2024-03-15", None), ("2024-03-16", True)])
    assert months.at("2024-03-15") == (to_timestamp("2024-03-15"), None)
    assert months.at("2024-03-20")[1] is True


def test_a_side_that_there_is_not_is_refused(months: timetric.Series) -> None:
    with pytest.raises(timetric.BadRequest, match="before"):
        months.at("2024", side="left")


def test_the_points_are_counted(months: timetric.Series) -> None:
    assert months.count() == 12
    months.update([(1, None), POINTS[0]])
    assert months.count() == 13
    assert not hasattr(months, "__len__")  # list() would ask for it first


def test_the_last_two_weeks_are_those_up_to_now(series: timetric.Series) -> None:
    now = time.time()
    series.update([(now - 15 * 86400, 1), (now - 13 * 86400, 2), (now, 3), (now + 3600, 4)])
    assert numbers(series.last("2w")) == [2, 3, 4]
    assert numbers(series.last(timedelta(days=16))) == [1, 2, 3, 4]
    assert series.last("1h").first()[1] == 3.0
    with pytest.raises(timetric.BadRequest, match="fortnight"):
        series.last("1 fortnight")


# buckets


def test_a_series_is_resampled_by_the_calendar_of_a_zone(series: timetric.Series) -> None:
    series.update([("2024-03-31T00:30+00:00", 1), ("2024-03-31T22:30+00:00", 3)])
    whole = list(series.resample("1d", "sum"))
    assert whole == [(to_timestamp("2024-03-31"), 4.0)]
    in_berlin = list(series.resample("1mo", "mean", tz="Europe/Berlin"))
    assert in_berlin == [
        (to_timestamp("2024-02-29T23:00Z"), 1.0),
        (to_timestamp("2024-03-31T22:00Z"), 3.0),
    ]


def test_the_mean_is_the_usual_aggregate(months: timetric.Series) -> None:
    assert [v for _, v in months.resample("1y")] == [6.5]
    bounded = months.resample("1y", "max", start="2024-02", end="2024-05")
    assert list(bounded) == [(POINTS[0][0], 4.0)]
    inside = months["2024-06":].resample("1y", "count", end="2024-09")
    assert [v for _, v in inside] == [3.0]


def test_buckets_come_page_by_page_too(many: timetric.Series) -> None:
    halves = list(many.resample("2s", "first"))
    assert halves == [(float(t), float(t)) for t in range(0, MANY, 2)]


@pytest.mark.parametrize(
    ("every", "fields", "says"),
    [
        ("1mo", {"aggregate": "median"}, "mean"),
        ("sometimes", {}, "15min"),
        ("1d", {"tz": "Atlantis"}, "tz"),
    ],
)
def test_buckets_that_there_are_not_are_refused(
    months: timetric.Series, every: str, fields: dict[str, str], says: str
) -> None:
    with pytest.raises(timetric.BadRequest, match=says):
        list(months.resample(every, **fields))


# long histories


def test_a_long_history_comes_whole_both_ways(many: timetric.Series) -> None:
    points = list(many)
    assert points == [(float(t), float(t)) for t in range(MANY)]
    assert list(reversed(many)) == points[::-1]
    assert list(many[1000.5 : MANY - 7]) == points[1001:-7]
    assert list(itertools.islice(many, 2)) == points[:2]


def test_words_come_in_a_long_history_too(service: Any) -> None:
    series = service.client.create_series(title="Words", caption="Here and there")
    words = {7: b"null", LIMIT: b"true", 2 * LIMIT - 1: b"false"}
    rows = (b"%d,%b\n" % (t, words.get(t, b"1")) for t in range(2 * LIMIT + 3))
    series.update(io.BytesIO(b"".join(rows)))
    found = {int(t): v for t, v in series if v != 1.0 or type(v) is bool}
    assert found == {7: None, LIMIT: True, 2 * LIMIT - 1: False}
    assert found[LIMIT] is True


def test_a_series_that_is_rewritten_while_it_is_read_is_not_mixed(service: Any) -> None:
    series = service.client.create_series(title="Rewritten", caption="While it is read")
    series.update(io.BytesIO(b"".join(b"%d,1\n" % t for t in range(MANY))))
    seen = []
    with pytest.raises(timetric.Rewritten, match=series.id) as caught:
        for _, value in series:
            if not seen:
                series.rewrite(io.BytesIO(b"".join(b"%d,2\n" % t for t in range(MANY))))
            seen.append(value)
    assert isinstance(caught.value, timetric.Conflict)
    assert set(seen) == {1.0}
    assert {value for _, value in series} == {2.0}


def test_the_next_pages_are_read_by_a_thread_that_ends_with_the_iterator(
    many: timetric.Series, months: timetric.Series
) -> None:
    points = iter(many)
    next(points)
    [reader] = [t for t in threading.enumerate() if t.name == "timetric-reader"]
    del points  # the caller walks away
    reader.join(15)
    assert not reader.is_alive()
    assert list(months) == POINTS
    assert [t for t in threading.enumerate() if t.name == "timetric-reader"] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on_from_the_same_point(many: timetric.Series) -> None:
    points = iter(many)
    assert next(points) == (0.0, 0.0)
    child = os.fork()
    if child == 0:
        try:
            total = sum(1 for _ in points)
            os._exit(0 if total == MANY - 1 else 1)
        finally:
            os._exit(2)
    assert sum(1 for _ in points) == MANY - 1
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# CSV into files


def test_csv_is_written_into_any_file(many: timetric.Series, tmp_path: Path) -> None:
    expected = b"".join(b"%d.0,%d.0\n" % (t, t) for t in range(MANY))
    opened: list[Callable[[], IO[Any]]] = [
        partial(open, tmp_path / "b.csv", "w+b"),
        partial(open, tmp_path / "t.csv", "w+", encoding="ascii", newline=""),
        partial(tempfile.NamedTemporaryFile, "w+", encoding="ascii"),
        tempfile.TemporaryFile,
        tempfile.SpooledTemporaryFile,
        io.BytesIO,
        io.StringIO,
    ]
    for make in opened:
        with make() as file:
            assert many.csv(file) == MANY
            file.seek(0)
            text = file.read()
        assert (text.encode() if isinstance(text, str) else text) == expected
    with gzip.open(tmp_path / "packed.csv.gz", "wb") as packed:
        assert many[10:12].csv(packed) == 2
    assert gzip.decompress((tmp_path / "packed.csv.gz").read_bytes()) == b"10.0,10.0\n11.0,11.0\n"


def test_a_file_that_can_not_be_written_raises(months: timetric.Series, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with open(tmp_path / "there") as file, pytest.raises(OSError, match="writable"):
        months.csv(file)


# progress


def test_iteration_and_csv_tell_how_far_they_have_come(
    many: timetric.Series, months: timetric.Series
) -> None:
    told: list[tuple[int, int | None]] = []

    def tell(done: int, total: int | None) -> None:
        told.append((done, total))

    pages = [(LIMIT * number, MANY) for number in range(1, 6)]
    assert sum(1 for _ in many.points(progress=tell)) == MANY
    assert told == pages
    told.clear()
    assert many.csv(io.BytesIO(), progress=tell) == MANY
    assert told == pages
    told.clear()
    assert months["2024-03":].csv(progress=tell) == months["2024-03":].csv()
    assert list(months.points(progress=tell)) == list(months.points()) == POINTS
    assert told == [(10, None), (12, 12)]


def test_whoever_is_told_may_end_the_iteration(many: timetric.Series) -> None:
    def enough(done: int, total: int | None) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        list(many.points(progress=enough))
    with pytest.raises(timetric.BadRequest, match="progress"):
        list(many.points(progress=7))  # type: ignore[arg-type]
