"""The half of a Storage that is alike in all engines: series and points, by the parts in charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from timetric.points import Point, Value
from timetric.server.aggregates import Aggregation
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import PLAIN, Receipt, Terms
from timetric.server.storage import Found, Search, Series, User, Window, pieces, summary
from timetric.server.storage.engine import Engine, Scope
from timetric.server.storage.history import History


class Catalog(Protocol):
    """The series themselves, without their points."""

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float, terms: Terms
    ) -> Receipt:
        """Make a series with its first points. Raises Taken, SlugTaken, OverQuota."""

    def series(self, id: str) -> Series:
        """Raises Missing."""

    def search(self, search: Search) -> Found:
        """Those that fit."""

    def amend(self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms) -> Series:
        """Change fields of its metadata. Raises SlugTaken, Changed, Missing."""

    def remove(self, series: Series, now: float, terms: Terms) -> Receipt:
        """Take a series away with its points."""


class Keeper(Engine, Protocol):
    """An engine that tells its receipts."""

    def receipt(self, scope: Scope, key: str, now: float) -> Receipt:
        """Raises Missing."""


class Assembly:
    """Series and points as Storage has them."""

    def __init__(self, engine: Keeper, catalog: Catalog, history: History) -> None:
        self._engine = engine
        self._catalog = catalog
        self._history = history

    # series

    def create(
        self,
        id: str,
        owner: User,
        metadata: Metadata,
        points: Columns,
        now: float,
        terms: Terms = PLAIN,
    ) -> Receipt:
        return self._catalog.create(id, owner, metadata, points, now, terms)

    def series(self, id: str) -> Series:
        return self._catalog.series(id)

    def search(self, search: Search) -> Found:
        return self._catalog.search(search)

    def amend(
        self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms = PLAIN
    ) -> Series:
        return self._catalog.amend(series, changes, now, terms)

    def remove(self, series: Series, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._catalog.remove(series, now, terms)

    def receipt(self, owner: User, series: str, key: str, now: float) -> Receipt:
        return self._engine.receipt((owner.key, series), key, now)

    # points

    def merge(self, series: Series, points: Columns, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._history.merge(series, points, now, terms)

    def replace(self, series: Series, points: Columns, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._history.replace(series, points, now, terms)

    def clear(
        self, series: Series, start: float, end: float, now: float, terms: Terms = PLAIN
    ) -> Receipt:
        return self._history.clear(series, start, end, now, terms)

    def append(self, series: Series, value: Value, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._history.append(series, value, now, terms)

    def increment(self, series: Series, amount: float, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._history.increment(series, amount, now, terms)

    def put(self, series: Series, point: Point, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._history.put(series, point, now, terms)

    def latest(self, series: Series) -> Point | None:
        return self._engine.latest(series)

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        return pieces.read(self._engine, series, window)

    def cut(self, series: Series, window: Window) -> float | None:
        return pieces.cut(self._engine, series, window)

    def may_hold_words(self, series: Series, window: Window) -> bool:
        with self._engine.reading(series.key) as rows:
            return rows.may_hold_words(window.start, window.end)

    def aggregate(
        self, series: Series, window: Window, aggregation: Aggregation
    ) -> Iterator[Columns]:
        return summary.aggregate(self._engine, series, window, aggregation)
