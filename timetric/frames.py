"""Points as arrays, frames and tables of other libraries, which are imported only when called.

No Python runs for a point: pages of the 16-byte form are taken as arrays as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
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
    return np.column_stack(_columns(np, pages, np.asarray))


def _columns(np: Any, pages: Iterable[Page], instants: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Times, as ``instants`` makes them of Unix seconds, and values, each on its own.

    The columns grow in place as pages come: to touch new memory takes longer than all else here.
    """
    times, values = np.empty(0, instants(np.empty(0)).dtype), np.empty(0)
    for page in pages:
        body = page.body if page.packed else b"".join(pack(page.points()))
        cells = np.frombuffer(body, "<f8").reshape(-1, 2)
        size = len(values)
        for column in (times, values):
            column.resize(size + len(cells), refcheck=False)  # nothing else refers to them yet
        times[size:] = instants(cells[:, 0])
        values[size:] = cells[:, 1]
        _replace_words(np, values[size:])
    return times, values


def to_pandas(pages: Iterable[Page], name: str | None) -> Any:
    """A Series of float64 over a DatetimeIndex in UTC, by microseconds."""
    pd, np = needed("pandas"), needed("numpy")
    t, v = _columns(np, pages, partial(_instants, np))
    times = pd.DatetimeIndex(t, name="timestamp").tz_localize("UTC")
    return pd.Series(v, index=times, name=name, copy=False)


def to_polars(pages: Iterable[Page]) -> Any:
    """A DataFrame of timestamp (Datetime, UTC, by microseconds) and value (Float64, or null)."""
    pl, np = needed("polars"), needed("numpy")
    t, v = _columns(np, pages, partial(_instants, np))
    times = pl.Series("timestamp", t).dt.replace_time_zone("UTC")
    return pl.DataFrame([times, pl.Series("value", v, nan_to_null=True)])


def to_arrow(pages: Iterable[Page]) -> Any:
    """A Table of timestamp (UTC, by microseconds) and value (float64, or null)."""
    pa, np = needed("pyarrow"), needed("numpy")
    t, v = _columns(np, pages, partial(_instants, np))
    times = pa.array(t).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"timestamp": times, "value": pa.array(v, from_pandas=True)})


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


def _instants(np: Any, t: Any) -> Any:
    """Timestamps by microseconds, which is about what a double of today's seconds holds."""
    return np.rint(t * 1e6).astype("i8").view("M8[us]")


def _replace_words(np: Any, values: Any) -> None:
    """Put NaN, 1 and 0 for null, true and false. Raises BadReply for a value that is none."""
    places = np.flatnonzero(~np.isfinite(values))
    words = (values[places].view("u8") & np.uint64(_UNSIGNED)).astype("i8") - _NULL
    if ((words < 0) | (words > 2)).any():
        raise BadReply("the service sent a value that is none")
    values[places] = np.array([np.nan, 1.0, 0.0])[words]
