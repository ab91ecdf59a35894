"""Storage in a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from timetric.server.storage import Accounts, Damaged, Grants, StorageError, Unavailable
from timetric.server.storage.postgres_database import PostgresDatabase
from timetric.server.storage.postgres_holdings import PostgresHoldings
from timetric.server.storage.postgres_migrations import migrate
from timetric.server.storage.postgres_sql import PostgresSql
from timetric.server.storage.sql_accounts import SqlAccounts
from timetric.server.storage.sql_grants import SqlGrants


class PostgresStorage:
    """The Storage of one database, which other processes use as well."""

    def __init__(self, database: PostgresDatabase, make: bool = True) -> None:
        migrate(database, make)
        self._database = database
        sql = PostgresSql(database)
        self.accounts: Accounts = SqlAccounts(sql, PostgresHoldings(database))
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
            "a database is copied by PostgreSQL's own programs, while it is in use: pg_dump "
            f"--format=custom --file={path} URL; the secret key file is not in it, so keep a copy "
            "of that elsewhere"
        )
