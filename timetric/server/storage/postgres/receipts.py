"""Receipts in PostgreSQL: of writes beside the points of their series, of new series by user.

Two processes may have the same key at once. The second waits until the first has committed: for
the lock of the series, or for one of its own where series are made. Then it finds the receipt.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from timetric.points import Point
from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import Series
from timetric.server.storage.engine import Scope
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.tables import PostgresTables, stored
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

    def add(
        self, series: Series, point: Point, now: float, terms: Terms, most: int
    ) -> Receipt | None:
        """As Engine has it: a point and its receipt in one call."""
        if terms.versions is not None or terms.dry_run or terms.rows is not None:
            return None
        receipt = Receipt(1, 1, point=point)
        place, value = (key_of(series.id), point[0]), stored(point[1])
        kept = _kept(terms.key, receipt, now)
        values = (*place, *value, now, most, series.owner.key, *kept)
        version = self._database.call(sql.ADD_POINT, values)[0]
        return None if version is None else receipt._replace(version=version)

    def keep(self, rows: PostgresTables, scope: Scope, key: str, text: Stored, now: float) -> None:
        values = {"series": rows.series, "owner": scope[0], "key": key, "now": now}
        said = dict(zip(("meaning", "receipt"), text))
        rows.db.execute(sql.KEEP_RECEIPT, {**values, **said, "expires": now + KEPT})


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

    def keep(self, rows: PostgresTables, scope: Scope, key: str, text: Stored, now: float) -> None:
        rows.db.execute(_PRUNE_MAKINGS, (now,))
        rows.db.execute(_KEEP_MAKING, (scope[0], key, *text, now + KEPT))


def _kept(key: Key | None, receipt: Receipt, now: float) -> tuple[object, ...]:
    """Key, meaning, the receipt's text before and after its version, and when it expires."""
    if key is None:
        return (None, None, None, None, None)
    counts, rest = json.dumps(receipt[:5]), json.dumps(receipt[6:])
    return (*key, f"{counts[:-1]}, ", f", {rest[1:]}", now + KEPT)


def _place(scope: Scope, key: str, now: float) -> tuple[object, ...]:
    owner, id = scope
    return key_of(id), owner, key, now


def _digest(text: str) -> int:
    """63 bits: one of a million series shares them with another once in ten million stores."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
