"""Storage in a PostgreSQL database, which several processes may share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timetric.server.attempts import Share
from timetric.server.storage import (
    Accounts,
    Damaged,
    Grants,
    Series,
    StorageError,
    Unavailable,
    User,
)
from timetric.server.storage.assembly import Assembly
from timetric.server.storage.history import History
from timetric.server.storage.postgres_attempts import PostgresAttempts
from timetric.server.storage.postgres_catalog import PostgresCatalog
from timetric.server.storage.postgres_check import faults
from timetric.server.storage.postgres_database import PostgresDatabase
from timetric.server.storage.postgres_engine import PostgresEngine
from timetric.server.storage.postgres_holdings import PostgresHoldings
from timetric.server.storage.postgres_migrations import migrate
from timetric.server.storage.postgres_sql import PostgresSql
from timetric.server.storage.sql_accounts import SqlAccounts
from timetric.server.storage.sql_grants import SqlGrants


class PostgresStorage(Assembly):
    """The Storage of one database, which other processes use as well."""

    def __init__(self, database: PostgresDatabase, make: bool = True) -> None:
        migrate(database, make)
        engine = PostgresEngine(database)
        history = History(engine)
        catalog = PostgresCatalog(database, engine, history)
        super().__init__(engine, catalog, history)
        self._known_series = catalog.known
        self._catalog_tags = catalog.tags
        self._database = database
        sql = PostgresSql(database)
        self.accounts: Accounts = SqlAccounts(sql, PostgresHoldings(database))
        self.grants: Grants = SqlGrants(sql)
        self.attempts: Share | None = PostgresAttempts(database)

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
            "of that too"
        )

    def check(self) -> Iterator[str]:
        return faults(self._database)

    def known_series(self, id: str) -> Series:
        """Asked each time: another process may have changed whose it is."""
        return self._known_series(id)

    def tags(self, viewer: User | None, limit: int) -> list[tuple[str, int]]:
        return self._catalog_tags(viewer, limit)
