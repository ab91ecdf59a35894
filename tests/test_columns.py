"""CSV to columns and back, as the service does it."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.test_points import exact, points
from timetric.exceptions import InvalidPoint
from timetric.points import format_csv
from timetric.server import columns, intake
from timetric.server.blocks import cut, decode, encode
from timetric.server.columns import to_points, write_csv
from timetric.server.intake import read_csv
from timetric.timestamps import END, FIRST, format_iso


def read(body: bytes) -> list[Any]:
    return list(to_points(read_csv(io.BytesIO(body)).points))


@given(points)
def test_an_upload_is_the_sorted_rows_of_which_the_last_of_a_timestamp_stands(
    rows: list[tuple[float, Any]],
) -> None:
    assert exact(read(b"".join(format_csv(rows)))) == exact(sorted(dict(rows).items()))


@given(points)
def test_what_was_read_is_written_as_it_was(rows: list[tuple[float, Any]]) -> None:
    body = b"".join(format_csv(sorted(dict(rows).items())))
    assert write_csv(read_csv(io.BytesIO(body)).points) == body


@pytest.mark.parametrize("size", [1, 7, 30, 1 << 20])
def test_slices_change_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLICE", size)
    body = b"\xef\xbb\xbf5,1\r\n\r\n2009-03-10T00:00:00Z , TRUE\r\n1,null\r\n5,2.5"
    assert read(body) == [(1.0, None), (5.0, 2.5), (1236643200.0, True)]
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n\n2,3\n3,x\n4,5\n")
    assert caught.value.line == 4


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLICE", 1000)
    monkeypatch.setattr(intake, "LONGEST_LINE", 2000)
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n" + b"9" * 5000)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "row",
    [b"true,1", b"null,1", b"1,1e999", b"1e15,1", b"1,nan", b"-1e11,1", b"1,2,3", b","],
)
def test_numbers_out_of_range_are_found_among_good_ones(row: bytes) -> None:
    with pytest.raises(InvalidPoint) as caught:
        read(b"1,2\n3,4\n" + row + b"\n5,6\n")
    assert caught.value.line == 3


def test_iso_is_written_for_people() -> None:
    assert write_csv(read_csv(io.BytesIO(b"0.25,1\n")).points, iso=True) == (
        b"1970-01-01T00:00:00.250000,1.0\n"
    )


@pytest.mark.parametrize("order", ["sorted", "sorted, some twice", "newest first", "shuffled"])
def test_a_body_too_large_for_memory_is_the_same(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SLICE", 10_000)
    monkeypatch.setattr(intake, "MEMORY", 2_048)
    twice = range(0 if order == "sorted" else 500)
    rows = [(float(t), float(n)) for n, t in enumerate([*range(20_000), *twice])]
    if order == "newest first":
        rows.reverse()
    if order == "shuffled":
        random.Random(1).shuffle(rows)
    assert read(b"".join(format_csv(rows))) == sorted(dict(rows).items())


def test_many_uploads_at_once_are_all_read() -> None:
    def points_or_line(n: int) -> int:
        rows = [b"%d,%d\n" % (t, n) for t in range(30_000)]
        if n % 3 == 0:
            rows[20_000 + n] = b"bad\n"
        try:
            return len(read(b"".join(rows)))
        except InvalidPoint as error:
            return error.line or 0

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(points_or_line, range(24)))
    assert found == [30_000 if n % 3 else 20_001 + n for n in range(24)]


@pytest.mark.parametrize("large", [columns.LARGE, 1 << 60], ids=["pyarrow", "orjson"])
def test_200_000_random_doubles_come_back_to_the_bit(
    large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "LARGE", large)
    rng = np.random.default_rng(2009)
    v = rng.integers(0, 2**64, 200_000, dtype=np.uint64).view(np.float64)
    v[~np.isfinite(v)] = -0.0
    v[:8] = [5e-324, -5e-324, 2.2250738585072009e-308, -0.0, 1e22, 1e-5, 1e16, 123456789.125]
    t = np.sort(rng.uniform(FIRST, END, len(v)))
    t[100_000:100_005] = np.sort(rng.uniform(-1e-300, 1e-300, 5))
    t.sort()
    body = "".join(f"{a!r},{b!r}\n" for a, b in zip(t.tolist(), v.tolist())).encode()
    read_back = read_csv(io.BytesIO(body)).points
    packed = [encode(piece) for piece in cut(read_back)]
    unpacked = [decode(b.codec, b.crc, b.times, b.values) for b in packed]
    assert b"".join(map(write_csv, unpacked)) == body


@given(points)
def test_iso_is_what_format_iso_writes(rows: list[tuple[float, Any]]) -> None:
    parsed = read_csv(io.BytesIO(b"".join(format_csv(rows)))).points
    lines = write_csv(parsed, iso=True).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == [format_iso(t) for t, _ in to_points(parsed)]


@pytest.mark.parametrize(
    "row",
    [
        "+1,2",
        ".5,2.",
        "007,0010",
        "1,-0",
        "1,-0 ",
        "-0 ,1",
        "-0,1",
        "1,NULL",
        "1,True",
        "1 , 2",
        "1e2,1E2",
    ]
    + ["2009-03-10,1", "2009-03-10T00:00:00,1", "2009-03-10 00:00:00Z,null", "1,nan", "true,1"]
    + ["2009-02-30,1", "0000-01-01,1", "2009-03-10T24:00:00,1", "1,1e999", "1,1e-999", "nan,1"]
    + [
        "2009-03-10T00:00:00+01:00,1",
        "2009-03-10T00:00,1",
        "1,",
        ",",
        "1,tru",
        "1,2,3",
        "-0.0,-0.0",
    ]
    + ["2009-03-10T00:00:00.5,1", "1,18446744073709551615", "1,1.7976931348623159e308"],
)
def test_a_row_means_the_same_alone_and_among_many(row: str) -> None:
    def meaning(body: str) -> Any:
        try:
            return exact(read(body.encode()))[-1]
        except InvalidPoint as error:
            return error.detail.partition(": ")[2]

    assert meaning(f"{row}\n{row}") == meaning(row)
    assert meaning(f"-62135596800,5\n{row}") == meaning(row)
    large = "-62135596800,5\n" * (2 * columns.LARGE // 15)
    assert meaning(large + row) == meaning(row)
