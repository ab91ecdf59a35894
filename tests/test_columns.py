"""CSV to columns and back, as the service does it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given

from tests.test_points import exact, points
from timetric.exceptions import InvalidPoint
from timetric.points import format_csv
from timetric.server import columns
from timetric.server.columns import read_csv, to_points, write_csv


def read(body: bytes) -> list[Any]:
    return list(to_points(read_csv(io.BytesIO(body))))


@given(points)
def test_an_upload_is_the_sorted_rows_of_which_the_last_of_a_timestamp_stands(
    rows: list[tuple[float, Any]],
) -> None:
    assert exact(read(b"".join(format_csv(rows)))) == exact(sorted(dict(rows).items()))


@given(points)
def test_what_was_read_is_written_as_it_was(rows: list[tuple[float, Any]]) -> None:
    body = b"".join(format_csv(sorted(dict(rows).items())))
    assert write_csv(read_csv(io.BytesIO(body))) == body


@pytest.mark.parametrize("size", [1, 7, 30, 1 << 20])
def test_slices_change_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "SLICE", size)
    body = b"\xef\xbb\xbf5,1\r\n\r\n2009-03-10T00:00:00Z , TRUE\r\n1,null\r\n5,2.5"
    assert read(body) == [(1.0, None), (5.0, 2.5), (1236643200.0, True)]
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n\n2,3\n3,x\n4,5\n")
    assert caught.value.line == 4


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "SLICE", 1000)
    monkeypatch.setattr(columns, "LONGEST_LINE", 2000)
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n" + b"9" * 5000)
    assert caught.value.line == 2


@pytest.mark.parametrize("row", [b"1,1e999", b"1e15,1", b"1,nan", b"-1e11,1", b"1,2,3", b","])
def test_numbers_out_of_range_are_found_among_good_ones(row: bytes) -> None:
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n3,4\n" + row + b"\n5,6\n")
    assert caught.value.line == 3


def test_iso_is_written_for_people() -> None:
    assert write_csv(read_csv(io.BytesIO(b"0.25,1\n")), iso=True) == (
        b"1970-01-01T00:00:00.250000,1.0\n"
    )
