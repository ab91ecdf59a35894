"""What the logic of histories needs of an engine: transactions on the rows of one series."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from timetric.points import Point
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Series
from timetric.server.storage.stage import Stage
from timetric.server.storage.tables import Tables

#: Where a key belongs to: a user, and the ID of a series, or "" where series are made.
Scope = tuple[int, str]


def scope_of(series: Series) -> Scope:
    """That of writes to a series."""
    return series.owner.key, series.id


class Engine(Protocol):
    """The rows of each series, and the receipts of what was written."""

    def reading(self, series: int) -> AbstractContextManager[Tables]:
        """A short transaction that sees one state; never held while a network peer is slow."""

    def write(
        self,
        series: Series,
        terms: Terms,
        now: float,
        job: Callable[[Tables], Receipt],
        stage: Stage | None = None,
    ) -> Receipt:
        """The job's receipt, or that of the first write with this key; done on its terms.

        No other write to the series comes between. The job may be run again where its transaction
        could not be committed; what it puts into blocks from a stage, which is given here, is
        stored by then. Raises what the job does, Changed, Missing, Reused.
        """

    def add(
        self, series: Series, point: Point, now: float, terms: Terms, most: int
    ) -> Receipt | None:
        """Add a point at an instant after all blocks, where none stands, by a way that is shorter.

        None, with nothing done, where it is not as simple as that, the tail would have ``most``
        rows, or the engine has no such way.
        """

    def once(self, scope: Scope, terms: Terms, now: float, do: Callable[[], Receipt]) -> Receipt:
        """Do what takes long, unless it was done with this key; a repeat waits for the first.

        Raises Busy where that takes too long, Reused.
        """

    def stage(self) -> Stage:
        """Room for what a write packs ahead."""

    def latest(self, series: Series) -> Point | None:
        """The last point of all."""

    def sweep(self) -> None:
        """Take away what no series holds any more, where that is not done at once."""
