"""Rows by key, as accounts and grants have them: found or missing, new or taken, and expired."""

from __future__ import annotations

from typing import Any

from timetric.server.storage import Missing, Taken
from timetric.server.storage.sql import Sql

_AT_ONCE = 100  # expired rows that go with each new one


def insert(db: Sql, taken: str, statement: str, row: tuple[object, ...]) -> Any:
    """Insert a row that may not be there yet; its cursor. Raises Taken."""
    try:
        return db.execute(statement, row)
    except db.IntegrityError as error:  # the name or key is in use
        raise Taken(taken) from error


def found(row: Any, missing: str) -> Any:
    """Raises Missing."""
    if row is None:
        raise Missing(missing)
    return row


def prune(db: Sql, table: str, key: str, now: float) -> None:
    """Drop some rows that have expired; more than come in, and never so many that others wait."""
    db.execute(
        f"DELETE FROM {table} WHERE {key} IN"
        f" (SELECT {key} FROM {table} WHERE expires <= ? ORDER BY expires LIMIT {_AT_ONCE})",
        (now,),
    )


def change(db: Sql, statement: str, values: tuple[object, ...], missing: str) -> None:
    """Change or delete a row. Raises Missing."""
    if not db.execute(statement, values).rowcount:
        raise Missing(missing)
