"""Storage in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timetric.points import Point, Value
from timetric.server.aggregates import Aggregation
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.storage import (
    AccessToken,
    Application,
    Missing,
    RequestToken,
    Series,
    Taken,
    Token,
    User,
    Window,
)
from timetric.server.storage.bodies import clean
from timetric.server.storage.check import faults
from timetric.server.storage.database import Database
from timetric.server.storage.grants import Grants
from timetric.server.storage.history import History
from timetric.server.storage.known import Known
from timetric.server.storage.migrations import migrate
from timetric.server.storage.summary import aggregate
from timetric.server.storage.tables import Tables

_TOKEN = """SELECT tokens.key, tokens.name, users.key, users.name, digest, tokens.created
    FROM tokens JOIN users ON users.key = tokens.owner"""
_SERIES = """SELECT series.key, id, users.key, users.name, title, caption, description, tags, unit,
    source, source_url, latitude, longitude, public, series.created, updated, points, version,
    generation FROM series JOIN users ON users.key = series.owner"""


class SqliteStorage:
    """The Storage of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._history = History(database)
        self._grants = Grants(database)
        database.write(lambda db: migrate(db, database.path))
        database.if_alone(lambda: clean(database))
        self._known_tokens = Known(database.epoch, self._token)
        self._known_series = Known(database.epoch, self.series)

    def close(self) -> None:
        self._database.close()

    def backup(self, path: Path) -> None:
        self._database.backup(path)

    def check(self) -> Iterator[str]:
        return faults(self._database)

    # users and tokens

    def add_user(self, name: str, created: float) -> User:
        def job(db: sqlite3.Connection) -> User:
            statement = "INSERT INTO users(name, created) VALUES (?, ?)"
            key = _insert(db, f"there is a user {name!r} already", statement, (name, created))
            return User(key, name)

        return self._database.write(job)

    def users(self) -> list[User]:
        with self._database.reading() as db:
            return [User(*row) for row in db.execute("SELECT key, name FROM users ORDER BY name")]

    def user(self, name: str) -> User:
        row = self._database.row("SELECT key, name FROM users WHERE name = ?", (name,))
        if row is None:
            raise Missing(f"there is no user {name!r}")
        return User(*row)

    def add_token(self, user: User, name: str, key: str, digest: bytes, created: float) -> Token:
        def job(db: sqlite3.Connection) -> Token:
            statement = (
                "INSERT INTO tokens(key, name, owner, digest, created) VALUES (?, ?, ?, ?, ?)"
            )
            row = (key, name, user.key, digest, created)
            _insert(db, f"{user.name} has a token {name!r} already", statement, row)
            return Token(key, name, user, digest, created)

        return self._database.write(job)

    def tokens(self) -> list[Token]:
        with self._database.reading() as db:
            rows = db.execute(f"{_TOKEN} ORDER BY users.name, tokens.name").fetchall()
        return [_token(row) for row in rows]

    def token(self, key: str) -> Token:
        return self._known_tokens[key]

    def _token(self, key: str) -> Token:
        row = self._database.row(f"{_TOKEN} WHERE tokens.key = ?", (key,))
        if row is None:
            raise Missing(f"there is no token {key}")
        return _token(row)

    def revoke(self, key: str) -> None:
        def job(db: sqlite3.Connection) -> None:
            if not db.execute("DELETE FROM tokens WHERE key = ?", (key,)).rowcount:
                raise Missing(f"there is no token {key}")

        self._database.write(job)

    # OAuth

    def add_application(self, application: Application) -> None:
        self._grants.add_application(application)

    def applications(self) -> list[Application]:
        return self._grants.applications()

    def application(self, key: str) -> Application:
        return self._grants.application(key)

    def remove_application(self, key: str) -> None:
        self._grants.remove_application(key)

    def add_request_token(self, token: RequestToken, now: float) -> None:
        self._grants.add_request_token(token, now)

    def request_token(self, key: str, now: float) -> RequestToken:
        return self._grants.request_token(key, now)

    def authorize(self, key: str, user: User, now: float) -> RequestToken:
        return self._grants.authorize(key, user, now)

    def deny(self, key: str, user: User, now: float) -> None:
        self._grants.deny(key, user, now)

    def count_wrong_verifier(self, key: str, most: int) -> None:
        self._grants.count_wrong_verifier(key, most)

    def exchange(self, key: str, access_key: str, now: float) -> AccessToken:
        return self._grants.exchange(key, access_key, now)

    def add_access_token(self, token: AccessToken) -> None:
        self._grants.add_access_token(token)

    def access_tokens(self) -> list[AccessToken]:
        return self._grants.access_tokens()

    def access_token(self, key: str) -> AccessToken:
        return self._grants.access_token(key)

    def revoke_access_token(self, key: str) -> None:
        self._grants.revoke_access_token(key)

    def spend(self, nonce: bytes, expires: float, now: float) -> None:
        self._grants.spend(nonce, expires, now)

    def is_spent(self, nonce: bytes) -> bool:
        return self._grants.is_spent(nonce)

    def keep_fingerprint(self, fingerprint: bytes) -> bytes:
        return self._grants.keep_fingerprint(fingerprint)

    def fingerprint(self) -> bytes | None:
        return self._grants.fingerprint()

    def forget_fingerprint(self) -> None:
        self._grants.forget_fingerprint()

    # browsers

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        self._grants.put_link(user, digest, expires)

    def link(self, digest: bytes, now: float) -> User:
        return self._grants.link(digest, now)

    def sign_in(self, link: bytes, session: bytes, expires: float, now: float) -> User:
        return self._grants.sign_in(link, session, expires, now)

    def session(self, digest: bytes, now: float) -> User:
        return self._grants.session(digest, now)

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
            key = _insert(db, f"there is a series {id} already", statement, row)
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

    def aggregate(
        self, series: Series, window: Window, aggregation: Aggregation
    ) -> Iterator[Columns]:
        return aggregate(self._database, series, window, aggregation)


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
