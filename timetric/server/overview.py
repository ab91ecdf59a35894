"""A history in brief, as a request asks for it: what its buckets come to, or points for a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timezone, tzinfo
from functools import cache
from importlib.resources import files
from typing import NamedTuple, Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from timetric.server import fields
from timetric.server.aggregates import AGGREGATES, Bucketing
from timetric.server.body import Fields
from timetric.server.buckets import UNITS, parse_every
from timetric.server.columns import Columns
from timetric.server.problem import Problem
from timetric.server.selection import AHEAD, Page, within
from timetric.server.storage import Rewritten, Series, Storage, Window
from timetric.server.thinning import METHODS, thin

_ASKED = ("every", "aggregate", "tz")  # what asks for buckets
MOST_POINTS = 100_000  # that are kept for a chart

#: What belongs to a parameter, and means nothing without it.
_BELONGS = {"aggregate": "every", "tz": "every", "method": "max_points"}


class Overview(Protocol):
    """A way to say little of many points."""

    def page(self, storage: Storage, series: Series, window: Window) -> Page:
        """What there is to say of a window. Raises Rewritten, Damaged."""


def read_overview(query: Fields) -> Overview | None:
    """The one that a query asks for, if it does. Raises Problem."""
    for name, other in _BELONGS.items():
        if name in query and other not in query:
            raise Problem(400, f"{name} goes with {other} only.", field=name)
    for name in ("every", "limit"):
        if name in query and "max_points" in query:
            raise Problem(400, f"{name} and max_points do not go together.", field="max_points")
    if "max_points" in query:
        return _read_thinned(query)
    return _read_bucketed(query) if "every" in query else None


class Bucketed(NamedTuple):
    """What the numbers in each bucket come to. ``asked`` are the parameters that say so."""

    aggregation: Bucketing
    asked: dict[str, str]

    def page(self, storage: Storage, series: Series, window: Window) -> Page:
        """A link stands ahead of the buckets, so those of a long page are counted before."""

        def read(window: Window) -> Iterator[Columns]:
            return storage.aggregate(series, window, self.aggregation)

        if window.limit is None:
            return self._page(read(window), window, None)
        one_more = window._replace(limit=window.limit + 1)
        if window.limit > AHEAD:
            edge = _edge(read(one_more), window)
            pieces = within(read(_up_to(window, edge)), window.limit)
            return self._page(pieces, window, edge)
        ahead = list(read(one_more))
        edge = _edge(ahead, window)
        if edge is not None:
            t, v = ahead.pop()
            ahead.append(Columns(t[:-1], v[:-1]))
        return self._page(iter(ahead), window, edge)

    def _page(self, pieces: Iterator[Columns], window: Window, edge: float | None) -> Page:
        numeric = self.aggregation.name != "sum"  # null where it is past a double's range
        return Page(pieces, self._following(window, edge), numeric)

    def _following(self, window: Window, edge: float | None) -> str | None:
        if edge is None:
            return None
        start, end = (window.start, edge) if window.descending else (edge, window.end)
        bounds = {"start": start, "end": end}
        times = {name: repr(bound) for name, bound in bounds.items() if math.isfinite(bound)}
        order = {"order": "desc"} if window.descending else {}
        return urlencode({**times, "limit": window.limit, **order, **self.asked})


def _edge(pieces: Iterable[Columns], window: Window) -> float | None:
    """The instant at which the next page begins or, descending, ends; None where there is none.

    The pieces are of the window, with a limit of one more.
    """
    assert window.limit is not None, "without a limit there are no pages"
    edge, seen = None, 0
    for t, _ in pieces:
        place = window.limit - window.descending - seen
        if 0 <= place < len(t):
            edge = float(t[place])
        seen += len(t)
    return edge if seen > window.limit else None


def _up_to(window: Window, edge: float | None) -> Window:
    window = window._replace(limit=None)
    if edge is None:
        return window
    return window._replace(start=edge) if window.descending else window._replace(end=edge)


class Thinned(NamedTuple):
    """At most so many points, which look on a chart like all of them."""

    most: int
    method: str

    def page(self, storage: Storage, series: Series, window: Window) -> Page:
        def read(descending: bool) -> Iterator[Columns]:
            return storage.read(series, window._replace(descending=descending))

        points = thin(read, self.most, self.method)
        if storage.series(series.id).generation != series.generation:
            raise Rewritten(f"the series {series.id} was rewritten while it was read")
        order = slice(None, None, -1 if window.descending else 1)
        return Page(iter([Columns(points.t[order], points.v[order])]), None, numeric=True)


def _read_bucketed(query: Fields) -> Bucketed:
    if "aggregate" not in query:
        raise Problem(400, f"every needs an aggregate: {_names(AGGREGATES)}.", field="aggregate")
    name = fields.choice(query, "aggregate", *AGGREGATES)
    buckets = parse_every(fields.text(query, "every"), _read_zone(query))
    if buckets is None:
        raise Problem(
            400,
            f"every is a whole number from 1 on and one of {_names(UNITS)}, such as 15min.",
            field="every",
        )
    asked = {field: fields.text(query, field) for field in _ASKED if field in query}
    return Bucketed(Bucketing(buckets, name), asked)


def _read_zone(query: Fields) -> tzinfo:
    """UTC where none is asked for. A blank in a name is read as the + it was."""
    name = fields.text(query, "tz").replace(" ", "+") if "tz" in query else "UTC"
    if name not in _zones():
        raise Problem(
            400, "tz is no name of the IANA time zone database, such as Europe/Berlin.", field="tz"
        )
    return timezone.utc if name == "UTC" else ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    """The names of all zones. Paths of the machine's own database may hold others."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


def _read_thinned(query: Fields) -> Thinned:
    most = fields.count(query, "max_points")
    if not 2 <= most <= MOST_POINTS:
        raise Problem(400, f"max_points is a number from 2 to {MOST_POINTS:,}.", field="max_points")
    return Thinned(most, fields.choice(query, "method", *METHODS))


def _names(table: Iterable[str]) -> str:
    return ", ".join(table)
