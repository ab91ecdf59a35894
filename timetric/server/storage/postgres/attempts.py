"""Attempts that all processes with one database count together."""

from __future__ import annotations

import logging

from timetric.server.storage import StorageError
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.pool import Connection

log = logging.getLogger(__name__)

_ADD = """INSERT INTO attempts AS kept (allowance, who, whole) VALUES (%s, %s, %s + %s)
    ON CONFLICT (allowance, who) DO UPDATE SET whole = greatest(kept.whole, %s) + %s
    RETURNING whole"""
_PRUNE = """DELETE FROM attempts WHERE (allowance, who) IN (SELECT allowance, who FROM attempts
    WHERE whole <= %s ORDER BY whole LIMIT 100 FOR UPDATE SKIP LOCKED)"""


class PostgresAttempts:
    """The Share of one database. Nobody waits for a disk: what a crash takes is tried again."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def add(self, of: str, by: str, seconds: float, now: float) -> float | None:
        def job(db: Connection) -> float:
            db.execute(_PRUNE, (now,))
            row = db.execute(_ADD, (of, by, now, seconds, now, seconds)).fetchone()
            assert row is not None, "it is added in any case"
            return float(row[0])

        try:
            return self._database.write(job, durable=False)
        except StorageError as error:  # counted here, until the others can be told
            log.warning("attempts are not counted with those of other processes: %s", error)
            return None
