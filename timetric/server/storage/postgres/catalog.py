"""The series themselves, without their points, in PostgreSQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Found, Missing, Search, Series, SlugTaken, Taken, User
from timetric.server.storage.engine import scope_of
from timetric.server.storage.history import History
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.engine import PostgresEngine
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.quota import check_new
from timetric.server.storage.postgres.receipts import key_of
from timetric.server.storage.postgres.search import count_tags, find, words_of
from timetric.server.storage.postgres.tables import PostgresTables
from timetric.server.storage.writer import check, on_terms

_FIELDS = """SELECT series.key, id, users.key, users.name, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, slug, series.created"""
_ABOUT = f"{_FIELDS} FROM series JOIN users ON users.key = series.owner"
_AFTER = f"{_ABOUT} WHERE id > %s ORDER BY id LIMIT %s"
_KNOWN = f"{_ABOUT} WHERE series.key = %s AND id = %s"
#: Both keys are said, so that a cluster knows the node.
_SERIES = f"""{_FIELDS}, updated, points, version, generation
    FROM series JOIN users ON users.key = series.owner JOIN states ON states.series = series.key
    WHERE states.series = %(key)s AND series.key = %(key)s AND id = %(id)s"""
#: Of all series of a page at once.
_STATES = """SELECT series, updated, points, version, generation FROM states
    WHERE series = ANY(%s)"""
_INSERT = """INSERT INTO series(key, id, owner, created, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, slug, words)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::tsvector)
    ON CONFLICT DO NOTHING"""
_UPDATE = """UPDATE series SET title = %s, caption = %s, description = %s, tags = %s, unit = %s,
    source = %s, source_url = %s, latitude = %s, longitude = %s, public = %s, slug = %s,
    words = %s::tsvector WHERE key = %s"""
_DELETE = "DELETE FROM series WHERE key = %s"
_SLUG = "SELECT id FROM series WHERE slug = %s AND owner = %s"
#: Who gives a series a slug keeps others of the same user's from doing it meanwhile.
_LOCK_OWNER = "SELECT FROM users WHERE key = %s FOR NO KEY UPDATE"


class PostgresCatalog:
    """The Catalog of one PostgreSQL database."""

    def __init__(
        self, database: PostgresDatabase, engine: PostgresEngine, history: History
    ) -> None:
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
            with self._history.first_points(points) as (put, stage):

                def job(rows: PostgresTables) -> Receipt:
                    check_new(rows.db, owner, size, locks=True)
                    _insert(rows, id, owner, metadata, now)
                    rows.db.execute(sql.NEW_STATE, (rows.series, receipt.version, now))
                    put(rows)
                    return receipt

                return self._engine.commit(scope, id, terms, now, job, stage)

        return self._engine.once(scope, terms, now, make)

    def _check(self, owner: User, metadata: Metadata, points: int) -> None:
        """Whether such a series may be made. Raises OverQuota, SlugTaken, Missing."""
        with self._database.reading() as db:
            check_new(db, owner, points, locks=False)
            _check_slug(db, owner, metadata.slug)

    def series(self, id: str) -> Series:
        row = self._database.row(_SERIES, {"key": key_of(id), "id": id})
        if row is None:
            raise Missing(f"there is no series {id}")
        return _series(row)

    def known(self, id: str) -> Series:
        """Without what each write changes. Raises Missing."""
        row = self._database.row(_KNOWN, (key_of(id), id))
        if row is None:
            raise Missing(f"there is no series {id}")
        return _series((*row, 0.0))

    def search(self, search: Search) -> Found:
        with self._database.reading() as db:
            total, rows = find(db, search, _ABOUT)
            states = {key: state for key, *state in db.execute(_STATES, ([r[0] for r in rows],))}
        return Found(total, [_series((*row, *states.get(row[0], (0.0,)))) for row in rows])

    def after(self, id: str, most: int) -> list[Series]:
        """Up to so many series of all users, sorted by ID, whose IDs come after this one."""
        with self._database.reading() as db:
            rows = db.execute(_AFTER, (id, most)).fetchall()
            states = {key: state for key, *state in db.execute(_STATES, ([r[0] for r in rows],))}
        return [_series((*row, *states[row[0]])) for row in rows if row[0] in states]

    def tags(self, viewer: User | None, limit: int) -> list[tuple[str, int]]:
        """Those that a viewer may find, so many."""
        with self._database.reading() as db:
            return count_tags(db, viewer, limit)

    def amend(self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms) -> Series:
        def job(db: Connection) -> Series:
            rows = PostgresTables(db, series.key, writes=True)
            check(rows, terms)
            old = _found(db, series)
            metadata = dataclasses.replace(old.metadata, **changes)
            if metadata == old.metadata:
                return old
            if metadata.slug not in (None, old.metadata.slug):
                db.execute(_LOCK_OWNER, (old.owner.key,))
                _check_slug(db, old.owner, metadata.slug)
            rows.touch(now)
            db.execute(_UPDATE, (*_fields(metadata), series.key))
            return _found(db, series)

        return self._database.write(job)

    def remove(self, series: Series, now: float, terms: Terms) -> Receipt:
        def remove(rows: PostgresTables) -> Receipt:
            state = rows.state()
            rows.drop()
            rows.db.execute(_DELETE, (rows.series,))
            return Receipt(removed=state.points, version=state.version + 1)

        def job(rows: PostgresTables) -> Receipt:
            return on_terms(rows, terms, lambda _: remove(rows))

        return self._engine.commit(scope_of(series), series.id, terms, now, job)


def _insert(rows: PostgresTables, id: str, owner: User, metadata: Metadata, now: float) -> None:
    """Make a series without its points. Raises Taken, SlugTaken."""
    if metadata.slug is not None:
        rows.db.execute(_LOCK_OWNER, (owner.key,))
        _check_slug(rows.db, owner, metadata.slug)
    row = (rows.series, id, owner.key, now, *_fields(metadata))
    if not rows.db.execute(_INSERT, row).rowcount:
        raise Taken(f"there is a series {id} already")


def _check_slug(db: Connection, owner: User, slug: str | None) -> None:
    """Raises SlugTaken."""
    row = db.execute(_SLUG, (slug, owner.key)).fetchone()
    if slug is not None and row is not None:
        raise SlugTaken(slug, row[0])


def _found(db: Connection, series: Series) -> Series:
    """Raises Missing."""
    row = db.execute(_SERIES, {"key": series.key, "id": series.id}).fetchone()
    if row is None:
        raise Missing(f"there is no series {series.id}")
    return _series(row)


def _fields(metadata: Metadata) -> tuple[object, ...]:
    return (
        metadata.title,
        metadata.caption,
        metadata.description,
        list(metadata.tags),
        metadata.unit,
        metadata.source,
        metadata.source_url,
        metadata.latitude,
        metadata.longitude,
        metadata.public,
        metadata.slug,
        words_of(metadata),
    )


def _series(row: tuple[Any, ...]) -> Series:
    key, id, owner_key, owner_name, title, caption, description, tags, *rest = row[:15]
    metadata = Metadata(title, caption, description, tuple(tags), *rest)
    return Series(key, id, User(owner_key, owner_name), metadata, *row[15:])
