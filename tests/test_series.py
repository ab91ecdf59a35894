"""A series through the client, against a real service."""

from __future__ import annotations

import csv
import io
import itertools
import os
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path

import pytest

import timetric
from tests.conftest import RunningService

POINTS = [(1236735000.0, 1.0), (1236735500.0, 2.5), (1236736000.0, None), (1236736500.0, False)]


def test_the_session_documented_in_2009(
    service: RunningService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = service.config
    client = timetric.TimetricClient(conf)
    made = client.create_series(caption="Old usage", title="Old usage")
    data = tmp_path / "data.csv"
    data.write_text("1236735000,1.0\n1236707269,2.0\n")

    series = client.series(made.id)
    series.update(open(data))  # noqa: SIM115
    assert series.latest() == (1236735000.0, 1.0)
    for timestamp, value in series:
        print(timestamp, value)
    assert capsys.readouterr().out == "1236707269.0 2.0\n1236735000.0 1.0\n"
    before = time.time()
    series.update(14)
    assert series.latest()[1] == 14.0
    assert before - 5 < series.latest()[0] < time.time() + 5
    series.update([(time.time() - 100, 11), (time.time() + 100, 15)])
    assert series.latest()[1] == 15.0
    series.delete()
    assert list(series) == []
    assert series.latest() == (None, None)
    series.update(3)
    assert float(series) == 3.0


def test_points_of_every_kind_come_back(series: timetric.Series) -> None:
    series.update(POINTS)
    assert list(series) == POINTS
    assert [type(value) for _, value in series] == [float, float, type(None), bool]
    assert series.latest() == POINTS[-1]
    assert type(series.latest()) is tuple
    assert type(next(iter(series))) is tuple


def test_times_may_be_mixed(series: timetric.Series) -> None:
    series.update(
        [
            (datetime(2009, 3, 10, 12, tzinfo=timezone.utc), 1),
            (datetime(2009, 3, 10, 13), 2),
            (date(2009, 3, 11), 3),
            ("12 March 2009", 4),
            ("2009-03-13T00:00:00Z", 5),
            (1237003200, 6),
        ]
    )
    assert [t for t, _ in series] == [1236686400, 1236690000, 1236729600, 1236816000] + [
        1236902400,
        1237003200,
    ]


def test_a_generator_is_points_too(series: timetric.Series) -> None:
    series.update((t, t % 3) for t in range(5000))
    assert list(series) == [(float(t), float(t % 3)) for t in range(5000)]


def test_rows_of_a_csv_reader_are_points(series: timetric.Series) -> None:
    series.update(csv.reader(["2009-03-10,1.5", "2009-03-11,null"]))
    assert list(series) == [(1236643200.0, 1.5), (1236729600.0, None)]


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_an_open_file_is_sent_from_where_it_stands(
    series: timetric.Series, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_text("when,what\n1,2\n3,4\n")
    with open(path, mode) as file:
        file.readline()
        series.update(file)
    assert list(series) == [(1.0, 2.0), (3.0, 4.0)]


def test_a_pipe_is_read_to_its_end(series: timetric.Series) -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb") as sink:
        sink.write(b"1,2\n3,4")
        sink.close()
        series.update(source)
    assert list(series) == [(1.0, 2.0), (3.0, 4.0)]


def test_files_in_memory_are_files(series: timetric.Series) -> None:
    series.update(io.StringIO("1,2\n"))
    series.update(io.BytesIO(b"3,4\n"))
    assert list(series) == [(1.0, 2.0), (3.0, 4.0)]


def test_an_empty_list_is_data(client: timetric.TimetricClient, series: timetric.Series) -> None:
    series.update(POINTS)
    series.update([])
    assert list(series) == POINTS
    series.rewrite([])
    assert list(series) == []
    assert list(client.create_series([], title="t", caption="c")) == []


def test_rewrite_replaces_all(series: timetric.Series) -> None:
    series.update(POINTS)
    series.rewrite([(1, 9), (0, 8)])
    assert list(series) == [(0.0, 8.0), (1.0, 9.0)]
    series.rewrite(io.StringIO("5,6\n"))
    assert series.csv() == "5.0,6.0\n"


def test_increments_add_up(series: timetric.Series) -> None:
    same = series
    series.update(10)
    series.increment(4.5)
    series += 1
    series -= 3
    assert series is same
    assert float(series) == 12.5
    assert int(series) == 12


def test_an_increment_of_a_word_is_a_conflict(series: timetric.Series) -> None:
    series.update([(1, None)])
    with pytest.raises(timetric.Conflict):
        series.increment(1)
    assert list(series) == [(1.0, None)]


def test_an_empty_series_has_no_number(series: timetric.Series) -> None:
    assert series.latest() == (None, None)
    with pytest.raises(ValueError, match=series.id):
        float(series)


def test_a_series_is_true_and_light(client: timetric.TimetricClient) -> None:
    absent = client.series("A" * 22)
    assert absent
    assert "A" * 22 in repr(absent)
    iter(absent)  # asks nothing until a point is wanted
    with pytest.raises(timetric.NotFound):
        next(iter(absent))
    with pytest.raises(LookupError):
        absent.latest()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (float("nan"), "nan"),
        ("14", "'14'"),
        (b"1,2", "1,2"),
        ([(1, 2), (2, float("inf"))], "item 1: inf"),
        ([("01/02/03", 1)], "item 0: '01/02/03'"),
        ([(1, 2, 3)], "item 0: (1, 2, 3) has 3 parts"),
        ({1: 2}, "item 0: 1 is no pair"),
    ],
)
def test_bad_data_is_refused_before_anything_is_sent(
    series: timetric.Series, data: object, says: str
) -> None:
    series.update(POINTS)
    with pytest.raises(ValueError) as caught:
        series.update(data)
    assert says in str(caught.value)
    assert isinstance(caught.value, timetric.TimetricClientError)
    assert list(series) == POINTS


def test_a_bad_line_of_a_file_is_named_and_nothing_is_stored(series: timetric.Series) -> None:
    with pytest.raises(timetric.BadRequest) as caught:
        series.update(io.StringIO("1,2\n3,many\n"))
    assert caught.value.line == 2
    assert "many" in str(caught.value)
    assert list(series) == []


def test_a_source_that_breaks_sends_nothing(series: timetric.Series) -> None:
    def broken() -> Iterator[tuple[int, int]]:
        yield 1, 2
        raise OSError("the sensor is gone")

    with pytest.raises(OSError, match="sensor"):
        series.update(broken())
    assert list(series) == []


def test_iteration_pages_through_a_long_history(series: timetric.Series) -> None:
    series.update((t, 1) for t in range(120_000))
    assert sum(1 for _ in series) == 120_000
    assert list(itertools.islice(series, 3)) == [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]


def test_a_series_may_be_written_while_it_is_read(series: timetric.Series) -> None:
    series.update([(1, 1), (2, 2)])
    for timestamp, value in series:
        series.update([(timestamp, value * 10)])
    assert list(series) == [(1.0, 10.0), (2.0, 20.0)]


def test_threads_share_a_client(series: timetric.Series) -> None:
    def count() -> None:
        for _ in range(25):
            series.increment(1)
            assert float(series) >= 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert float(series) == 100.0
