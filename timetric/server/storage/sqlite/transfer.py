"""Series and receipts of a SQLite store, as they move."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from timetric.server.storage import Series, User
from timetric.server.storage.sql.transfer import SqlTransfer
from timetric.server.storage.sqlite.catalog import SqliteCatalog
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.transfer import Kept

_RECEIPTS = """SELECT key, meaning, receipt, expires FROM receipts
    WHERE owner = ? AND series = ?"""
_PUT_RECEIPT = """INSERT OR IGNORE INTO receipts(owner, series, key, meaning, receipt, expires)
    VALUES (?, ?, ?, ?, ?, ?)"""
_SETTLE = """UPDATE series SET version = ?, generation = ?, created = ?, updated = ?
    WHERE key = ?"""


class SqliteTransfer(SqlTransfer):
    """The Transfer of one SQLite file."""

    def __init__(self, database: Database, catalog: SqliteCatalog) -> None:
        super().__init__(database)
        self._database = database
        self._catalog = catalog

    def series(self, after: str, most: int) -> list[Series]:
        return self._catalog.after(after, most)

    def settle(self, series: Series, like: Series) -> None:
        row = (like.version, like.generation, like.created, like.updated, series.key)
        self._database.write(lambda db: db.execute(_SETTLE, row))

    def receipts(self, owner: User, series: str) -> list[Kept]:
        return [Kept(*row) for row in self._database.rows(_RECEIPTS, (owner.key, series))]

    def put_receipts(self, owner: User, series: str, receipts: Iterable[Kept]) -> None:
        rows = [(owner.key, series, *kept) for kept in receipts]

        def job(db: sqlite3.Connection) -> None:
            db.executemany(_PUT_RECEIPT, rows)

        self._database.write(job)
