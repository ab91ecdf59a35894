"""Users, and what lets them in, in an SQL database of any engine."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from timetric.server.storage import (
    Account,
    Belongings,
    Opening,
    Quota,
    Session,
    Taken,
    Token,
    User,
)
from timetric.server.storage.accounts import UNLIMITED
from timetric.server.storage.known import Known
from timetric.server.storage.sql import Sql, SqlDatabase
from timetric.server.storage.sql.rows import change, found, insert, prune

_ACCOUNT = """SELECT created, disabled, password IS NOT NULL, most_series, most_points
    FROM users WHERE key = ?"""
_ENTRANCES = """SELECT (SELECT count(*) FROM tokens WHERE owner = ?),
    (SELECT count(*) FROM applications WHERE owner = ?)"""
_TOKENS = """SELECT users.key, users.name, tokens.key, tokens.name, digest, tokens.created,
    read_only, expires, last_used FROM tokens JOIN users ON users.key = owner"""
_LINK = """SELECT users.key, users.name FROM links JOIN users ON users.key = "user"
    WHERE digest = ? AND expires > ? AND NOT disabled"""
_SESSIONS = """SELECT users.key, users.name, sessions.key, sessions.created, last_seen, agent,
    address FROM sessions JOIN users ON users.key = "user" """

#: Takes away what is a user's, after the series, and at last the user.
_REMOVE = (
    "DELETE FROM tokens WHERE owner = ?",
    'DELETE FROM request_tokens WHERE "user" = ?',
    'DELETE FROM access_tokens WHERE "user" = ?',
    "DELETE FROM applications WHERE owner = ?",
    'DELETE FROM links WHERE "user" = ?',
    'DELETE FROM sessions WHERE "user" = ?',
    "DELETE FROM users WHERE key = ?",
)


class Holdings(Protocol):
    """What a user has, as an engine keeps series and points."""

    def count(self, owner: User) -> tuple[int, int]:
        """How many series, and how many points in all of them."""

    def drop(self, db: Any, owner: User) -> None:
        """Take the series away, within a job of ``SqlDatabase.write``, as a part of that."""

    def sweep(self) -> None:
        """Take away what is left of their points, after it."""


class SqlAccounts:
    """The Accounts of a database."""

    def __init__(self, database: SqlDatabase, holdings: Holdings) -> None:
        self._database = database
        self._holdings = holdings
        self._known_tokens = Known(database.epoch, self._token)

    # users

    def add_user(
        self, name: str, created: float, password: str | None = None, quota: Quota = UNLIMITED
    ) -> User:
        def job(db: Sql) -> User:
            # Names that differ only in case could be taken for each other.
            statement = "SELECT name FROM users WHERE lower(name) = lower(?)"
            for (other,) in db.execute(statement, (name,)).fetchall():
                raise Taken(f"there is a user {other!r} already")
            # A drawn key, so that that of one who was removed never becomes another's.
            user = User(secrets.randbits(63), name)
            statement = (
                "INSERT INTO users(key, name, created, password, most_series, most_points)"
                " VALUES (?, ?, ?, ?, ?, ?)"
            )
            insert(
                db,
                f"there is a user {name!r} already",
                statement,
                (*user, created, password, *quota),
            )
            return user

        return self._database.write(job)

    def users(self) -> list[User]:
        return [User(*row) for row in self._rows("SELECT key, name FROM users ORDER BY name")]

    def user(self, name: str) -> User:
        row = self._database.row("SELECT key, name FROM users WHERE name = ?", (name,))
        return User(*found(row, f"there is no user {name!r}"))

    def account(self, user: User) -> Account:
        row = found(self._database.row(_ACCOUNT, (user.key,)), _no_user(user))
        created, disabled, has_password, *quota = row
        return Account(user, created, bool(disabled), bool(has_password), Quota(*quota))

    def password(self, name: str) -> str | None:
        statement = "SELECT password FROM users WHERE name = ? AND NOT disabled"
        row = self._database.row(statement, (name,))
        return None if row is None else row[0]

    def set_password(self, user: User, password: str, keep: bytes | None = None) -> None:
        def job(db: Sql) -> None:
            statement = "UPDATE users SET password = ? WHERE key = ?"
            change(db, statement, (password, user.key), _no_user(user))
            _end_sessions(db, user, keep)

        self._database.write(job)

    def set_disabled(self, user: User, disabled: bool) -> None:
        statement = "UPDATE users SET disabled = ? WHERE key = ?"
        self._change(statement, (disabled, user.key), _no_user(user))

    def set_quota(self, user: User, quota: Quota) -> None:
        statement = "UPDATE users SET most_series = ?, most_points = ? WHERE key = ?"
        self._change(statement, (*quota, user.key), _no_user(user))

    def belongings(self, user: User) -> Belongings:
        entrances = self._database.row(_ENTRANCES, (user.key, user.key))
        return Belongings(*self._holdings.count(user), *entrances)

    def remove_user(self, user: User) -> None:
        def job(db: Sql) -> None:
            self._holdings.drop(db, user)
            for statement in _REMOVE[:-1]:
                db.execute(statement, (user.key,))
            change(db, _REMOVE[-1], (user.key,), _no_user(user))

        self._database.write(job)
        self._holdings.sweep()

    # API tokens

    def add_token(
        self,
        user: User,
        name: str,
        key: str,
        digest: bytes,
        created: float,
        *,
        read_only: bool = False,
        expires: float | None = None,
    ) -> Token:
        def job(db: Sql) -> Token:
            statement = (
                "INSERT INTO tokens(key, name, owner, digest, created, read_only, expires)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)"
            )
            row = (key, name, user.key, digest, created, read_only, expires)
            insert(db, f"{user.name} has a token {name!r} already", statement, row)
            return Token(key, name, user, digest, created, read_only, expires)

        return self._database.write(job)

    def tokens(self) -> list[Token]:
        return [_token(*row) for row in self._rows(f"{_TOKENS} ORDER BY users.name, tokens.name")]

    def tokens_of(self, user: User) -> list[Token]:
        statement = f"{_TOKENS} WHERE owner = ? ORDER BY tokens.name"
        return [_token(*row) for row in self._rows(statement, user.key)]

    def token(self, key: str) -> Token:
        return self._known_tokens[key]

    def _token(self, key: str) -> Token:
        row = self._database.row(f"{_TOKENS} WHERE tokens.key = ? AND NOT disabled", (key,))
        return _token(*found(row, f"there is no token {key}"))

    def note_use(self, key: str, now: float) -> None:
        self._note("UPDATE tokens SET last_used = ? WHERE key = ?", now, key)

    def revoke(self, key: str) -> None:
        self._change("DELETE FROM tokens WHERE key = ?", (key,), f"there is no token {key}")

    def revoke_own(self, user: User, key: str) -> None:
        statement = "DELETE FROM tokens WHERE key = ? AND owner = ?"
        self._change(statement, (key, user.key), f"{user.name} has no token {key}")

    # browsers

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        def job(db: Sql) -> None:
            db.execute('DELETE FROM links WHERE "user" = ?', (user.key,))
            statement = 'INSERT INTO links("user", digest, expires) VALUES (?, ?, ?)'
            db.execute(statement, (user.key, digest, expires))

        self._database.write(job)

    def link(self, digest: bytes, now: float) -> User:
        return _link(self._database.row(_LINK, (digest, now)))

    def sign_in(self, link: bytes, opening: Opening) -> User:
        def job(db: Sql) -> User:
            user = _link(db.execute(_LINK, (link, opening.now)).fetchone())
            db.execute("DELETE FROM links WHERE digest = ?", (link,))
            _open(db, user, opening)
            return user

        return self._database.write(job)

    def open_session(self, user: User, opening: Opening, password: str) -> None:
        def job(db: Sql) -> None:
            statement = "SELECT 1 FROM users WHERE key = ? AND password = ? AND NOT disabled"
            row = db.execute(statement, (user.key, password)).fetchone()
            found(row, f"nobody signs in as {user.name!r} with this password any more")
            _open(db, user, opening)

        self._database.write(job)

    def session(self, digest: bytes, now: float) -> Session:
        statement = f"{_SESSIONS} WHERE digest = ? AND expires > ? AND NOT disabled"
        row = self._database.row(statement, (digest, now))
        return _session(*found(row, "there is no such session"))

    def note_visit(self, session: Session, now: float, expires: float) -> None:
        statement = "UPDATE sessions SET last_seen = ?, expires = ? WHERE key = ?"
        self._note(statement, now, expires, session.key)

    def sessions_of(self, user: User, now: float) -> list[Session]:
        statement = (
            f'{_SESSIONS} WHERE "user" = ? AND expires > ?'
            " ORDER BY last_seen DESC, sessions.created DESC"
        )
        return [_session(*row) for row in self._rows(statement, user.key, now)]

    def end_session(self, user: User, key: int) -> None:
        statement = 'DELETE FROM sessions WHERE key = ? AND "user" = ?'
        self._change(statement, (key, user.key), f"{user.name} has no such session")

    def end_sessions(self, user: User, keep: bytes | None = None) -> None:
        self._database.write(lambda db: _end_sessions(db, user, keep))

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._database.rows(statement, values)

    def _change(self, statement: str, values: tuple[object, ...], missing: str) -> None:
        self._database.write(lambda db: change(db, statement, values, missing))

    def _note(self, statement: str, *values: object) -> None:
        """Note what nobody is let in or refused by."""

        def job(db: Sql) -> None:
            db.execute(statement, values)

        self._database.note(job)


def _no_user(user: User) -> str:
    return f"there is no user {user.name!r} any more"


def _token(user_key: int, user_name: str, *row: Any) -> Token:
    key, name, digest, created, read_only, expires, last_used = row
    user = User(user_key, user_name)
    return Token(key, name, user, digest, created, bool(read_only), expires, last_used)


def _link(row: Any) -> User:
    return User(*found(row, "there is no such sign-in link"))


def _session(user_key: int, user_name: str, key: int, *rest: Any) -> Session:
    return Session(key, User(user_key, user_name), *rest)


def _open(db: Sql, user: User, opening: Opening) -> None:
    digest, now, expires, agent, address, old = opening
    prune(db, "sessions", "key", now)
    db.execute("DELETE FROM sessions WHERE digest = ?", (old,))
    db.execute(
        'INSERT INTO sessions(digest, "user", created, last_seen, expires, agent, address)'
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (digest, user.key, now, now, expires, agent, address),
    )


def _end_sessions(db: Sql, user: User, keep: bytes | None) -> None:
    statement = 'DELETE FROM sessions WHERE "user" = ? AND digest <> ?'
    db.execute(statement, (user.key, keep or b""))
