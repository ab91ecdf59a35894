"""A caller's columns of NumPy, pandas or polars in the form of 16 bytes a point.

No Python runs for a point. Nothing is imported that the caller has not imported before.
"""

from __future__ import annotations

from typing import Any

from timetric.exceptions import InvalidPoint
from timetric.timestamps import END, FIRST

_NULL, _TRUE, _FALSE = 0x7FF8_0000_0000_0001, 0x7FF8_0000_0000_0002, 0x7FF8_0000_0000_0003


def pack_columns(data: object) -> bytes | None:
    """Their points; None for what is no such thing, and so is to be taken as pairs.

    Raises InvalidPoint naming the row, from 0, that can't be taken, or what the columns lack.
    """
    split = _SPLITS.get((type(data).__module__.split(".")[0], type(data).__name__))
    columns = split(data) if split else None
    if columns is None:
        return None
    times, values = columns
    if values.dtype.kind not in "biuf" or times.dtype.kind not in "iufM":
        raise InvalidPoint(
            f"columns of {times.dtype} and {values.dtype} are no times and values: values are "
            "numbers or booleans, times are datetimes or Unix seconds"
        )
    return _packed(_seconds(times), values)


def _packed(seconds: Any, values: Any) -> bytes:
    import numpy as np

    cells = np.empty((len(seconds), 2), "<f8")
    cells[:, 0], cells[:, 1] = seconds, values
    _refuse(~((seconds >= FIRST) & (seconds < END)), "timestamp is missing or out of range")
    _refuse(np.isinf(cells[:, 1]), "value is infinite")
    bits = cells.view("<u8")[:, 1]
    bits[np.isnan(cells[:, 1])] = _NULL
    if values.dtype.kind == "b":
        bits[:] = np.where(values, np.uint64(_TRUE), np.uint64(_FALSE))
    return cells.tobytes()


def _refuse(bad: Any, flaw: str) -> None:
    if bad.any():
        raise InvalidPoint(f"row {int(bad.argmax())}: the {flaw}")


def _seconds(times: Any) -> Any:
    """Unix seconds; of finer instants the nearest double, and NaN for NaT."""
    import numpy as np

    if times.dtype.kind != "M":
        return times.astype("f8")
    whole = times.astype("M8[s]")
    fraction = (times - whole) / np.timedelta64(1, "s")
    return np.where(np.isnat(times), np.nan, whole.astype("i8") + fraction)


def _of_array(array: Any) -> tuple[Any, Any] | None:
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        return None
    if array.shape[1] != 2:
        raise InvalidPoint(f"an array of {array.shape[1]} columns: give two, times and values")
    return array[:, 0], array[:, 1]


def _of_pandas_frame(frame: Any) -> tuple[Any, Any]:
    if len(frame.columns) != 1:
        raise InvalidPoint(
            f"a frame of {len(frame.columns)} columns: choose one of {list(frame.columns)}, "
            "such as frame['power']"
        )
    return _of_pandas(frame.iloc[:, 0])


def _of_pandas(column: Any) -> tuple[Any, Any]:
    index = column.index
    if type(index).__name__ == "RangeIndex" and len(index):
        raise InvalidPoint("the index only counts rows: set one of times (set_index)")
    times = index.tz_convert(None) if getattr(index, "tz", None) else index
    plain = column.dtype.kind == "b" and not column.isna().any()
    values = column.to_numpy("?") if plain else _floats(column)
    return times.to_numpy(), values


def _floats(column: Any) -> Any:
    try:  # a column of objects may hold anything
        return column.to_numpy("f8", na_value=float("nan"))
    except (TypeError, ValueError) as error:
        raise InvalidPoint(f"a column of {column.dtype} has other values than numbers") from error


def _of_polars_frame(frame: Any) -> tuple[Any, Any]:
    if len(frame.columns) != 2:
        raise InvalidPoint(
            f"a frame of the columns {frame.columns}: choose two, times and values, by select"
        )
    times, values = frame.get_columns()
    return times.to_numpy(), values.to_numpy()


def _of_polars(column: Any) -> tuple[Any, Any]:
    raise InvalidPoint("a polars Series has no times: give a DataFrame of times and values")


_SPLITS = {
    ("numpy", "ndarray"): _of_array,
    ("pandas", "Series"): _of_pandas,
    ("pandas", "DataFrame"): _of_pandas_frame,
    ("polars", "Series"): _of_polars,
    ("polars", "DataFrame"): _of_polars_frame,
}
