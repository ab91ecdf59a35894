"""Points as arrays, frames and tables of other libraries, which are imported only when called.

No Python runs for a point: pages of the 16-byte form are taken as arrays as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from timetric.exceptions import BadReply, BadRequest, ConfigError
from timetric.packing import pack
from timetric.pages import Page

if TYPE_CHECKING:
    from timetric.series import Series

_UNSIGNED = 0x7FFF_FFFF_FFFF_FFFF
_NULL = 0x7FF8_0000_0000_0001  # true and false are the next two

#: Which extra of ours brings a module.
_EXTRAS = {"numpy": "numpy", "pandas": "pandas", "polars": "polars", "pyarrow": "arrow"}


def needed(name: str) -> Any:
    """An optional module. Raises ConfigError that says how to install it."""
    try:  # it is optional
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"this needs {name}, which can't be imported: pip install 'timetric[{_EXTRAS[name]}]'"
        ) from error


def to_numpy(pages: Iterable[Page]) -> Any:
    """An array of two columns of float64: Unix seconds, and values with NaN for null."""
    np = needed("numpy")
    bodies = [page.body if page.packed else b"".join(pack(page.points())) for page in pages]
    cells = np.frombuffer(b"".join(bodies), "<f8").astype("f8").reshape(-1, 2)
    _replace_words(np, cells[:, 1])
    return cells


def to_pandas(pages: Iterable[Page], name: str | None) -> Any:
    """A Series of float64 over a DatetimeIndex in UTC, by microseconds."""
    pd, np = needed("pandas"), needed("numpy")
    cells = to_numpy(pages)
    times = pd.DatetimeIndex(_instants(np, cells), name="timestamp").tz_localize("UTC")
    return pd.Series(cells[:, 1].copy(), index=times, name=name)


def to_polars(pages: Iterable[Page]) -> Any:
    """A DataFrame of timestamp (Datetime, UTC, by microseconds) and value (Float64, or null)."""
    pl, np = needed("polars"), needed("numpy")
    cells = to_numpy(pages)
    times = pl.Series("timestamp", _instants(np, cells)).dt.replace_time_zone("UTC")
    values = np.ascontiguousarray(cells[:, 1])
    return pl.DataFrame([times, pl.Series("value", values, nan_to_null=True)])


def to_arrow(pages: Iterable[Page]) -> Any:
    """A Table of timestamp (UTC, by microseconds) and value (float64, or null)."""
    pa, np = needed("pyarrow"), needed("numpy")
    cells = to_numpy(pages)
    times = pa.array(_instants(np, cells)).cast(pa.timestamp("us", tz="UTC"))
    values = pa.array(np.ascontiguousarray(cells[:, 1]), from_pandas=True)
    return pa.table({"timestamp": times, "value": values})


def of_many(series: list[Series], start: object, end: object, buckets: Mapping[str, str]) -> Any:
    """One pandas DataFrame of these, a column each. Raises BadRequest where there are none."""
    if not series:
        raise BadRequest("a frame needs one series at least")
    columns = [to_pandas(one[start:end].large_pages(**buckets), one.title) for one in series]
    return _aligned(columns, [one.id for one in series])


def _aligned(columns: list[Any], ids: list[str]) -> Any:
    """Those of the same name get their ID as well."""
    pd = needed("pandas")
    names = [column.name for column in columns]
    for column, name, id in zip(columns, names, ids):
        column.name = name if names.count(name) == 1 else f"{name} ({id})"
    return pd.concat(columns, axis=1, join="outer", sort=True)


def _instants(np: Any, cells: Any) -> Any:
    """Timestamps by microseconds, which is about what a double of today's seconds holds."""
    return np.rint(cells[:, 0] * 1e6).astype("i8").view("M8[us]")


def _replace_words(np: Any, values: Any) -> None:
    """Put NaN, 1 and 0 for null, true and false. Raises BadReply for a value that is none."""
    places = np.flatnonzero(~np.isfinite(values))
    words = (values[places].view("u8") & np.uint64(_UNSIGNED)).astype("i8") - _NULL
    if ((words < 0) | (words > 2)).any():
        raise BadReply("the service sent a value that is none")
    values[places] = np.array([np.nan, 1.0, 0.0])[words]
