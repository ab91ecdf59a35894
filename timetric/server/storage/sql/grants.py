"""Applications, and what users grant to them, in an SQL database."""

from __future__ import annotations

from typing import Any

from timetric.server.storage import (
    AccessToken,
    Application,
    Missing,
    RequestToken,
    Taken,
    User,
)
from timetric.server.storage.sql import Sql, SqlDatabase
from timetric.server.storage.sql.rows import change, found, insert, prune

_APPLICATION = """application.key, application.name, owner.key, owner.name, application.callback,
    predates_1_0a, application.created, application.read_only, application.expires"""
_OWNER = "JOIN users AS owner ON owner.key = application.owner"
_ITS_APPLICATION = (
    f"JOIN applications AS application ON application.key = token.application {_OWNER}"
)
_APPLICATIONS = f"SELECT {_APPLICATION} FROM applications AS application {_OWNER}"
_REQUEST_TOKENS = f"""SELECT {_APPLICATION}, token.key, token.callback, needs_verifier,
    token.expires, users.key, users.name FROM request_tokens AS token {_ITS_APPLICATION}
    LEFT JOIN users ON users.key = token."user" """
_ACCESS_TOKENS = f"""SELECT {_APPLICATION}, token.key, users.key, users.name, token.created,
    token.last_used FROM access_tokens AS token {_ITS_APPLICATION}
    JOIN users ON users.key = token."user" """

#: Who is disabled, or whose application's owner is, is let in by no token.
_LIVE = "NOT owner.disabled AND NOT coalesce(users.disabled, FALSE)"


class SqlGrants:
    """The Grants of a database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    # applications

    def add_application(self, application: Application) -> None:
        key, name, owner, *rest = application

        def job(db: Sql) -> None:
            insert(
                db,
                f"{owner.name} has an application {name!r} already",
                "INSERT INTO applications(key, name, owner, callback, predates_1_0a, created,"
                " read_only, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (key, name, owner.key, *rest),
            )

        self._database.write(job)

    def applications(self) -> list[Application]:
        statement = f"{_APPLICATIONS} ORDER BY owner.name, application.name"
        return [_application(*row) for row in self._rows(statement)]

    def applications_of(self, user: User) -> list[Application]:
        statement = f"{_APPLICATIONS} WHERE application.owner = ? ORDER BY application.name"
        return [_application(*row) for row in self._rows(statement, user.key)]

    def application(self, key: str) -> Application:
        row = self._row(f"{_APPLICATIONS} WHERE application.key = ? AND NOT owner.disabled", key)
        return _application(*found(row, f"there is no application {key}"))

    def remove_application(self, key: str) -> None:
        self._change(
            "DELETE FROM applications WHERE key = ?",
            (key,),
            f"there is no application {key}",
        )

    def remove_own_application(self, user: User, key: str) -> None:
        self._change(
            "DELETE FROM applications WHERE key = ? AND owner = ?",
            (key, user.key),
            f"{user.name} has no application {key}",
        )

    # request tokens

    def add_request_token(self, token: RequestToken, now: float) -> None:
        row = (token.key, token.application.key, *token[2:5], token.user and token.user.key)

        def job(db: Sql) -> None:
            prune(db, "request_tokens", "key", now)
            _insert_token(
                db,
                "INSERT INTO request_tokens(key, application, callback, needs_verifier, expires,"
                ' "user") VALUES (?, ?, ?, ?, ?, ?)',
                row,
            )

        self._database.write(job)

    def request_token(self, key: str, now: float) -> RequestToken:
        row = self._row(
            f"{_REQUEST_TOKENS} WHERE token.key = ? AND token.expires > ? AND {_LIVE}", key, now
        )
        return _request_token(*found(row, "there is no such request token"))

    def authorize(self, key: str, user: User, now: float) -> RequestToken:
        def job(db: Sql) -> RequestToken:
            bound = db.execute(
                'UPDATE request_tokens SET "user" = ? WHERE key = ? AND expires > ?'
                ' AND ("user" IS NULL OR "user" = ?)',
                (user.key, key, now, user.key),
            )
            if not bound.rowcount:
                raise Missing("there is no such request token to authorize")
            row = db.execute(f"{_REQUEST_TOKENS} WHERE token.key = ?", (key,)).fetchone()
            return _request_token(*row)

        return self._database.write(job)

    def deny(self, key: str, user: User, now: float) -> None:
        self._change(
            'DELETE FROM request_tokens WHERE key = ? AND ("user" IS NULL OR "user" = ?)'
            " AND expires > ?",
            (key, user.key, now),
            "there is no such request token to deny",
        )

    def count_wrong_verifier(self, key: str, most: int) -> None:
        def job(db: Sql) -> None:
            db.execute("UPDATE request_tokens SET wrong = wrong + 1 WHERE key = ?", (key,))
            db.execute("DELETE FROM request_tokens WHERE key = ? AND wrong >= ?", (key, most))

        self._database.write(job)

    def exchange(self, key: str, access_key: str, now: float) -> AccessToken:
        def job(db: Sql) -> AccessToken:
            statement = f"{_REQUEST_TOKENS} WHERE token.key = ? AND token.expires > ? AND {_LIVE}"
            row = db.execute(statement, (key, now)).fetchone()
            request = _request_token(*found(row, "there is no such request token"))
            if request.user is None:
                raise Missing("the request token is not authorized")
            db.execute("DELETE FROM request_tokens WHERE key = ?", (key,))
            access = AccessToken(access_key, request.application, request.user, now)
            _insert_access_token(db, access)
            return access

        return self._database.write(job)

    # access tokens

    def add_access_token(self, token: AccessToken) -> None:
        self._database.write(lambda db: _insert_access_token(db, token))

    def access_tokens(self) -> list[AccessToken]:
        order = "ORDER BY owner.name, application.name, users.name, token.created"
        return [_access_token(*row) for row in self._rows(f"{_ACCESS_TOKENS} {order}")]

    def access_tokens_of(self, user: User) -> list[AccessToken]:
        statement = (
            f'{_ACCESS_TOKENS} WHERE token."user" = ? ORDER BY application.name, token.created'
        )
        return [_access_token(*row) for row in self._rows(statement, user.key)]

    def access_token(self, key: str) -> AccessToken:
        row = self._row(f"{_ACCESS_TOKENS} WHERE token.key = ? AND {_LIVE}", key)
        return _access_token(*found(row, f"there is no access token {key}"))

    def revoke_access_token(self, key: str) -> None:
        self._change(
            "DELETE FROM access_tokens WHERE key = ?",
            (key,),
            f"there is no access token {key}",
        )

    def revoke_own_access_token(self, user: User, key: str) -> None:
        self._change(
            'DELETE FROM access_tokens WHERE key = ? AND "user" = ?',
            (key, user.key),
            f"{user.name} has authorized no token {key}",
        )

    def note_use(self, key: str, now: float) -> None:
        def job(db: Sql) -> None:
            db.execute("UPDATE access_tokens SET last_used = ? WHERE key = ?", (now, key))

        self._database.note(job)

    # nonces, and the key that secrets are derived from

    def spend(self, nonce: bytes, expires: float, now: float) -> None:
        def job(db: Sql) -> None:
            prune(db, "nonces", "digest", now)
            statement = "INSERT INTO nonces(digest, expires) VALUES (?, ?) ON CONFLICT DO NOTHING"
            if not db.execute(statement, (nonce, expires)).rowcount:
                raise Taken("the nonce was used before")

        self._database.note(job)

    def is_spent(self, nonce: bytes) -> bool:
        return self._row("SELECT 1 FROM nonces WHERE digest = ?", nonce) is not None

    def keep_fingerprint(self, fingerprint: bytes) -> bytes:
        def job(db: Sql) -> bytes:
            statement = "INSERT INTO fingerprint(key, digest) VALUES (1, ?) ON CONFLICT DO NOTHING"
            db.execute(statement, (fingerprint,))
            (kept,) = db.execute("SELECT digest FROM fingerprint").fetchone()
            return bytes(kept)

        return self._database.write(job)

    def fingerprint(self) -> bytes | None:
        row = self._row("SELECT digest FROM fingerprint")
        return None if row is None else bytes(row[0])

    def forget_fingerprint(self) -> None:
        statement = "DELETE FROM fingerprint WHERE NOT EXISTS (SELECT 1 FROM applications)"

        def job(db: Sql) -> None:
            db.execute(statement)

        self._database.write(job)

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._database.rows(statement, values)

    def _change(self, statement: str, values: tuple[object, ...], missing: str) -> None:
        self._database.write(lambda db: change(db, statement, values, missing))

    def _row(self, statement: str, *values: object) -> Any:
        return self._database.row(statement, values)


def _insert_token(db: Sql, statement: str, row: tuple[object, ...]) -> None:
    try:
        db.execute(statement, row)
    except db.IntegrityError as error:  # its application was removed meanwhile
        raise Missing("there is no such application any more") from error


def _insert_access_token(db: Sql, token: AccessToken) -> None:
    _insert_token(
        db,
        'INSERT INTO access_tokens(key, application, "user", created) VALUES (?, ?, ?, ?)',
        (token.key, token.application.key, token.user.key, token.created),
    )


def _application(key: str, name: str, owner_key: int, owner_name: str, *rest: Any) -> Application:
    callback, predates_1_0a, created, read_only, expires = rest
    owner = User(owner_key, owner_name)
    return Application(
        key, name, owner, callback, bool(predates_1_0a), created, bool(read_only), expires
    )


def _request_token(*row: Any) -> RequestToken:
    key, callback, needs_verifier, expires, user_key, user_name = row[9:]
    user = None if user_key is None else User(user_key, user_name)
    return RequestToken(key, _application(*row[:9]), callback, bool(needs_verifier), expires, user)


def _access_token(*row: Any) -> AccessToken:
    key, user_key, user_name, created, last_used = row[9:]
    return AccessToken(key, _application(*row[:9]), User(user_key, user_name), created, last_used)
