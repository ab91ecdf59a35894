"""Rows by key, as accounts and grants have them: found or missing, new or taken, and expired."""

from __future__ import annotations

import sqlite3
from typing import Any

from timetric.server.storage import Missing, Taken

_AT_ONCE = 100  # expired rows that go with each new one


def insert(db: sqlite3.Connection, taken: str, statement: str, row: tuple[object, ...]) -> int:
    """Insert a row that may not be there yet; its key."""
    try:
        return db.execute(statement, row).lastrowid or 0
    except sqlite3.IntegrityError as error:  # the name or key is in use
        raise Taken(taken) from error


def found(row: Any, missing: str) -> Any:
    """Raises Missing."""
    if row is None:
        raise Missing(missing)
    return row


def prune(db: sqlite3.Connection, table: str, key: str, now: float) -> None:
    """Drop some rows that have expired; more than come in, and never so many that others wait."""
    db.execute(
        f"DELETE FROM {table} WHERE {key} IN"
        f" (SELECT {key} FROM {table} WHERE expires <= ? LIMIT {_AT_ONCE})",
        (now,),
    )


def change(
    db: sqlite3.Connection, statement: str, values: tuple[object, ...], missing: str
) -> None:
    """Change or delete a row. Raises Missing."""
    if not db.execute(statement, values).rowcount:
        raise Missing(missing)
