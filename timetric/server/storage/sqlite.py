"""Storage in one SQLite file."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from timetric.points import Point, Value
from timetric.server.columns import Columns, from_points, to_points
from timetric.server.metadata import Metadata
from timetric.server.storage import Missing, NotNumeric, Series, Taken, Token, User, Window
from timetric.server.storage.database import Database

_PIECE = 8192  # points a piece of a read
_TICK = 1e-6  # seconds from an instant that is taken to the next one to try

_TOKEN = """SELECT tokens.key, tokens.name, users.key, users.name, digest, tokens.created
    FROM tokens JOIN users ON users.key = tokens.owner"""
_SERIES = """SELECT series.key, id, users.key, users.name, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, series.created, updated
    FROM series JOIN users ON users.key = series.owner"""


class SqliteStorage:
    """The Storage of a directory that holds one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    def close(self) -> None:
        self._database.close()

    # users and tokens

    def add_user(self, name: str, created: float) -> User:
        with self._database.writing() as db:
            key = _insert(
                db,
                f"there is a user {name!r} already",
                "INSERT INTO users(name, created) VALUES (?, ?)",
                (name, created),
            )
        return User(key, name)

    def users(self) -> list[User]:
        with self._database.reading() as db:
            return [User(*row) for row in db.execute("SELECT key, name FROM users ORDER BY name")]

    def user(self, name: str) -> User:
        with self._database.reading() as db:
            row = db.execute("SELECT key, name FROM users WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Missing(f"there is no user {name!r}")
        return User(*row)

    def add_token(self, user: User, name: str, key: str, digest: bytes, created: float) -> Token:
        with self._database.writing() as db:
            _insert(
                db,
                f"{user.name} has a token {name!r} already",
                "INSERT INTO tokens(key, name, owner, digest, created) VALUES (?, ?, ?, ?, ?)",
                (key, name, user.key, digest, created),
            )
        return Token(key, name, user, digest, created)

    def tokens(self) -> list[Token]:
        with self._database.reading() as db:
            rows = db.execute(f"{_TOKEN} ORDER BY users.name, tokens.name").fetchall()
        return [_token(row) for row in rows]

    def token(self, key: str) -> Token:
        with self._database.reading() as db:
            row = db.execute(f"{_TOKEN} WHERE tokens.key = ?", (key,)).fetchone()
        if row is None:
            raise Missing(f"there is no token {key}")
        return _token(row)

    def revoke(self, key: str) -> None:
        with self._database.writing() as db:
            if not db.execute("DELETE FROM tokens WHERE key = ?", (key,)).rowcount:
                raise Missing(f"there is no token {key}")

    # series

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float
    ) -> Series:
        with self._database.writing() as db:
            key = _insert(
                db,
                f"there is a series {id} already",
                "INSERT INTO series(id, owner, title, caption, description, tags, unit, source,"
                " source_url, latitude, longitude, public, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (id, owner.key, *_fields(metadata), now, now),
            )
            _put(db, key, points)
        return Series(key, id, owner, metadata, now, now)

    def series(self, id: str) -> Series:
        with self._database.reading() as db:
            row = db.execute(f"{_SERIES} WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Missing(f"there is no series {id}")
        return _series(row)

    # points

    def merge(self, series: Series, points: Columns, now: float) -> None:
        with self._database.writing() as db:
            _touch(db, series, now)
            _put(db, series.key, points)

    def replace(self, series: Series, points: Columns, now: float) -> None:
        with self._database.writing() as db:
            _touch(db, series, now)
            db.execute("DELETE FROM tail WHERE series = ?", (series.key,))
            _put(db, series.key, points)

    def append(self, series: Series, value: Value, now: float) -> Point:
        with self._database.writing() as db:
            _touch(db, series, now)
            while _taken(db, series, now):
                now = _later(now)
            _put(db, series.key, from_points([(now, value)]))
        return now, value

    def increment(self, series: Series, amount: float, now: float) -> Point:
        with self._database.writing() as db:
            _touch(db, series, now)
            latest = _latest(db, series) or (-math.inf, 0.0)
            if type(latest[1]) is not float:
                raise NotNumeric(f"the latest value is {latest[1]}, to which nothing can be added")
            point = (max(now, _later(latest[0])), latest[1] + amount)
            if not math.isfinite(point[1]):
                raise NotNumeric("the sum is past a double's range")
            _put(db, series.key, from_points([point]))
        return point

    def latest(self, series: Series) -> Point | None:
        with self._database.reading() as db:
            return _latest(db, series)

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        after = -math.inf if window.after is None else window.after
        end = math.inf if window.end is None else window.end
        left = math.inf if window.limit is None else window.limit
        while left:
            with self._database.reading() as db:
                rows = db.execute(
                    "SELECT t, v FROM tail WHERE series = ? AND t > ? AND t < ? ORDER BY t LIMIT ?",
                    (series.key, after, end, min(left, _PIECE)),
                ).fetchall()
            if not rows:
                return
            yield from_points((t, _value(v)) for t, v in rows)
            after = rows[-1][0]
            left -= len(rows)


def _insert(db: sqlite3.Connection, taken: str, statement: str, row: tuple[object, ...]) -> int:
    """Insert a row that may not be there yet; its key."""
    try:
        return db.execute(statement, row).lastrowid or 0
    except sqlite3.IntegrityError as error:  # the name or key is in use
        raise Taken(taken) from error


def _token(row: tuple[str, str, int, str, bytes, float]) -> Token:
    key, name, user_key, user_name, digest, created = row
    return Token(key, name, User(user_key, user_name), digest, created)


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


def _series(row: tuple[object, ...]) -> Series:
    (
        key,
        id,
        user_key,
        user_name,
        title,
        caption,
        description,
        tags,
        *rest,
        public,
        created,
        updated,
    ) = row
    metadata = Metadata(
        title, caption, description, tuple(json.loads(tags)), *rest, public=bool(public)
    )
    return Series(key, id, User(user_key, user_name), metadata, created, updated)


def _value(stored: float | int | None) -> Value:
    """What SQLite holds: REAL, NULL, or INTEGER 0 or 1 for false or true."""
    return bool(stored) if type(stored) is int else stored


def _put(db: sqlite3.Connection, key: int, points: Columns) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO tail(series, t, v) VALUES (?, ?, ?)",
        ((key, t, value) for t, value in to_points(points)),
    )


def _touch(db: sqlite3.Connection, series: Series, now: float) -> None:
    """Note the time of a write; the first thing a write does, so that it meets a series still there."""
    if not db.execute("UPDATE series SET updated = ? WHERE key = ?", (now, series.key)).rowcount:
        raise Missing(f"there is no series {series.id}")


def _latest(db: sqlite3.Connection, series: Series) -> Point | None:
    row = db.execute(
        "SELECT t, v FROM tail WHERE series = ? ORDER BY t DESC LIMIT 1", (series.key,)
    ).fetchone()
    return row and (row[0], _value(row[1]))


def _taken(db: sqlite3.Connection, series: Series, t: float) -> bool:
    row = db.execute("SELECT 1 FROM tail WHERE series = ? AND t = ?", (series.key, t)).fetchone()
    return row is not None


def _later(t: float) -> float:
    """The next instant at least a microsecond on; far from 1970 doubles lie further apart."""
    return max(t + _TICK, math.nextafter(t, math.inf))
