"""Looking whether a store holds what it says: every block, every summary, every count."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator

import numpy as np

from timetric.server.blocks import summarise
from timetric.server.columns import Columns, unbox
from timetric.server.storage import Damaged
from timetric.server.storage.database import Database
from timetric.server.storage.parcel import Span
from timetric.server.storage.sqlite_search import is_in_step
from timetric.server.storage.tables import Tables


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
    rows = Tables(db, series)
    tail = rows.tail(-math.inf, math.inf)
    points = sum(row.fresh for row in tail)
    reached = -math.inf
    for span in rows.spans(-math.inf, math.inf):
        points += span.size
        if span.first <= reached:
            yield f"the block {span.key} overlaps the one before it"
        reached = span.final
        try:
            yield from _block_faults(db, span, rows.block(span.key))
        except Damaged as error:  # a fault like the others
            yield str(error)
    stated = db.execute("SELECT points, tail FROM series WHERE key = ?", (series,)).fetchone()
    if stated not in (None, (points, len(tail))):
        yield f"it counts {stated} points and tail rows, but holds {(points, len(tail))}"
    if not is_in_step(db, series):
        yield "a search does not find it as it is"


def _block_faults(db: sqlite3.Connection, span: Span, columns: Columns) -> Iterator[str]:
    stated = db.execute(
        "SELECT first, final, size, last, minimum, maximum, total, numbers FROM blocks"
        " WHERE key = ?",
        (span.key,),
    ).fetchone()
    t, v = columns
    found = (float(t[0]), float(t[-1]), len(t), unbox(float(v[-1])), *summarise(v))
    if found != stated:
        yield f"the block {span.key} is described as {stated}, but holds {found}"
    if not bool(np.all(t[1:] > t[:-1])):
        yield f"the block {span.key} is not in the order of time"
