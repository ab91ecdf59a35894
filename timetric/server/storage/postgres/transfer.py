"""Series and receipts of a PostgreSQL store, as they move."""

from __future__ import annotations

from collections.abc import Iterable

from timetric.server.storage import Series, User
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.catalog import PostgresCatalog
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.receipts import key_of
from timetric.server.storage.postgres.sql import PostgresSql
from timetric.server.storage.sql.transfer import SqlTransfer
from timetric.server.storage.transfer import Kept

_MAKINGS = "SELECT key, meaning, receipt, expires FROM makings WHERE owner = %s"
_PUT_MAKING = """INSERT INTO makings(owner, key, meaning, receipt, expires)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
_CREATED = "UPDATE series SET created = %s WHERE key = %s"


class PostgresTransfer(SqlTransfer):
    """The Transfer of one PostgreSQL database."""

    def __init__(self, database: PostgresDatabase, catalog: PostgresCatalog) -> None:
        super().__init__(PostgresSql(database))
        self._database = database
        self._catalog = catalog

    def series(self, after: str, most: int) -> list[Series]:
        return self._catalog.after(after, most)

    def settle(self, series: Series, like: Series) -> None:
        state = (like.version, like.generation, like.updated, series.key)

        def job(db: Connection) -> None:
            db.execute(sql.SETTLE, state)
            db.execute(_CREATED, (like.created, series.key))

        self._database.write(job)

    def receipts(self, owner: User, series: str) -> list[Kept]:
        if series:
            rows = self._database.rows(sql.RECEIPTS, (key_of(series), owner.key))
        else:
            rows = self._database.rows(_MAKINGS, (owner.key,))
        return [Kept(*row) for row in rows]

    def put_receipts(self, owner: User, series: str, receipts: Iterable[Kept]) -> None:
        rows: list[tuple[object, ...]]
        if series:
            statement = sql.PUT_RECEIPT
            rows = [(key_of(series), owner.key, *kept) for kept in receipts]
        else:
            statement, rows = _PUT_MAKING, [(owner.key, *kept) for kept in receipts]

        def job(db: Connection) -> None:
            for row in rows:
                db.execute(statement, row)

        self._database.write(job)
