"""Looking whether a PostgreSQL store holds what it says, series by series."""

from __future__ import annotations

from collections.abc import Iterator

from timetric.server.storage import Damaged, check
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.tables import PostgresTables

_NEXT = "SELECT key, id FROM series WHERE key > %s ORDER BY key LIMIT 1000"


def faults(database: PostgresDatabase) -> Iterator[str]:
    """Each fault in one sentence, while others can write."""
    for key, id in _every(database):
        found: list[str] = []
        try:
            with database.reading() as db:
                found.extend(check.faults(PostgresTables(db, key)))
        except Damaged as error:  # PostgreSQL can't read the rest of it
            found.append(str(error))
        yield from (f"series {id}: {fault}" for fault in found)


def _every(database: PostgresDatabase) -> Iterator[tuple[int, str]]:
    reached = -1
    while True:
        with database.reading() as db:
            page = db.execute(_NEXT, (reached,)).fetchall()
        if not page:
            return
        yield from page
        reached = page[-1][0]
