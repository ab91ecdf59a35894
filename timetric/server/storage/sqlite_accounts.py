"""Users, and what lets them in, in SQLite."""

from __future__ import annotations

import sqlite3

from timetric.server.storage import Token, User
from timetric.server.storage.database import Database
from timetric.server.storage.known import Known
from timetric.server.storage.rows import delete, found, insert, prune

_TOKEN = """SELECT tokens.key, tokens.name, users.key, users.name, digest, tokens.created
    FROM tokens JOIN users ON users.key = tokens.owner"""


class SqliteAccounts:
    """The Accounts of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_tokens = Known(database.epoch, self._token)

    # users and tokens

    def add_user(self, name: str, created: float) -> User:
        def job(db: sqlite3.Connection) -> User:
            statement = "INSERT INTO users(name, created) VALUES (?, ?)"
            key = insert(db, f"there is a user {name!r} already", statement, (name, created))
            return User(key, name)

        return self._database.write(job)

    def users(self) -> list[User]:
        with self._database.reading() as db:
            return [User(*row) for row in db.execute("SELECT key, name FROM users ORDER BY name")]

    def user(self, name: str) -> User:
        row = self._database.row("SELECT key, name FROM users WHERE name = ?", (name,))
        return User(*found(row, f"there is no user {name!r}"))

    def add_token(self, user: User, name: str, key: str, digest: bytes, created: float) -> Token:
        def job(db: sqlite3.Connection) -> Token:
            statement = (
                "INSERT INTO tokens(key, name, owner, digest, created) VALUES (?, ?, ?, ?, ?)"
            )
            row = (key, name, user.key, digest, created)
            insert(db, f"{user.name} has a token {name!r} already", statement, row)
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
        return _token(found(row, f"there is no token {key}"))

    def revoke(self, key: str) -> None:
        statement = "DELETE FROM tokens WHERE key = ?"
        delete(self._database, statement, (key,), f"there is no token {key}")

    # browsers

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        def job(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", (user.key, digest, expires))

        self._database.write(job)

    def link(self, digest: bytes, now: float) -> User:
        with self._database.reading() as db:
            return _link(db, digest, now)

    def sign_in(self, link: bytes, session: bytes, expires: float, now: float) -> User:
        def job(db: sqlite3.Connection) -> User:
            user = _link(db, link, now)
            db.execute("DELETE FROM links WHERE digest = ?", (link,))
            prune(db, "sessions", "digest", now)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?)", (session, user.key, expires))
            return user

        return self._database.write(job)

    def session(self, digest: bytes, now: float) -> User:
        statement = (
            "SELECT users.key, name FROM sessions JOIN users ON users.key = user"
            " WHERE digest = ? AND expires > ?"
        )
        return User(
            *found(self._database.row(statement, (digest, now)), "there is no such session")
        )


def _token(row: tuple[str, str, int, str, bytes, float]) -> Token:
    key, name, user_key, user_name, digest, created = row
    return Token(key, name, User(user_key, user_name), digest, created)


def _link(db: sqlite3.Connection, digest: bytes, now: float) -> User:
    row = db.execute(
        "SELECT users.key, name FROM links JOIN users ON users.key = user"
        " WHERE digest = ? AND expires > ?",
        (digest, now),
    ).fetchone()
    return User(*found(row, "there is no such sign-in link"))
