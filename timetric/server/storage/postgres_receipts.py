"""Receipts in PostgreSQL: of writes beside the points of their series, of new series by user.

Two processes may have the same key at once. The second waits until the first has committed: for
the lock of the series, or for one of its own where series are made. Then it finds the receipt.
"""

from __future__ import annotations

import hashlib
from typing import Any

from timetric.server.storage import postgres_statements as sql
from timetric.server.storage.engine import Scope
from timetric.server.storage.postgres_database import PostgresDatabase
from timetric.server.storage.postgres_tables import PostgresTables
from timetric.server.storage.writer import KEPT, Stored

_FIND_MAKING = "SELECT meaning, receipt FROM makings WHERE owner = %s AND key = %s AND expires > %s"
_PRUNE_MAKINGS = """DELETE FROM makings WHERE (owner, key) IN (
    SELECT owner, key FROM makings WHERE expires <= %s ORDER BY expires LIMIT 10
    FOR UPDATE SKIP LOCKED)"""
_KEEP_MAKING = """INSERT INTO makings(owner, key, meaning, receipt, expires)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT (owner, key) DO UPDATE
    SET meaning = excluded.meaning, receipt = excluded.receipt, expires = excluded.expires"""
_LOCK_MAKING = "SELECT pg_advisory_xact_lock(%s)"


def key_of(id: str) -> int:
    """The key of the series with an ID: a digest, so that it is known of one that is gone too."""
    return _digest(id)


class PostgresReceipts:
    """Receipts of writes to series."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def find(self, scope: Scope, key: str, now: float) -> Stored | None:
        row: Stored | None = self._database.row(sql.FIND_RECEIPT, _place(scope, key, now))
        return row

    def claim(self, rows: PostgresTables, scope: Scope, key: str, now: float) -> Stored | None:
        rows.lock()
        row: Any = rows.db.execute(sql.FIND_RECEIPT, _place(scope, key, now)).fetchone()
        return row and (row[0], row[1])

    def keep(
        self, rows: PostgresTables, scope: Scope, key: str, stored: Stored, now: float
    ) -> None:
        values = {"series": rows.series, "owner": scope[0], "key": key, "now": now}
        text = dict(zip(("meaning", "receipt"), stored))
        rows.db.execute(sql.KEEP_RECEIPT, {**values, **text, "expires": now + KEPT})


class PostgresMakings:
    """Receipts of series that users made."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def find(self, scope: Scope, key: str, now: float) -> Stored | None:
        row: Stored | None = self._database.row(_FIND_MAKING, (scope[0], key, now))
        return row

    def claim(self, rows: PostgresTables, scope: Scope, key: str, now: float) -> Stored | None:
        rows.db.execute(_LOCK_MAKING, (_digest(f"{scope[0]} {key}"),))
        row: Any = rows.db.execute(_FIND_MAKING, (scope[0], key, now)).fetchone()
        return row and (row[0], row[1])

    def keep(
        self, rows: PostgresTables, scope: Scope, key: str, stored: Stored, now: float
    ) -> None:
        rows.db.execute(_PRUNE_MAKINGS, (now,))
        rows.db.execute(_KEEP_MAKING, (scope[0], key, *stored, now + KEPT))


def _place(scope: Scope, key: str, now: float) -> tuple[object, ...]:
    owner, id = scope
    return key_of(id), owner, key, now


def _digest(text: str) -> int:
    """63 bits: one of a million series shares them with another once in ten million stores."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
