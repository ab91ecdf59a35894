"""Users and what lets them in, row by row, as they move between stores of any engine."""

from __future__ import annotations

from collections.abc import Mapping

from timetric.server.storage.sql import Sql, SqlDatabase
from timetric.server.storage.transfer import TABLES, TRUTHS, Row


class SqlTransfer:
    """The part of a Transfer that is alike in all engines."""

    def __init__(self, sql: SqlDatabase) -> None:
        self._sql = sql

    def rows(self, table: str) -> list[Row]:
        truths = [column in TRUTHS for column in TABLES[table]]
        found = self._sql.rows(f"SELECT {', '.join(TABLES[table])} FROM {table}", ())
        return [
            tuple(bool(value) if truth else value for value, truth in zip(row, truths))
            for row in found
        ]

    def put_rows(self, tables: Mapping[str, list[Row]]) -> None:
        def job(db: Sql) -> None:
            for table in reversed(TABLES):
                if table != "users":  # series refer to them
                    db.execute(f"DELETE FROM {table}")
            for table in TABLES:
                statement = _insertion(table)
                for row in tables[table]:
                    db.execute(statement, row)

        self._sql.write(job)


def _insertion(table: str) -> str:
    columns = TABLES[table]
    places = ", ".join("?" for _ in columns)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    return (
        f"INSERT INTO {table}({', '.join(columns)}) VALUES ({places})"
        f" ON CONFLICT ({columns[0]}) DO UPDATE SET {changes}"
    )
