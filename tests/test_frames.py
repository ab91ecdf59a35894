"""Points as arrays, frames and tables, from a real service."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import timetric

POINTS = [(-86400.5, 1.5), (0.0, None), (1.0, True), (2.0, False), (1710028800.123456, -3.25)]
VALUES = [1.5, np.nan, 1.0, 0.0, -3.25]
NULLS = [1.5, None, 1.0, 0.0, -3.25]
MICROSECONDS = [-86400500000, 0, 1000000, 2000000, 1710028800123456]


def made(client: timetric.TimetricClient, data: object, title: str = "Power") -> timetric.Series:
    return client.create_series(data, title=title, caption="kW")


def test_numpy_gets_two_columns(client: timetric.TimetricClient) -> None:
    t, v = made(client, POINTS).to_numpy().T
    assert t.tolist() == [point[0] for point in POINTS]
    np.testing.assert_array_equal(v, VALUES)


def test_pandas_gets_a_named_series_in_utc(client: timetric.TimetricClient) -> None:
    found = client.series(made(client, POINTS).id).to_pandas()
    np.testing.assert_array_equal(found.to_numpy(), VALUES)
    assert found.name == "Power"
    assert found.index.tz_localize(None).to_numpy().astype("M8[us]").view("i8").tolist() == (
        MICROSECONDS
    )


def test_an_empty_series_has_the_same_types(client: timetric.TimetricClient) -> None:
    empty, full = made(client, []), made(client, POINTS)
    assert empty.to_numpy().shape == (0, 2)
    assert len(empty.to_pandas()) == 0
    assert empty.to_pandas().dtype == full.to_pandas().dtype == np.float64
    assert empty.to_pandas().index.dtype == full.to_pandas().index.dtype == "datetime64[us, UTC]"
    assert empty.to_polars().schema == full.to_polars().schema
    assert empty.to_arrow().schema == full.to_arrow().schema


def test_polars_and_arrow_get_nulls(client: timetric.TimetricClient) -> None:
    series = made(client, POINTS)
    frame, table = series.to_polars(), series.to_arrow()
    assert frame.schema == {"timestamp": pl.Datetime("us", "UTC"), "value": pl.Float64()}
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
    assert frame["value"].to_list() == table["value"].to_pylist() == NULLS
    assert frame["timestamp"].to_physical().to_list() == MICROSECONDS
    assert table["timestamp"].cast(pa.int64()).to_pylist() == MICROSECONDS


def test_a_window_comes_alone_and_knows_the_title(client: timetric.TimetricClient) -> None:
    found = made(client, POINTS)["2024":].to_pandas()
    assert (found.name, found.tolist()) == ("Power", [-3.25])


def test_many_pages_come_whole(client: timetric.TimetricClient) -> None:
    rows = 600_000
    pairs = zip(range(rows), (n / 4 for n in range(rows)))
    cells = made(client, pairs).to_numpy()
    np.testing.assert_array_equal(cells, np.column_stack([np.arange(rows), np.arange(rows) / 4]))


def test_a_frame_of_many_series_is_aligned(client: timetric.TimetricClient) -> None:
    a, b = made(client, [(0, 1), (86400, 3)]), made(client, [(86400, 5), (2678400, 7)])
    c = made(client, [(-1, 2)], "Heat")
    frame = client.to_pandas([a, b.id, c])
    assert list(frame) == [f"Power ({a.id})", f"Power ({b.id})", "Heat"]
    nan = np.nan
    rows = [[nan, nan, 2], [1, nan, nan], [3, 5, nan], [nan, 7, nan]]
    np.testing.assert_array_equal(frame.to_numpy(), rows)
    months = client.to_pandas([a, b], start="1970", every="1mo")
    np.testing.assert_array_equal(months.to_numpy(), [[2, 5], [nan, 7]])
    assert list(months.index) == [
        pd.Timestamp("1970-01", tz="UTC"),
        pd.Timestamp("1970-02", tz="UTC"),
    ]


def test_a_frame_of_nothing_is_refused(client: timetric.TimetricClient) -> None:
    with pytest.raises(timetric.BadRequest, match="one series at least"):
        client.to_pandas([])


@pytest.mark.parametrize(
    "name, extra",
    [("numpy", "numpy"), ("pandas", "pandas"), ("polars", "polars"), ("pyarrow", "arrow")],
)
def test_what_is_missing_is_named(name: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{name!r}] = None
from timetric.frames import needed
needed({name!r})
"""
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert f"ConfigError: this needs {name}" in run.stderr
    assert f"pip install 'timetric[{extra}]'" in run.stderr


def test_columns_are_taken(client: timetric.TimetricClient) -> None:
    times = pd.DatetimeIndex(["1969-12-31 23:00", "2024-03-10 00:00:00.5"])
    expected = [(-3600.0, None), (1710028800.5, 2.0)]
    naive = pd.Series([np.nan, 2], index=times)
    aware = pd.Series(
        [None, 2], index=times.tz_localize("UTC").tz_convert("Asia/Tokyo"), dtype="Int64"
    )
    frame = pl.DataFrame({"t": times.to_numpy(), "v": [None, 2]})
    array = np.array([[-3600, np.nan], [1710028800.5, 2]])
    for data in [naive, naive.to_frame(), aware, frame, array]:
        assert list(made(client, data)) == expected
    aware_frame = frame.with_columns(
        pl.col("t").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    )
    assert list(made(client, aware_frame)) == expected
    assert list(made(client, pd.Series([True, False], index=times))) == [
        (-3600.0, True),
        (1710028800.5, False),
    ]
    assert made(client, []).update(array).added == 2


@pytest.mark.parametrize(
    "data, flaw",
    [
        (pd.Series([1, 2], index=pd.DatetimeIndex(["2024-01-01", pd.NaT])), "row 1: the timestamp"),
        (np.array([[0, 1], [1, np.inf]]), "row 1: the value"),
        (np.zeros((2, 3)), "3 columns"),
        (pd.DataFrame({"a": [1], "b": [2]}), "choose one of"),
        (pd.Series([1, 2]), "only counts rows"),
        (pd.Series(["x"], index=pd.DatetimeIndex(["2024"])), "other values than numbers"),
        (pl.DataFrame({"a": [1], "b": [2], "c": [3]}), "choose two"),
        (pl.Series([1]), "no times"),
    ],
)
def test_columns_that_cannot_be_taken(
    client: timetric.TimetricClient, data: object, flaw: str
) -> None:
    with pytest.raises(timetric.InvalidPoint, match=flaw):
        made(client, data)
