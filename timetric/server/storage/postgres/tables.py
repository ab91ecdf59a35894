"""The rows of one series in PostgreSQL.

Where they are written, the row of ``states`` is locked before anything else is looked at. So what
later statements of the transaction see of the series is what stands, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from timetric.points import Point, Value
from timetric.server.blocks import Block
from timetric.server.columns import unbox
from timetric.server.storage import Missing
from timetric.server.storage.parcel import Change, Kept, Packer, Parcel, Span
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.pool import Connection
from timetric.server.storage.postgres.quota import check_points
from timetric.server.storage.tables import Head, Packed, Row, State, Tables


class Body(NamedTuple):
    """The bytes of a block."""

    key: int
    times: bytes
    values: bytes


class PostgresTables(Tables):
    """``writes``: within a transaction that may write; without, nothing is locked."""

    def __init__(self, db: Connection, series: int, *, writes: bool = False) -> None:
        self.db = db
        self.series = series
        self._writes = writes
        self._state: State | None = None  # of the locked row, until it is changed here
        self._limited = True  # as far as is known, the owner has a quota
        #: Blocks that were put in.
        self.adopted: set[int] = set()

    # the series' own row

    def state(self) -> State:
        if self._state is not None:
            return self._state
        row = self.lock() if self._writes else self._one(sql.STATE, self.series)
        if row is None:
            raise Missing("the series is gone")
        state = State(*row[:5])
        self._state = state if self._writes else None
        return state

    def lock(self) -> Any:
        """Keep others from writing until this is committed; None where the series is gone."""
        row = self._one(sql.LOCK, self.series)
        if row is not None:
            self._state, self._limited = State(*row[:5]), row[5] is not None
        return row

    def touch(self, now: float, *, points: int = 0, tail: int = 0, generation: int = 0) -> None:
        self._change(sql.TOUCH, now, points, tail, generation, self.series)
        if points > 0:
            self.check_quota(0)

    def count(self, *, points: int, tail: int) -> None:
        self._change(sql.COUNT, points, tail, self.series)
        if points > 0:
            self.check_quota(0)

    def check_quota(self, more: int) -> None:
        if self._limited:
            check_points(self.db, self.series, more, locks=self._writes)

    def drop_all(self) -> None:
        self._change(sql.EMPTIED, self.series)
        for statement in sql.DROP_ALL:
            self.db.execute(statement, (self.series,))

    def drop(self) -> None:
        self.drop_all()
        self._change(sql.DROP_STATE, self.series)

    @contextmanager
    def tried(self) -> Iterator[None]:
        self.state()  # locked from before, or it would be let go with the rest
        self.db.execute("SAVEPOINT tried")
        try:  # whatever comes of it, it is undone
            yield
        finally:
            self.db.execute("ROLLBACK TO tried")
            self._state = None

    # the tail

    def tail(self, start: float, end: float, limit: int | None = None) -> list[Row]:
        rows = self.db.execute(sql.TAIL, (self.series, start, end, limit), binary=True)
        return [Row(t, _value(v, truth), fresh) for t, v, truth, fresh in rows]

    def put_tail(self, rows: Iterable[Row]) -> None:
        columns = list(zip(*((row.t, *stored(row.value), row.fresh) for row in rows)))
        if columns:
            self.db.execute(sql.PUT_TAIL, (self.series, *map(list, columns)))

    def add_to_tail(self, row: Row) -> bool:
        values = (self.series, row.t, *stored(row.value), row.fresh)
        return self.db.execute(sql.ADD_TO_TAIL, values).rowcount > 0

    def drop_tail(self, rows: list[Row]) -> None:
        if rows:
            self.db.execute(sql.DROP_TAIL, (self.series, [row.t for row in rows]))

    def latest(self) -> Point | None:
        return point(self.db.execute(sql.LATEST, {"series": self.series}, binary=True).fetchone())

    # blocks

    def spans(self, start: float, end: float) -> list[Span]:
        return [Span(*row) for row in self._within(sql.SPANS, start, end)]

    def packed_block(self, key: int) -> Packed:
        (block,) = self.packed_blocks([key])
        return block

    def packed_blocks(self, keys: list[int]) -> list[Packed]:
        found = {block.span.key: block for block in self.blocks_there(keys)}
        absent = [key for key in keys if key not in found]
        if absent:
            raise Missing(f"there is no block {absent[0]}")
        return [found[key] for key in keys]

    def blocks_there(self, keys: list[int]) -> list[Packed]:
        rows = self.db.execute(sql.BLOCKS, (self.series, keys), binary=True)
        return list(map(_packed, rows))

    def heads(self, start: float, end: float, limit: int, *, descending: bool) -> list[Head]:
        statement = sql.HEADS_BACKWARDS if descending else sql.HEADS
        return list(self._within(statement, start, end, limit))

    def packed(self, start: float, end: float, limit: int, *, descending: bool) -> list[Packed]:
        statement = sql.PACKED_BACKWARDS if descending else sql.PACKED
        return [_packed(row) for row in self._within(statement, start, end, limit)]

    def may_hold_words(self, start: float, end: float) -> bool:
        ((found,),) = self._within(sql.MAY_HOLD_WORDS, start, end)
        return bool(found)

    def told(self, key: int) -> tuple[object, ...]:
        *ends, last, truth, minimum, maximum, total, numbers = self._one(sql.TOLD, self.series, key)
        return (*ends, _value(last, truth), minimum, maximum, total, numbers)

    def pack(self, steps: Iterator[Change]) -> Parcel:
        packer = Packer(self._store)
        parcel = packer.pack(steps)
        packer.flush()
        return parcel

    def _store(self, blocks: list[Block]) -> list[int]:
        ((keys,),) = self.db.execute(sql.KEYS, (len(blocks),))
        self.put_bodies(Body(key, block.times, block.values) for key, block in zip(keys, blocks))
        return list(keys)

    def put_bodies(self, bodies: Iterable[Body]) -> None:
        """Store bytes of blocks."""
        with self.db.cursor().copy(sql.PUT_BODIES) as copy:
            copy.set_types(sql.BODY_TYPES)
            for body in bodies:
                copy.write_row((self.series, *body))

    def put_blocks(self, kept: list[Kept]) -> None:
        if not kept:
            return
        with self.db.cursor().copy(sql.PUT_BLOCKS) as copy:
            copy.set_types(sql.BLOCK_TYPES)
            for key, head in kept:
                last = stored(unbox(head.last))
                row = (*head[:3], *last, *head.summary, head.codec, head.crc)
                copy.write_row((self.series, key, *row))
                self.adopted.add(key)

    def drop_blocks(self, keys: list[int]) -> None:
        if keys:
            self.db.execute(sql.DROP_BLOCKS, (self.series, keys))
            self.drop_bodies(keys)

    def drop_bodies(self, keys: list[int]) -> None:
        """Take away bytes that are in no block."""
        self.db.execute(sql.DROP_BODIES, (self.series, keys))

    def exchange(self, parcels: list[Parcel], gone: list[Row]) -> int:
        more = super().exchange(parcels, gone)
        if any(parcel.kept or parcel.dropped for parcel in parcels):
            self._state = None
            self.db.execute(sql.REACH, {"series": self.series})
        return more

    def sweep(self) -> None:
        """Bytes go with their blocks."""

    def _change(self, statement: str, *values: object) -> None:
        self._state = None
        self.db.execute(statement, values)

    def _one(self, statement: str, *values: object) -> Any:
        return self.db.execute(statement, values, binary=True).fetchone()

    def _within(
        self, statement: str, start: float, end: float, limit: int | None = None
    ) -> Iterator[Any]:
        values = {"series": self.series, "start": start, "end": end, "limit": limit}
        return iter(self.db.execute(statement, values, binary=True))


def point(row: tuple[float, float | None, bool | None] | None) -> Point | None:
    """The point of a row of instant, number and truth, where there is a row."""
    return row and (row[0], _value(*row[1:]))


def _packed(row: tuple[int, float, float, int, int, int, bytes, bytes]) -> Packed:
    return Packed(Span(*row[:4]), *row[4:])


def _value(number: float | None, truth: bool | None) -> Value:
    return number if truth is None else truth


def stored(value: Value) -> tuple[float | None, bool | None]:
    """A value as it is stored: a number, or true or false, or neither for null."""
    return (None, value) if isinstance(value, bool) else (value, None)
