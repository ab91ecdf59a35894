"""Receipts in SQLite: in one table, by user, series and key."""

from __future__ import annotations

import sqlite3

from timetric.server.storage.engine import Scope
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.writer import KEPT, Stored

_AT_ONCE = 10  # expired ones that go with each new one

_FIND = """SELECT meaning, receipt FROM receipts
    WHERE owner = ? AND series = ? AND key = ? AND expires > ?"""


class SqliteReceipts:
    """The Receipts of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, scope: Scope, key: str, now: float) -> Stored | None:
        row: Stored | None = self._database.row(_FIND, (*scope, key, now))
        return row

    def claim(self, db: sqlite3.Connection, scope: Scope, key: str, now: float) -> Stored | None:
        """A write is alone with the store, so nobody comes by it."""
        row: Stored | None = db.execute(_FIND, (*scope, key, now)).fetchone()
        return row

    def keep(
        self, db: sqlite3.Connection, scope: Scope, key: str, stored: Stored, now: float
    ) -> None:
        db.execute(
            "DELETE FROM receipts WHERE (owner, series, key) IN"
            " (SELECT owner, series, key FROM receipts WHERE expires <= ?"
            " ORDER BY expires LIMIT ?)",
            (now, _AT_ONCE),
        )
        db.execute(
            "INSERT OR REPLACE INTO receipts(owner, series, key, meaning, receipt, expires)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*scope, key, *stored, now + KEPT),
        )
