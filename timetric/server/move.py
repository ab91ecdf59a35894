"""Moving all that a store holds to another one: users, what lets them in, series and points.

It can be done again, after it was cut short or while the first store goes on being used: what is
there already stays, what has changed since is copied anew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from timetric.server.columns import EMPTY, Columns
from timetric.server.storage import TABLES, Missing, Series, Storage, Window

_PIECE = 1 << 20  # points that are written at once
_LISTED = 1000  # series that are listed at a time

#: How many points are copied by now.
Tell = Callable[[int], object]


class MoveError(Exception):
    """It can't be done, or was not done wholly; the text says why and what to do, in one line."""


class Moved(NamedTuple):
    """How much there is in the new store, all of it compared with the old one."""

    users: int
    tokens: int
    applications: int
    series: int
    points: int


def total(source: Storage) -> int:
    """How many points there are to move."""
    return sum(series.points for series in _all(source))


def move(source: Storage, target: Storage, now: float, tell: Tell) -> Moved:
    """Make the target hold all that the source does. ``now`` in Unix seconds.

    The target is new, or was moved to before. Raises MoveError, StorageError.
    """
    tables = {table: source.transfer.rows(table) for table in TABLES}
    _check(source, target)
    target.transfer.put_rows(tables)
    done = series = 0
    for like in _all(source):
        done += _Copy(source, target, like, now).run(tell, done)
        series += 1
    _check_no_more(source, target)
    for user in source.accounts.users():
        target.transfer.put_receipts(user, "", source.transfer.receipts(user, ""))
        target.accounts.set_quota(user, source.accounts.account(user).quota)
    return Moved(
        len(tables["users"]), len(tables["tokens"]), len(tables["applications"]), series, done
    )


def _all(store: Storage) -> Iterator[Series]:
    """The series of all users."""
    id = ""
    while listed := store.transfer.series(id, _LISTED):
        yield from listed
        id = listed[-1].id


def _check(source: Storage, target: Storage) -> None:
    """Whether a target holds nothing that is not of this source. Raises MoveError."""
    known = set(source.accounts.users())
    for user in target.accounts.users():
        if user not in known:
            raise MoveError(
                f"the new store has a user {user.name!r} of its own; move to a store where no "
                "service was started yet"
            )


def _check_no_more(source: Storage, target: Storage) -> None:
    """Raises MoveError."""
    for series in _all(target):
        try:
            source.series(series.id)
        except Missing as error:  # it was removed after an earlier move
            raise MoveError(
                f"the new store still has the series {series.id} ({series.metadata.title}), which "
                "the old one has no more; remove it there, or move to a new store"
            ) from error


class _Copy:
    """One series on its way."""

    def __init__(self, source: Storage, target: Storage, like: Series, now: float) -> None:
        self._source = source
        self._target = target
        self._like = like
        self._now = now

    def run(self, tell: Tell, done: int) -> int:
        """How many points it has, beside those that are done. Raises MoveError."""
        like, series = self._like, self._begun()
        if not _is_settled(series, like):
            self._add(series, self._reached(series), tell, done)
            if not self._is_same(series):  # what came with an earlier move has changed since
                self._target.clear(series, -math.inf, math.inf, self._now)
                self._add(series, -math.inf, tell, done)
                self._compare(series)
            self._target.transfer.settle(series, like)
        receipts = self._source.transfer.receipts(like.owner, like.id)
        self._target.transfer.put_receipts(like.owner, like.id, receipts)
        tell(done + like.points)
        return like.points

    def _begun(self) -> Series:
        """The series in the new store, described as in the old one."""
        like = self._like
        try:
            series = self._target.series(like.id)
        except Missing:  # it is the first time
            self._target.create(like.id, like.owner, like.metadata, EMPTY, like.created)
            return self._target.series(like.id)
        if series.metadata == like.metadata:
            return series
        return self._target.amend(series, vars(like.metadata), self._now)

    def _reached(self, series: Series) -> float:
        """Up to which instant an earlier move came."""
        latest = self._target.latest(series)
        return -math.inf if latest is None else math.nextafter(latest[0], math.inf)

    def _add(self, series: Series, start: float, tell: Tell, done: int) -> None:
        for piece in _gathered(self._source.read(self._like, Window(start))):
            self._target.merge(series, piece, self._now)
            done += len(piece.t)
            tell(done)

    def _compare(self, series: Series) -> None:
        """Raises MoveError."""
        if not self._is_same(series):
            raise MoveError(
                f"the series {series.id} ({series.metadata.title}) was written to while it was "
                "copied; stop the service of the old store, and move again"
            )

    def _is_same(self, series: Series) -> bool:
        """By count and checksum."""
        old = _checksum(self._source.read(self._like, Window()))
        return old == _checksum(self._target.read(series, Window()))


def _is_settled(series: Series, like: Series) -> bool:
    """Whether an earlier move was done with it, and it has not changed since."""
    return series._replace(key=like.key) == like


def _gathered(pieces: Iterator[Columns]) -> Iterator[Columns]:
    """In larger pieces, since each is a transaction."""
    waiting: list[Columns] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(len(columns.t) for columns in waiting) >= _PIECE:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(pieces: list[Columns]) -> Columns:
    return Columns(*map(np.concatenate, zip(*pieces)))


def _checksum(pieces: Iterator[Columns]) -> tuple[int, bytes, bytes]:
    """The count, and the SHA-256 of all times and of all values, to the bit."""
    size, times, values = 0, hashlib.sha256(), hashlib.sha256()
    for t, v in pieces:
        size += len(t)
        times.update(np.ascontiguousarray(t).data)
        values.update(np.ascontiguousarray(v).data)
    return size, times.digest(), values.digest()
