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
    Transfer,
    Unavailable,
    User,
)
from timetric.server.storage.assembly import Assembly
from timetric.server.storage.history import History
from timetric.server.storage.postgres.attempts import PostgresAttempts
from timetric.server.storage.postgres.catalog import PostgresCatalog
from timetric.server.storage.postgres.check import faults
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.engine import PostgresEngine
from timetric.server.storage.postgres.holdings import PostgresHoldings
from timetric.server.storage.postgres.migrations import migrate
from timetric.server.storage.postgres.sql import PostgresSql
from timetric.server.storage.postgres.transfer import PostgresTransfer
from timetric.server.storage.sql.accounts import SqlAccounts
from timetric.server.storage.sql.grants import SqlGrants


class PostgresStorage(Assembly):
    """The Storage of one database, which other processes use as well."""

    def __init__(self, database: PostgresDatabase, make: bool = True) -> None:
        migrate(database, make)
        engine = PostgresEngine(database)
        history = History(engine)
        catalog = PostgresCatalog(database, engine, history)
        super().__init__(engine, catalog, history)
        self._known_series, self._tags = catalog.known, catalog.tags
        self._database = database
        sql = PostgresSql(database)
        self.accounts: Accounts = SqlAccounts(sql, PostgresHoldings(database))
        self.grants: Grants = SqlGrants(sql)
        self.transfer: Transfer = PostgresTransfer(database, catalog)
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
        return self._tags(viewer, limit)
