"""Looking whether a SQLite store holds what it says, file, series and search."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from timetric.server.storage import Damaged, check
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.sqlite.search import is_in_step
from timetric.server.storage.sqlite.tables import SqliteTables


def faults(database: Database) -> Iterator[str]:
    """Each fault in one sentence. Series by series, so that others can write meanwhile."""
    yield from _file_faults(database)
    with database.reading() as db:
        series = db.execute("SELECT key, id FROM series ORDER BY key").fetchall()
    for key, id in series:
        found: list[str] = []
        try:
            with database.reading() as db:
                found.extend(_series_faults(db, key))
        except Damaged as error:  # SQLite can't read the rest of it
            found.append(str(error))
        yield from (f"series {id}: {fault}" for fault in found)


def _file_faults(database: Database) -> list[str]:
    try:
        with database.reading() as db:
            reports = db.execute("PRAGMA integrity_check").fetchall()
    except Damaged as error:  # it gives up where too much is
        return [str(error)]
    return [f"SQLite: {report}" for (report,) in reports if report != "ok"]


def _series_faults(db: sqlite3.Connection, series: int) -> Iterator[str]:
    yield from check.faults(SqliteTables(db, series))
    if not is_in_step(db, series):
        yield "a search does not find it as it is"
