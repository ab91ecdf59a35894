"""Storage in a PostgreSQL database, which several processes may share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timetric.server.storage import Series, StorageError
from timetric.server.storage.assembly import Assembly
from timetric.server.storage.history import History
from timetric.server.storage.postgres_catalog import PostgresCatalog
from timetric.server.storage.postgres_check import faults
from timetric.server.storage.postgres_database import PostgresDatabase
from timetric.server.storage.postgres_engine import PostgresEngine
from timetric.server.storage.postgres_migrations import migrate


class PostgresStorage(Assembly):
    """The Storage of one PostgreSQL database."""

    def __init__(self, database: PostgresDatabase) -> None:
        engine = PostgresEngine(database)
        history = History(engine)
        super().__init__(engine, PostgresCatalog(database, engine, history), history)
        self._database = database
        migrate(database)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        self._database.row("SELECT key FROM users LIMIT 1")

    def backup(self, path: Path) -> None:
        raise StorageError("a store in PostgreSQL is backed up by its own tools, such as pg_dump")

    def check(self) -> Iterator[str]:
        return faults(self._database)

    def known_series(self, id: str) -> Series:
        """Asked each time: another process may have changed whose it is."""
        return self.series(id)
