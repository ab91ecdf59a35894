"""The handler of chart.json: a series as a chart of so many columns draws it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import orjson
from falcon import Request, Response

from timetric.points import Point
from timetric.server import fields
from timetric.server.access import Access
from timetric.server.body import Fields, read_query
from timetric.server.caching import Caching
from timetric.server.columns import Columns, from_points
from timetric.server.compression import is_packed
from timetric.server.problem import Problem
from timetric.server.selection import SIDES
from timetric.server.storage import Rewritten, Series, Storage, Window
from timetric.server.stretches import Rows, cut, joined, rows, single

#: How many columns a chart may have, and has unless told.
LEAST, USUAL, MOST = 2, 1000, 4000

_JSON = "application/json"


class ChartResource:
    """/series/ID/chart.json"""

    def __init__(self, storage: Storage, access: Access, caching: Caching) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_read(req, id)
        query = read_query(req)
        start = fields.time(query, "start") if "start" in query else -math.inf
        end = fields.time(query, "end") if "end" in query else math.inf
        columns = _read_width(query)
        packed = "+gzip" if is_packed(req, _JSON) else ""
        if self._caching.answers(req, resp, series, f"chart{packed}", weak=True):
            return
        chart = _Chart(self._storage, series)
        table = chart.rows(start, end, columns)
        if self._storage.series(series.id).generation != series.generation:
            raise Rewritten(f"the series {series.id} was rewritten while it was read")
        found = {"extent": chart.extent, **table._asdict()}
        found["numbers"] = table.numbers.astype(np.int64)
        resp.data = orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)
        resp.content_type = _JSON


class _Chart:
    """What is read of a series for one reply."""

    def __init__(self, storage: Storage, series: Series) -> None:
        self._storage = storage
        self._series = series
        first, latest = self._near("after", -math.inf), storage.latest(series)
        self.extent = [first[0], latest[0]] if first and latest else None

    def rows(self, start: float, end: float, columns: int) -> Rows:
        """Those from start to end, and those beside them, to which the line goes on."""
        if self.extent is None or start >= end:
            return single(from_points([]))
        first, latest = self.extent
        low, high = max(start, first), min(end, math.nextafter(latest, math.inf))
        within = self._within(low, high, columns)
        beside = single(from_points(self._beside(low, high, within, (high - low) / columns)))
        return joined([beside, within])

    def _within(self, start: float, end: float, columns: int) -> Rows:
        """Each point where there are no more than two a column."""
        if start >= end:
            return single(from_points([]))
        window = Window(start, end)
        pieces = self._storage.read(self._series, window._replace(limit=2 * columns + 1))
        few = Columns(*map(np.concatenate, zip(from_points([]), *pieces)))
        if len(few.t) <= 2 * columns:
            return single(few)
        return rows(self._storage.aggregate(self._series, window, cut(start, end, columns)))

    def _beside(self, start: float, end: float, within: Rows, column: float) -> Iterator[Point]:
        """The points to which the line goes on.

        Beside a column of many points a single one is no part of the line, unless it is far away.
        """
        near = 2 * column if (within.numbers > 1).any() else 0.0
        before = self._near("before", math.nextafter(start, -math.inf))
        if before and not (within.first[:1] - before[0] <= near).any():
            yield before
        after = self._near("after", end)
        if after and not (after[0] - within.final[-1:] <= near).any():
            yield after

    def _near(self, side: str, at: float) -> Point | None:
        return SIDES[side](self._storage, self._series, at)


def _read_width(query: Fields) -> int:
    if "width" not in query:
        return USUAL
    width = fields.count(query, "width")
    if not LEAST <= width <= MOST:
        raise Problem(400, f"width is a number from {LEAST} to {MOST:,}.", field="width")
    return width
