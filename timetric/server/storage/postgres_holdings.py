"""What a user has in a PostgreSQL store, to be counted or taken away with them."""

from __future__ import annotations

from typing import Any

from timetric.server.storage import User
from timetric.server.storage import postgres_statements as sql
from timetric.server.storage.postgres_database import PostgresDatabase

_COUNT = """SELECT count(*), coalesce(sum(points), 0)::bigint
    FROM series JOIN states ON states.series = series.key WHERE series.owner = %s"""
_KEYS = "SELECT key FROM series WHERE owner = %s"
_DROP = "DELETE FROM series WHERE owner = %s"


class PostgresHoldings:
    """The Holdings of one database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def count(self, owner: User) -> tuple[int, int]:
        series, points = self._database.row(_COUNT, (owner.key,))
        return series, points

    def drop(self, db: Any, owner: User) -> None:
        """All in one transaction, the only one that touches the points of several series."""
        for (key,) in db.execute(_KEYS, (owner.key,)).fetchall():
            for statement in (sql.DROP_STATE, *sql.DROP_ALL):
                db.execute(statement, (key,))
        db.execute(_DROP, (owner.key,))

    def sweep(self) -> None:
        """Bytes go with their blocks."""
