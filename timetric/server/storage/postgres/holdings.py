"""What a user has in a PostgreSQL store, to be counted or taken away with them."""

from __future__ import annotations

from functools import partial

from timetric.server.storage import User
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.sql import PostgresTransaction

_COUNT = """SELECT count(*), coalesce(sum(points), 0)::bigint
    FROM series JOIN states ON states.series = series.key WHERE owner = %s"""
_DROP = "DELETE FROM series WHERE owner = ?"

#: Points whose series is gone. An intact store has none, so all of them are looked at only then.
_LEFT = """SELECT states.series FROM states LEFT JOIN series ON series.key = states.series
    WHERE series.key IS NULL"""
_FORGET = "DELETE FROM receipts WHERE series = %s"


class PostgresHoldings:
    """The Holdings of one database.

    The series go with their user; their points, which may be on several nodes, after that, those of
    one at a time. A crash between leaves some that nobody finds, for the next sweep.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def count(self, owner: User) -> tuple[int, int]:
        series, points = self._database.row(_COUNT, (owner.key,))
        return series, points

    def drop(self, db: PostgresTransaction, owner: User) -> None:
        db.execute(_DROP, (owner.key,))

    def sweep(self) -> None:
        for (key,) in self._database.rows(_LEFT):
            self._database.write(partial(_drop_points, series=key))


def _drop_points(db: Connection, series: int) -> None:
    for statement in (sql.DROP_STATE, *sql.DROP_ALL, _FORGET):
        db.execute(statement, (series,))
