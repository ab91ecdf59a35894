"""Storage in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from timetric.server.attempts import Share
from timetric.server.storage import Accounts, Damaged, Grants, Series, Transfer, Unavailable, User
from timetric.server.storage.assembly import Assembly
from timetric.server.storage.history import History
from timetric.server.storage.known import Known
from timetric.server.storage.sql.accounts import SqlAccounts
from timetric.server.storage.sql.grants import SqlGrants
from timetric.server.storage.sqlite.bodies import clean
from timetric.server.storage.sqlite.catalog import SqliteCatalog
from timetric.server.storage.sqlite.check import faults
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.sqlite.engine import SqliteEngine
from timetric.server.storage.sqlite.holdings import SqliteHoldings
from timetric.server.storage.sqlite.migrations import migrate
from timetric.server.storage.sqlite.transfer import SqliteTransfer


class SqliteStorage(Assembly):
    """The Storage of one SQLite file."""

    def __init__(self, database: Database) -> None:
        engine = SqliteEngine(database)
        history = History(engine)
        catalog = SqliteCatalog(database, engine, history)
        super().__init__(engine, catalog, history)
        self._database = database
        self.accounts: Accounts = SqlAccounts(database, SqliteHoldings(database))
        self.grants: Grants = SqlGrants(database)
        self.transfer: Transfer = SqliteTransfer(database, catalog)
        self.attempts: Share | None = None
        database.write(lambda db: migrate(db, database.path))
        database.if_alone(lambda: clean(database))
        self._known_series = Known(database.epoch, self.series)
        self._known_tags = Known(database.epoch, catalog.tags)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        try:
            self._database.row("SELECT key FROM users LIMIT 1", ())
        except (Damaged, sqlite3.DatabaseError) as error:  # whatever it is, it is no answer
            raise Unavailable(f"the store can't be read: {error}") from error

    def backup(self, path: Path) -> None:
        self._database.backup(path)

    def check(self) -> Iterator[str]:
        return faults(self._database)

    def known_series(self, id: str) -> Series:
        return self._known_series[id]

    def tags(self, viewer: User | None, limit: int) -> list[tuple[str, int]]:
        return self._known_tags[viewer, limit]
