"""Storage in a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timetric.server.storage import Accounts, Damaged, Grants, StorageError, Unavailable, User
from timetric.server.storage.postgres_database import PostgresDatabase
from timetric.server.storage.postgres_migrations import migrate
from timetric.server.storage.postgres_sql import PostgresSql
from timetric.server.storage.sql_accounts import SqlAccounts
from timetric.server.storage.sql_grants import SqlGrants


class PostgresStorage:
    """The Storage of one database, which other processes use as well."""

    def __init__(self, database: PostgresDatabase) -> None:
        migrate(database)
        self._database = database
        sql = PostgresSql(database)
        self.accounts: Accounts = SqlAccounts(sql, _drop_series, _sweep)
        self.grants: Grants = SqlGrants(sql)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        try:
            self._database.row("SELECT key FROM users LIMIT 1")
        except Damaged as error:  # whatever it is, it is no answer
            raise Unavailable(f"the store can't be read: {error}") from error

    def backup(self, path: Path) -> None:
        raise StorageError(
            "a database is backed up by PostgreSQL's own programs; run: "
            f"pg_dump --format=custom --file={path} DATABASE"
        )


def _drop_series(db: Any, owner: User) -> None:
    """In a transaction of ``PostgresSql``. The series themselves are yet to come."""


def _sweep() -> None:
    """What is left of their points, after it."""
