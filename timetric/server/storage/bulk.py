"""Many points: packed into blocks ahead of the transaction that puts these in their place.

The transaction looks whether the blocks are still those that were met. What other writes have
changed is met again: outside of it where that is much, within where others can wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import compress
from typing import Protocol

import numpy as np

from timetric.server.blocks import merge
from timetric.server.columns import EMPTY, Columns, from_points, part, reach
from timetric.server.receipt import ERROR, KEEP, Receipt, Terms
from timetric.server.storage import Conflict, Damaged, Missing, StorageError
from timetric.server.storage.engine import Engine
from timetric.server.storage.parcel import Change, Span, Stretch, changes, stretches
from timetric.server.storage.stage import Stage
from timetric.server.storage.tables import Packed, Row, State, Tables
from timetric.server.storage.tally import NONE, Tally, among, differing, tally
from timetric.server.storage.writer import check


class Stale(StorageError):
    """More blocks have changed since they were met than others can wait for."""


class Plan(Protocol):
    """A write of many points."""

    def prepare(self) -> None:
        """Do ahead what can be done, as things stand now."""

    def store(self, rows: Tables, now: float, most: float) -> Receipt:
        """Do the rest, where at most so many blocks have changed since. Raises Stale."""


_AHEAD = 16  # blocks that are read at a time


class Standing:
    """What stands in a series; each look is a short transaction of its own."""

    def __init__(self, engine: Engine, series: int) -> None:
        self._engine = engine
        self._series = series
        self._coming: list[int] = []
        self._read: dict[int, Packed] = {}

    def spans(self, points: Columns) -> list[Span]:
        """Those of the blocks that these points reach. Raises Missing."""
        with self._engine.reading(self._series) as rows:
            rows.state()
            return rows.spans(*reach(points))

    def expect(self, spans: Iterable[Span | None]) -> None:
        """These blocks are to be asked for, in this order, so that some are read at a time."""
        self._coming = [span.key for span in spans if span is not None]
        self._read = {}

    def block(self, key: int) -> Columns:
        """What a block holds, which never changes. Raises Missing, Damaged."""
        if key not in self._read:
            self._read_on(key)
        if key not in self._read:
            raise Missing(f"there is no block {key}")
        return self._read.pop(key).columns()

    def _read_on(self, key: int) -> None:
        while self._coming and self._coming[0] != key:
            self._coming.pop(0)
        keys, self._coming = self._coming[:_AHEAD] or [key], self._coming[_AHEAD:]
        with self._engine.reading(self._series) as rows:
            self._read = {block.span.key: block for block in rows.blocks_there(keys)}

    def meet(self, points: Columns, terms: Terms, *, rewrites: bool = False) -> Receipt:
        """What a write would do. Raises Changed, Conflict, OverQuota, Missing, Damaged."""
        with self._engine.reading(self._series) as rows:
            check(rows, terms)
            state = rows.state()
            found = _met(rows, points, terms)
            removed = state.points - found.met if rewrites else 0
            receipt = _receipt(state, points, found, terms, removed)
            if receipt.added or (rewrites and receipt.changes and len(points.t)):
                rows.check_quota(receipt.added - removed)
        return receipt._replace(version=state.version)


class Merge:
    """Points on their way among those that stand."""

    def __init__(self, stage: Stage, standing: Standing, points: Columns, terms: Terms) -> None:
        self._stage = stage
        self._standing = standing
        self._points = points
        self._terms = terms
        self._keeps = terms.on_conflict == KEEP

    def prepare(self) -> None:
        """Pack the stretches that are not packed yet. Raises Conflict, Damaged."""
        if self._terms.on_conflict == ERROR:
            self._standing.meet(self._points, self._terms)
        wanted = stretches(self._standing.spans(self._points), self._points)
        missing = [stretch for stretch in wanted if stretch not in self._stage]
        self._standing.expect(stretch.span for stretch in missing)
        for stretch in missing:
            with suppress(Missing):  # the block was changed meanwhile, and with it the stretch
                self._stage.pack(stretch, self._steps(stretch, self._standing.block))
        self._stage.flush()

    def store(self, rows: Tables, now: float, most: float) -> Receipt:
        """Put all in, where at most so many stretches have changed. Raises Stale, Conflict."""
        state, points = rows.state(), self._points
        wanted = stretches(rows.spans(*reach(points)), points)
        missing = [stretch for stretch in wanted if stretch not in self._stage]
        if len(missing) > most:
            raise Stale("other writes have changed the blocks")
        late = {stretch: rows.pack(self._steps(stretch, rows.block)) for stretch in missing}
        parcels = [late.get(stretch) or self._stage[stretch] for stretch in wanted]
        met = sum((found for parcel in parcels for found in parcel.tallies), NONE)
        covered = _covered(rows, points)
        receipt = _receipt(state, points, met + _above(rows, points, covered), self._terms)
        if self._terms.on_conflict == ERROR and receipt.replaced:
            _met(rows, points, self._terms)  # raises, with the first of them
        if receipt.changes:
            rows.touch(now)
        if self._keeps:  # what stands in the tail stands over what comes into the blocks
            rows.make_stale(covered)
        rows.exchange(parcels, gone=[] if self._keeps else covered)
        return receipt

    def _steps(self, stretch: Stretch, block: Callable[[int], Columns]) -> Iterator[Change]:
        return changes(stretch, self._points, block, keeps=self._keeps)


class Replacement:
    """Points that come in the place of the whole history; ``put`` puts them into an empty one."""

    def __init__(
        self, put: Callable[[Tables], object], standing: Standing, points: Columns, terms: Terms
    ) -> None:
        self._put = put
        self._standing = standing
        self._points = points
        self._terms = terms
        self._met: dict[int, Tally] = {}

    def prepare(self) -> None:
        """Count how the points meet the blocks. Raises Missing."""
        spans = self._standing.spans(self._points)
        missing = [span for span in spans if span.key not in self._met]
        self._standing.expect(missing)
        for span in missing:
            with suppress(Missing, Damaged):  # it was changed meanwhile, or is met by nothing
                self._met[span.key] = self._count(self._standing.block(span.key))

    def store(self, rows: Tables, now: float, most: float) -> Receipt:
        """Replace all, where at most so many blocks have changed. Raises Stale."""
        state, points = rows.state(), self._points
        keys = [span.key for span in rows.spans(*reach(points))]
        if len(keys) - len(self._met.keys() & keys) > most:
            raise Stale("other writes have changed the blocks")
        try:
            found = self._found(rows, keys)
        except Damaged:  # what can't be read is met by nothing; a rewrite mends the series
            found = NONE
        receipt = _receipt(state, points, found, self._terms, state.points - found.met)
        if receipt.changes:
            rows.touch(now, generation=1)
            rows.drop_all()
            self._put(rows)
        return receipt

    def _found(self, rows: Tables, keys: list[int]) -> Tally:
        late = {key: self._count(rows.block(key)) for key in keys if key not in self._met}
        blocks = sum((late.get(key) or self._met[key] for key in keys), NONE)
        return blocks + _above(rows, self._points, _covered(rows, self._points))

    def _count(self, block: Columns) -> Tally:
        return tally(block, self._points)


def _receipt(
    state: State, points: Columns, found: Tally, terms: Terms, removed: int = 0
) -> Receipt:
    size, unchanged = len(points.t), found.met if terms.on_conflict == KEEP else found.same
    receipt = Receipt(
        received=terms.received(size),
        added=size - found.met,
        replaced=found.met - unchanged,
        unchanged=unchanged,
        removed=removed,
    )
    return receipt._replace(version=state.version + receipt.changes)


def _covered(rows: Tables, points: Columns) -> list[Row]:
    """The tail's rows at the instants of these points."""
    tail = rows.tail(*reach(points))
    return list(compress(tail, among(np.array([row.t for row in tail]), points.t).tolist()))


def _above(rows: Tables, points: Columns, covered: list[Row]) -> Tally:
    """What the tail's rows change about how the points meet the blocks alone."""
    stale = np.array([row.t for row in covered if not row.fresh])
    return tally(_columns(covered), points) - tally(rows.in_blocks(stale), points)


def _met(rows: Tables, points: Columns, terms: Terms) -> Tally:
    """How the points meet all that stands. Raises Conflict where the terms want none."""
    found = NONE
    for old, new in _pairs(rows, points):
        found += tally(old, new)
        other = differing(old, new) if terms.on_conflict == ERROR else EMPTY
        if len(other.t):
            raise Conflict(float(other.t[0]))
    return found


def _pairs(rows: Tables, points: Columns) -> Iterator[tuple[Columns, Columns]]:
    """What stands, and the points that come there, from stretch to stretch."""
    for span, start, stop in stretches(rows.spans(*reach(points)), points):
        new = part(points, start, stop)
        block = EMPTY if span is None else rows.block(span.key)
        yield merge(block, _columns(rows.tail(*reach(new)))), new


def _columns(tail: list[Row]) -> Columns:
    return from_points((row.t, row.value) for row in tail)
