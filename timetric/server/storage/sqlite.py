"""Storage in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timetric.points import Point, Value
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.storage import (
    Accounts,
    Found,
    Grants,
    Missing,
    Search,
    Series,
    User,
    Window,
)
from timetric.server.storage.bodies import clean
from timetric.server.storage.check import faults
from timetric.server.storage.database import Database
from timetric.server.storage.history import History
from timetric.server.storage.known import Known
from timetric.server.storage.migrations import migrate
from timetric.server.storage.quota import check_series
from timetric.server.storage.rows import insert
from timetric.server.storage.sqlite_accounts import SqliteAccounts
from timetric.server.storage.sqlite_grants import SqliteGrants
from timetric.server.storage.sqlite_search import find
from timetric.server.storage.tables import Tables

_SERIES = """SELECT series.key, id, users.key, users.name, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, series.created, updated, points, version,
    generation FROM series JOIN users ON users.key = series.owner"""


class SqliteStorage:
    """The Storage of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._history = History(database)
        self.accounts: Accounts = SqliteAccounts(database)
        self.grants: Grants = SqliteGrants(database)
        database.write(lambda db: migrate(db, database.path))
        database.if_alone(lambda: clean(database))
        self._known_series = Known(database.epoch, self.series)

    def close(self) -> None:
        self._database.close()

    def backup(self, path: Path) -> None:
        self._database.backup(path)

    def check(self) -> Iterator[str]:
        return faults(self._database)

    # series

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float
    ) -> Series:
        def job(db: sqlite3.Connection) -> None:
            statement = (
                "INSERT INTO series(id, owner, title, caption, description, tags, unit, source,"
                " source_url, latitude, longitude, public, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
            row = (id, owner.key, *_fields(metadata), now, now)
            check_series(db, owner)
            key = insert(db, f"there is a series {id} already", statement, row)
            put(Tables(db, key), now)

        with self._history.first_points(points) as put:
            self._database.write(job)
        return self.series(id)

    def series(self, id: str) -> Series:
        row = self._database.row(f"{_SERIES} WHERE id = ?", (id,))
        if row is None:
            raise Missing(f"there is no series {id}")
        return _series(row)

    def known_series(self, id: str) -> Series:
        return self._known_series[id]

    def search(self, search: Search) -> Found:
        with self._database.reading() as db:
            total, keys = find(db, search)
            rows = [
                db.execute(f"{_SERIES} WHERE series.key = ?", (key,)).fetchone() for key in keys
            ]
        return Found(total, [_series(row) for row in rows])

    # points

    def merge(self, series: Series, points: Columns, now: float) -> None:
        self._history.merge(series, points, now)

    def replace(self, series: Series, points: Columns, now: float) -> None:
        self._history.replace(series, points, now)

    def clear(self, series: Series, start: float, end: float, now: float) -> None:
        self._history.clear(series, start, end, now)

    def append(self, series: Series, value: Value, now: float) -> Point:
        return self._history.append(series, value, now)

    def increment(self, series: Series, amount: float, now: float) -> Point:
        return self._history.increment(series, amount, now)

    def latest(self, series: Series) -> Point | None:
        return self._history.latest(series)

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        return self._history.read(series, window)


def _fields(metadata: Metadata) -> tuple[object, ...]:
    return (
        metadata.title,
        metadata.caption,
        metadata.description,
        json.dumps(metadata.tags),
        metadata.unit,
        metadata.source,
        metadata.source_url,
        metadata.latitude,
        metadata.longitude,
        metadata.public,
    )


def _series(row: tuple[Any, ...]) -> Series:
    key, id, owner_key, owner_name, *fields = row[:14]
    return Series(key, id, User(owner_key, owner_name), _metadata(*fields), *row[14:])


def _metadata(
    title: str, caption: str, description: str, tags: str, unit: str, source: str, *rest: Any
) -> Metadata:
    source_url, latitude, longitude, public = rest
    return Metadata(
        title,
        caption,
        description,
        tuple(json.loads(tags)),
        unit,
        source,
        source_url,
        latitude,
        longitude,
        bool(public),
    )
