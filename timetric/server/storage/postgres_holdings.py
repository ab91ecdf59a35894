"""What a user has in a PostgreSQL store, to be counted or taken away with them."""

from __future__ import annotations

from typing import Any

from timetric.server.storage import User
from timetric.server.storage.postgres_database import PostgresDatabase


class PostgresHoldings:
    """The Holdings of one database. The series themselves are yet to come."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def count(self, owner: User) -> tuple[int, int]:
        return 0, 0

    def drop(self, db: Any, owner: User) -> None:
        pass

    def sweep(self) -> None:
        pass
