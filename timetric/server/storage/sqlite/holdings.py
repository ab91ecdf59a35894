"""What a user has in a SQLite store, to be counted or taken away with them."""

from __future__ import annotations

import sqlite3

from timetric.server.storage import User
from timetric.server.storage.sqlite.bodies import sweep
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.sqlite.tables import SqliteTables


class SqliteHoldings:
    """The Holdings of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, owner: User) -> tuple[int, int]:
        statement = "SELECT count(*), coalesce(sum(points), 0) FROM series WHERE owner = ?"
        series, points = self._database.row(statement, (owner.key,))
        return series, points

    def drop(self, db: sqlite3.Connection, owner: User) -> None:
        for (key,) in db.execute("SELECT key FROM series WHERE owner = ?", (owner.key,)).fetchall():
            SqliteTables(db, key).drop_all()
        db.execute("DELETE FROM series WHERE owner = ?", (owner.key,))

    def sweep(self) -> None:
        sweep(self._database)
