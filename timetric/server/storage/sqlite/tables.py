"""The rows of one series in SQLite."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from timetric.points import Point, Value
from timetric.server.columns import unbox
from timetric.server.storage import Missing
from timetric.server.storage.parcel import Change, Kept, Packer, Parcel, Span
from timetric.server.storage.sqlite import bodies
from timetric.server.storage.sqlite.quota import check_points
from timetric.server.storage.tables import Head, Packed, Row, State, Tables

_BLOCK = """SELECT blocks.key, first, final, size, codec, crc, times, vals
    FROM blocks JOIN bodies ON bodies.key = blocks.key"""
_HEAD = """SELECT key, first, final, CASE typeof(last) WHEN 'real' THEN last END,
    minimum, maximum, total, numbers FROM blocks"""

#: The last point of a series; the tail's where both end at the same instant.
LATEST = """
    SELECT t, v FROM (
        SELECT * FROM (SELECT t, v, 1 AS above FROM tail WHERE series = ?1 ORDER BY t DESC LIMIT 1)
        UNION ALL SELECT * FROM (
            SELECT final, last, 0 FROM blocks WHERE series = ?1 ORDER BY first DESC LIMIT 1))
    ORDER BY t DESC, above DESC LIMIT 1
    """


class SqliteTables(Tables):
    """Bytes of blocks that are taken out are swept away later (sqlite/bodies.py)."""

    def __init__(self, db: sqlite3.Connection, series: int) -> None:
        self._db = db
        self._series = series

    # the series' own row

    def state(self) -> State:
        row = self._db.execute(
            "SELECT version, generation, points, tail, ifnull((SELECT final FROM blocks"
            " WHERE series = ?1 ORDER BY first DESC LIMIT 1), -9e999) FROM series WHERE key = ?1",
            (self._series,),
        ).fetchone()
        if row is None:
            raise Missing("the series is gone")
        return State(*row)

    def touch(self, now: float, *, points: int = 0, tail: int = 0, generation: int = 0) -> None:
        self._db.execute(
            "UPDATE series SET updated = ?, version = version + 1, points = points + ?,"
            " tail = tail + ?, generation = generation + ? WHERE key = ?",
            (now, points, tail, generation, self._series),
        )
        if points > 0:
            check_points(self._db, self._series)

    def count(self, *, points: int, tail: int) -> None:
        self._db.execute(
            "UPDATE series SET points = points + ?, tail = tail + ? WHERE key = ?",
            (points, tail, self._series),
        )
        if points > 0:
            check_points(self._db, self._series)

    def check_quota(self, more: int) -> None:
        check_points(self._db, self._series, more)

    def drop_all(self) -> None:
        self._db.execute("UPDATE series SET points = 0, tail = 0 WHERE key = ?", (self._series,))
        self._db.execute(
            "INSERT INTO loose(key, claimed) SELECT key, 0 FROM blocks WHERE series = ?",
            (self._series,),
        )
        self._db.execute("DELETE FROM blocks WHERE series = ?", (self._series,))
        self._db.execute("DELETE FROM tail WHERE series = ?", (self._series,))

    def drop(self) -> None:
        self.drop_all()
        self._db.execute("DELETE FROM series WHERE key = ?", (self._series,))

    @contextmanager
    def tried(self) -> Iterator[None]:
        self._db.execute("SAVEPOINT tried")
        try:  # whatever comes of it, it is undone
            yield
        finally:
            self._db.execute("ROLLBACK TO tried")
            self._db.execute("RELEASE tried")

    # the tail

    def tail(self, start: float, end: float, limit: int | None = None) -> list[Row]:
        rows = self._db.execute(
            "SELECT t, v, fresh FROM tail WHERE series = ? AND t >= ? AND t < ? ORDER BY t LIMIT ?",
            (self._series, start, end, -1 if limit is None else limit),
        )
        return [Row(t, _value(v), bool(fresh)) for t, v, fresh in rows]

    def put_tail(self, rows: Iterable[Row]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tail(series, t, v, fresh) VALUES (?, ?, ?, ?)",
            ((self._series, *row) for row in rows),
        )

    def add_to_tail(self, row: Row) -> bool:
        added = self._db.execute(
            "INSERT OR IGNORE INTO tail(series, t, v, fresh) VALUES (?, ?, ?, ?)",
            (self._series, *row),
        )
        return added.rowcount > 0

    def drop_tail(self, rows: list[Row]) -> None:
        self._db.executemany(
            "DELETE FROM tail WHERE series = ? AND t = ?", ((self._series, row.t) for row in rows)
        )

    def latest(self) -> Point | None:
        return point(self._db.execute(LATEST, (self._series,)).fetchone())

    # blocks

    def spans(self, start: float, end: float) -> list[Span]:
        rows = self._db.execute(
            "SELECT key, first, final, size FROM blocks"
            " WHERE series = ? AND first >= ? AND first < ? ORDER BY first",
            (self._series, self._first_up_to(start), end),
        )
        return [Span(*row) for row in rows]

    def packed_block(self, key: int) -> Packed:
        row = self._db.execute(f"{_BLOCK} WHERE blocks.key = ?", (key,)).fetchone()
        if row is None:
            raise Missing(f"there is no block {key}")
        return _packed(row)

    def heads(self, start: float, end: float, limit: int, *, descending: bool) -> list[Head]:
        order = "DESC" if descending else "ASC"
        rows = self._db.execute(
            f"{_HEAD} WHERE series = ? AND first >= ? AND first < ?"
            f" AND final >= ? ORDER BY first {order} LIMIT ?",
            (self._series, self._first_up_to(start), end, start, limit),
        )
        return rows.fetchall()

    def packed(self, start: float, end: float, limit: int, *, descending: bool) -> list[Packed]:
        order = "DESC" if descending else "ASC"
        rows = self._db.execute(
            f"{_BLOCK} WHERE series = ? AND first >= ? AND first < ?"
            f" AND final >= ? ORDER BY first {order} LIMIT ?",
            (self._series, self._first_up_to(start), end, start, limit),
        )
        return [_packed(row) for row in rows]

    def may_hold_words(self, start: float, end: float) -> bool:
        (found,) = self._db.execute(
            "SELECT EXISTS(SELECT 1 FROM blocks WHERE series = ?1 AND first >= ?2 AND first < ?3"
            " AND final >= ?4 AND numbers < size)"
            " OR EXISTS(SELECT 1 FROM tail WHERE series = ?1 AND t >= ?4 AND t < ?3"
            " AND typeof(v) != 'real')",
            (self._series, self._first_up_to(start), end, start),
        ).fetchone()
        return bool(found)

    def told(self, key: int) -> tuple[object, ...]:
        row: tuple[object, ...] = self._db.execute(
            "SELECT first, final, size, last, minimum, maximum, total, numbers FROM blocks"
            " WHERE key = ?",
            (key,),
        ).fetchone()
        return row

    def pack(self, steps: Iterator[Change]) -> Parcel:
        packer = Packer(lambda blocks: bodies.put(self._db, blocks))
        parcel = packer.pack(steps)
        packer.flush()
        return parcel

    def put_blocks(self, kept: list[Kept]) -> None:
        """Put in blocks whose bytes are stored, claimed or not."""
        self._db.executemany(
            "INSERT INTO blocks(key, series, first, final, size, last, minimum, maximum, total,"
            " numbers, codec, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    key,
                    self._series,
                    *head[:3],
                    unbox(head.last),
                    *head.summary,
                    head.codec,
                    head.crc,
                )
                for key, head in kept
            ),
        )
        bodies.adopt(self._db, [block.key for block in kept])

    def drop_blocks(self, keys: list[int]) -> None:
        self._db.executemany("DELETE FROM blocks WHERE key = ?", ((key,) for key in keys))
        bodies.abandon(self._db, keys)

    def sweep(self) -> None:
        """Sweep some of the bytes that are in no block."""
        bodies.sweep_some(self._db)

    def _first_up_to(self, start: float) -> float:
        """Where the last block begins that begins at ``start`` or before."""
        (first,) = self._db.execute(
            "SELECT max(first) FROM blocks WHERE series = ? AND first <= ?", (self._series, start)
        ).fetchone()
        return -math.inf if first is None else float(first)


def point(row: tuple[float, float | int | None] | None) -> Point | None:
    """The point of a row of instant and value, where there is a row."""
    return row and (row[0], _value(row[1]))


def _packed(row: tuple[int, float, float, int, int, int, bytes, bytes]) -> Packed:
    return Packed(Span(*row[:4]), *row[4:])


def _value(stored: float | int | None) -> Value:
    """What SQLite holds: REAL, NULL, or INTEGER 0 or 1 for false or true."""
    return bool(stored) if type(stored) is int else stored
