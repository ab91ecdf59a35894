"""The series themselves, without their points."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Found, Missing, Search, Series, SlugTaken, User
from timetric.server.storage.history import History
from timetric.server.storage.sql.rows import insert
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.sqlite.engine import SqliteEngine
from timetric.server.storage.sqlite.quota import check_first_points, check_series
from timetric.server.storage.sqlite.search import count_tags, find
from timetric.server.storage.sqlite.tables import SqliteTables
from timetric.server.storage.tables import Tables
from timetric.server.storage.writer import check

_SERIES = """SELECT series.key, id, users.key, users.name, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, slug, series.created, updated, points, version,
    generation FROM series JOIN users ON users.key = series.owner"""


class SqliteCatalog:
    """The Catalog of one SQLite file."""

    def __init__(self, database: Database, engine: SqliteEngine, history: History) -> None:
        self._database = database
        self._engine = engine
        self._history = history

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float, terms: Terms
    ) -> Receipt:
        size, scope = len(points.t), (owner.key, "")
        receipt = Receipt(terms.received(size), size, version=int(size > 0), made=id)

        def make() -> Receipt:
            if terms.dry_run:
                self._check(owner, metadata, size)
                return receipt._replace(made=None, version=0)
            with self._history.first_points(points) as (put, _):

                def job(db: sqlite3.Connection) -> Receipt:
                    put(SqliteTables(db, _insert(db, id, owner, metadata, receipt.version, now)))
                    return receipt

                return self._engine.commit(scope, terms, now, job, amends=True)

        return self._engine.once(scope, terms, now, make)

    def _check(self, owner: User, metadata: Metadata, points: int) -> None:
        """Whether such a series may be made. Raises OverQuota, SlugTaken, Missing."""
        with self._database.reading() as db:
            check_series(db, owner)
            _check_slug(db, owner, metadata.slug)
            if points > 0:
                check_first_points(db, owner, points)

    def series(self, id: str) -> Series:
        row = self._database.row(f"{_SERIES} WHERE id = ?", (id,))
        if row is None:
            raise Missing(f"there is no series {id}")
        return _series(row)

    def search(self, search: Search) -> Found:
        with self._database.reading() as db:
            total, keys = find(db, search)
            return Found(total, [_found(db, key) for key in keys])

    def after(self, id: str, most: int) -> list[Series]:
        """Up to so many series of all users, sorted by ID, whose IDs come after this one."""
        rows = self._database.rows(f"{_SERIES} WHERE id > ? ORDER BY id LIMIT ?", (id, most))
        return [_series(row) for row in rows]

    def tags(self, asked: tuple[User | None, int]) -> list[tuple[str, int]]:
        """Those that a viewer may find, so many."""
        with self._database.reading() as db:
            return count_tags(db, *asked)

    def amend(self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms) -> Series:
        def job(db: sqlite3.Connection) -> Series:
            rows = SqliteTables(db, series.key)
            check(rows, terms)
            old = _found(db, series.key)
            metadata = dataclasses.replace(old.metadata, **changes)
            if metadata == old.metadata:
                return old
            if metadata.slug != old.metadata.slug:
                _check_slug(db, old.owner, metadata.slug)
            rows.touch(now)
            db.execute(
                "UPDATE series SET title = ?, caption = ?, description = ?, tags = ?, unit = ?,"
                " source = ?, source_url = ?, latitude = ?, longitude = ?, public = ?,"
                " slug = ? WHERE key = ?",
                (*_fields(metadata), series.key),
            )
            return _found(db, series.key)

        return self._database.write(job)

    def remove(self, series: Series, now: float, terms: Terms) -> Receipt:
        def remove(rows: Tables) -> Receipt:
            state = rows.state()
            rows.drop()
            return Receipt(removed=state.points, version=state.version + 1)

        receipt = self._engine.write_to(series, terms, now, remove, amends=True)
        self._engine.sweep()
        return receipt


def _insert(
    db: sqlite3.Connection, id: str, owner: User, metadata: Metadata, version: int, now: float
) -> int:
    """Make an empty series; its key. Raises Taken, SlugTaken, OverQuota; Missing without owner."""
    check_series(db, owner)
    _check_slug(db, owner, metadata.slug)
    statement = (
        "INSERT INTO series(id, owner, title, caption, description, tags, unit, source,"
        " source_url, latitude, longitude, public, slug, created, updated, version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    row = (id, owner.key, *_fields(metadata), now, now, version)
    return insert(db, f"there is a series {id} already", statement, row).lastrowid or 0


def _check_slug(db: sqlite3.Connection, owner: User, slug: str | None) -> None:
    """Within the transaction that is alone with the store. Raises SlugTaken."""
    row = db.execute(
        "SELECT id FROM series WHERE slug = ? AND owner = ?", (slug, owner.key)
    ).fetchone()
    if slug is not None and row is not None:
        raise SlugTaken(slug, row[0])


def _found(db: sqlite3.Connection, key: int) -> Series:
    return _series(db.execute(f"{_SERIES} WHERE series.key = ?", (key,)).fetchone())


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
        metadata.slug,
    )


def _series(row: tuple[Any, ...]) -> Series:
    key, id, owner_key, owner_name, *fields = row[:15]
    return Series(key, id, User(owner_key, owner_name), _metadata(*fields), *row[15:])


def _metadata(
    title: str, caption: str, description: str, tags: str, unit: str, source: str, *rest: Any
) -> Metadata:
    source_url, latitude, longitude, public, slug = rest
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
        slug,
    )
