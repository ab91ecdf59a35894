"""The rows of one series in SQLite: packed blocks, and a tail of single points over them.

Where both hold a point at an instant the tail's stands. All intervals are ``start <= t < end``.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from timetric.points import Point, Value
from timetric.server.blocks import Corrupt, check, decode, unpack
from timetric.server.columns import EMPTY, Columns, Floats, unbox
from timetric.server.storage import Damaged, Missing, bodies
from timetric.server.storage.parcel import Change, Kept, Packer, Parcel, Span
from timetric.server.storage.quota import check_points

_BLOCK = """SELECT blocks.key, first, final, size, codec, crc, times, vals
    FROM blocks JOIN bodies ON bodies.key = blocks.key"""
#: A last value that is a word is left out.
_HEAD = """SELECT key, first, final, CASE typeof(last) WHEN 'real' THEN last END,
    minimum, maximum, total, numbers FROM blocks"""

#: Of a block: key, first and final instant, last value, minimum, maximum, total, numbers.
Head = tuple[int, float, float, float | None, float | None, float | None, float | None, int]


class Row(NamedTuple):
    """A point of the tail. It is ``fresh`` where no block holds a point at that instant."""

    t: float
    value: Value
    fresh: bool


class State(NamedTuple):
    """What a write has to know: points, rows of the tail, ``final`` instant of the last block.

    ``final`` is minus infinity where there is no block.
    """

    version: int
    generation: int
    points: int
    tail: int
    final: float


class Packed(NamedTuple):
    """A block as it is stored, not yet decoded."""

    span: Span
    codec: int
    crc: int
    times: bytes
    values: bytes

    def columns(self) -> Columns:
        """Raises Damaged."""
        try:
            return decode(self.codec, self.crc, self.times, self.values)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def check(self) -> None:
        """Raises Damaged."""
        try:
            check(self.codec, self.crc, self.times, self.values)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def fill(self, column: Floats, packed: bytes) -> None:
        """Put times or values of the block, which was checked, into a column. Raises Damaged."""
        try:
            unpack(self.codec, packed, column)
        except Corrupt as error:  # told with where it is
            raise self._damaged(error) from error

    def _damaged(self, error: Corrupt) -> Damaged:
        return Damaged(
            f"the block {self.span.key} of {self.span.size} points from {self.span.first} on "
            f"is damaged: {error}"
        )


#: The last point of a series; the tail's where both end at the same instant.
LATEST = """
    SELECT t, v FROM (
        SELECT * FROM (SELECT t, v, 1 AS above FROM tail WHERE series = ?1 ORDER BY t DESC LIMIT 1)
        UNION ALL SELECT * FROM (
            SELECT final, last, 0 FROM blocks WHERE series = ?1 ORDER BY first DESC LIMIT 1))
    ORDER BY t DESC, above DESC LIMIT 1
    """


class Tables:
    """One series' rows, within a transaction of the caller's."""

    def __init__(self, db: sqlite3.Connection, series: int) -> None:
        self._db = db
        self._series = series

    # the series' own row

    def state(self) -> State:
        """Raises Missing."""
        row = self._db.execute(
            "SELECT version, generation, points, tail, ifnull((SELECT final FROM blocks"
            " WHERE series = ?1 ORDER BY first DESC LIMIT 1), -9e999) FROM series WHERE key = ?1",
            (self._series,),
        ).fetchone()
        if row is None:
            raise Missing("the series is gone")
        return State(*row)

    def touch(self, now: float, *, points: int = 0, tail: int = 0, generation: int = 0) -> None:
        """Note a change, and how many points and tail rows there are more. Raises OverQuota."""
        self._db.execute(
            "UPDATE series SET updated = ?, version = version + 1, points = points + ?,"
            " tail = tail + ?, generation = generation + ? WHERE key = ?",
            (now, points, tail, generation, self._series),
        )
        if points > 0:
            check_points(self._db, self._series)

    def count(self, *, points: int, tail: int) -> None:
        """Note how many points and tail rows there are more, or fewer. Raises OverQuota."""
        self._db.execute(
            "UPDATE series SET points = points + ?, tail = tail + ? WHERE key = ?",
            (points, tail, self._series),
        )
        if points > 0:
            check_points(self._db, self._series)

    def check_quota(self, more: int) -> None:
        """Whether there may be so many more points. Raises OverQuota."""
        check_points(self._db, self._series, more)

    def drop_all(self) -> None:
        """Take away the whole history."""
        self._db.execute("UPDATE series SET points = 0, tail = 0 WHERE key = ?", (self._series,))
        self._db.execute(
            "INSERT INTO loose(key, claimed) SELECT key, 0 FROM blocks WHERE series = ?",
            (self._series,),
        )
        self._db.execute("DELETE FROM blocks WHERE series = ?", (self._series,))
        self._db.execute("DELETE FROM tail WHERE series = ?", (self._series,))

    def drop(self) -> None:
        """Take away the series itself."""
        self.drop_all()
        self._db.execute("DELETE FROM series WHERE key = ?", (self._series,))

    # the tail

    def tail(self, start: float, end: float, limit: int = -1) -> list[Row]:
        """Its rows in the interval, oldest first."""
        rows = self._db.execute(
            "SELECT t, v, fresh FROM tail WHERE series = ? AND t >= ? AND t < ? ORDER BY t LIMIT ?",
            (self._series, start, end, limit),
        )
        return [Row(t, _value(v), bool(fresh)) for t, v, fresh in rows]

    def put_tail(self, rows: Iterable[Row]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tail(series, t, v, fresh) VALUES (?, ?, ?, ?)",
            ((self._series, *row) for row in rows),
        )

    def add_to_tail(self, row: Row) -> bool:
        """Put a row where none is; whether there was none."""
        added = self._db.execute(
            "INSERT OR IGNORE INTO tail(series, t, v, fresh) VALUES (?, ?, ?, ?)",
            (self._series, *row),
        )
        return added.rowcount > 0

    def make_stale(self, rows: list[Row]) -> None:
        """Note that blocks hold points at the instants of these rows by now."""
        self.put_tail(row._replace(fresh=False) for row in rows)
        self.count(points=-sum(row.fresh for row in rows), tail=0)

    def _drop_tail(self, rows: list[Row]) -> None:
        self._db.executemany(
            "DELETE FROM tail WHERE series = ? AND t = ?", ((self._series, row.t) for row in rows)
        )

    def latest(self) -> Point | None:
        """The last point of all."""
        return point(self._db.execute(LATEST, (self._series,)).fetchone())

    # blocks

    def spans(self, start: float, end: float) -> list[Span]:
        """Where the blocks lie, oldest first: those in the interval, and the one before it."""
        rows = self._db.execute(
            "SELECT key, first, final, size FROM blocks"
            " WHERE series = ? AND first >= ? AND first < ? ORDER BY first",
            (self._series, self._first_up_to(start), end),
        )
        return [Span(*row) for row in rows]

    def block(self, key: int) -> Columns:
        """Raises Missing, Damaged."""
        return self.packed_block(key).columns()

    def packed_block(self, key: int) -> Packed:
        """Raises Missing."""
        row = self._db.execute(f"{_BLOCK} WHERE blocks.key = ?", (key,)).fetchone()
        if row is None:
            raise Missing(f"there is no block {key}")
        return _packed(row)

    def heads(self, start: float, end: float, limit: int, *, descending: bool) -> list[Head]:
        """What up to ``limit`` blocks say that have points in the interval, in reading order."""
        order = "DESC" if descending else "ASC"
        rows = self._db.execute(
            f"{_HEAD} WHERE series = ? AND first >= ? AND first < ?"
            f" AND final >= ? ORDER BY first {order} LIMIT ?",
            (self._series, self._first_up_to(start), end, start, limit),
        )
        return rows.fetchall()

    def packed(self, start: float, end: float, limit: int, *, descending: bool) -> list[Packed]:
        """Up to ``limit`` blocks that have points in the interval, in reading order."""
        order = "DESC" if descending else "ASC"
        rows = self._db.execute(
            f"{_BLOCK} WHERE series = ? AND first >= ? AND first < ?"
            f" AND final >= ? ORDER BY first {order} LIMIT ?",
            (self._series, self._first_up_to(start), end, start, limit),
        )
        return [_packed(row) for row in rows]

    def may_hold_words(self, start: float, end: float) -> bool:
        """Whether a row of the tail in the interval is a word, or a block there holds one."""
        (found,) = self._db.execute(
            "SELECT EXISTS(SELECT 1 FROM blocks WHERE series = ?1 AND first >= ?2 AND first < ?3"
            " AND final >= ?4 AND numbers < size)"
            " OR EXISTS(SELECT 1 FROM tail WHERE series = ?1 AND t >= ?4 AND t < ?3"
            " AND typeof(v) != 'real')",
            (self._series, self._first_up_to(start), end, start),
        ).fetchone()
        return bool(found)

    def pack(self, steps: Iterator[Change]) -> Parcel:
        """Pack a merge's steps within this transaction."""
        packer = Packer(lambda blocks: bodies.put(self._db, blocks))
        parcel = packer.pack(steps)
        packer.flush()
        return parcel

    def _put_blocks(self, kept: list[Kept]) -> None:
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

    def _drop_blocks(self, keys: list[int]) -> None:
        """Take blocks out; their bytes are to be swept."""
        self._db.executemany("DELETE FROM blocks WHERE key = ?", ((key,) for key in keys))
        bodies.abandon(self._db, keys)

    def in_blocks(self, t: Floats) -> Columns:
        """What the blocks hold at these sorted instants. Raises Damaged."""
        found = [EMPTY]
        for span in self.spans(t[0], _next(t[-1])) if len(t) else ():
            low, high = np.searchsorted(t, [span.first, _next(span.final)])
            if low < high:
                block = self.block(span.key)
                here = block.t.searchsorted(t[low:high])
                held = here[block.t[here] == t[low:high]]
                found.append(Columns(block.t[held], block.v[held]))
        return Columns(*map(np.concatenate, zip(*found)))

    def exchange(self, parcels: list[Parcel], gone: list[Row]) -> int:
        """Put blocks in, and take out those they replace and the tail rows that are gone.

        How many points there are more.
        """
        for parcel in parcels:
            self._drop_blocks([span.key for span in parcel.dropped])
            self._put_blocks(parcel.kept)
        self._drop_tail(gone)
        more = sum(parcel.growth for parcel in parcels) - sum(row.fresh for row in gone)
        self.count(points=more, tail=-len(gone))
        return more

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


def _next(t: float) -> float:
    return math.nextafter(t, math.inf)


def _packed(row: tuple[int, float, float, int, int, int, bytes, bytes]) -> Packed:
    return Packed(Span(*row[:4]), *row[4:])


def _value(stored: float | int | None) -> Value:
    """What SQLite holds: REAL, NULL, or INTEGER 0 or 1 for false or true."""
    return bool(stored) if type(stored) is int else stored
