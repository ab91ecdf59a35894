"""PostgreSQL as accounts and grants speak to it: in the SQL that all engines have."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import psycopg

from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.sql import Rows

T = TypeVar("T")


class Unknown:
    """The epoch of a database that others change without a word: what was read may be old."""

    def now(self) -> None:
        return None


class PostgresSql:
    """The SqlDatabase of a PostgreSQL database."""

    epoch = Unknown()

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def row(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self._database.row(_asked(statement), values)

    def rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        return self._database.rows(_asked(statement), values)

    def write(self, job: Callable[[Any], T]) -> T:
        return self._database.write(lambda db: job(PostgresTransaction(db)), isolation="serial")

    def note(self, job: Callable[[Any], T]) -> T:
        return self._database.write(lambda db: job(PostgresTransaction(db)), durable=False)


class PostgresTransaction:
    """The Sql of a transaction."""

    IntegrityError = psycopg.IntegrityError

    def __init__(self, db: Connection) -> None:
        self._db = db

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Rows:
        return self._db.execute(_asked(statement), values)


@lru_cache(maxsize=256)  # more than there are
def _asked(statement: str) -> str:
    return statement.replace("?", "%s")
