"""Storage in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timetric.points import Point, Value
from timetric.server.aggregates import Aggregation
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import PLAIN, Receipt, Terms
from timetric.server.storage import (
    Accounts,
    Damaged,
    Found,
    Grants,
    Search,
    Series,
    Unavailable,
    User,
    Window,
    pieces,
    summary,
)
from timetric.server.storage.bodies import clean
from timetric.server.storage.catalog import Catalog
from timetric.server.storage.check import faults
from timetric.server.storage.database import Database
from timetric.server.storage.history import History
from timetric.server.storage.known import Known
from timetric.server.storage.migrations import migrate
from timetric.server.storage.sqlite_accounts import SqliteAccounts
from timetric.server.storage.sqlite_grants import SqliteGrants
from timetric.server.storage.tables import Tables
from timetric.server.storage.writer import Writer


class SqliteStorage:
    """The Storage of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)
        self._history = History(database, self._writer)
        self._catalog = Catalog(database, self._writer, self._history)
        self.accounts: Accounts = SqliteAccounts(database)
        self.grants: Grants = SqliteGrants(database)
        database.write(lambda db: migrate(db, database.path))
        database.if_alone(lambda: clean(database))
        self._known_series = Known(database.epoch, self.series)
        self._known_tags = Known(database.epoch, self._catalog.tags)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        try:
            self._database.row("SELECT key FROM users LIMIT 1", ())
        except (Damaged, sqlite3.DatabaseError) as error:  # whatever it is, it is no answer
            raise Unavailable(f"the store can't be read: {error}") from error

    def backup(self, path: Path) -> None:
        self._database.backup(path)

    def check(self) -> Iterator[str]:
        return faults(self._database)

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

    def known_series(self, id: str) -> Series:
        return self._known_series[id]

    def search(self, search: Search) -> Found:
        return self._catalog.search(search)

    def tags(self, viewer: User | None, limit: int) -> list[tuple[str, int]]:
        return self._known_tags[viewer, limit]

    def amend(
        self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms = PLAIN
    ) -> Series:
        return self._catalog.amend(series, changes, now, terms)

    def remove(self, series: Series, now: float, terms: Terms = PLAIN) -> Receipt:
        return self._catalog.remove(series, now, terms)

    def receipt(self, owner: User, series: str, key: str, now: float) -> Receipt:
        return self._writer.receipt((owner.key, series), key, now)

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
        return self._history.latest(series)

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        return pieces.read(self._database, series, window)

    def cut(self, series: Series, window: Window) -> float | None:
        return pieces.cut(self._database, series, window)

    def may_hold_words(self, series: Series, window: Window) -> bool:
        with self._database.reading() as db:
            return Tables(db, series.key).may_hold_words(window.start, window.end)

    def aggregate(
        self, series: Series, window: Window, aggregation: Aggregation
    ) -> Iterator[Columns]:
        return summary.aggregate(self._database, series, window, aggregation)
