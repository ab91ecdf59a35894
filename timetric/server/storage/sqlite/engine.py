"""The rows of series in one SQLite file, as the logic of histories wants them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timetric.points import Point
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Series
from timetric.server.storage.engine import Scope, scope_of
from timetric.server.storage.sqlite.bodies import SqliteStage, sweep
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.sqlite.receipts import SqliteReceipts
from timetric.server.storage.sqlite.tables import LATEST, SqliteTables, point
from timetric.server.storage.stage import Stage
from timetric.server.storage.tables import Tables
from timetric.server.storage.writer import Writer, on_terms


class SqliteEngine:
    """The Engine of one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer: Writer[sqlite3.Connection] = Writer(SqliteReceipts(database))

    @contextmanager
    def reading(self, series: int) -> Iterator[Tables]:
        with self._database.reading() as db:
            yield SqliteTables(db, series)

    def write(
        self,
        series: Series,
        terms: Terms,
        now: float,
        job: Callable[[Tables], Receipt],
        stage: Stage | None = None,
    ) -> Receipt:
        """What is staged is stored already."""
        return self.write_to(series, terms, now, job, amends=False)

    def write_to(
        self,
        series: Series,
        terms: Terms,
        now: float,
        job: Callable[[Tables], Receipt],
        *,
        amends: bool,
    ) -> Receipt:
        """The same; it ``amends`` what is kept as Known, or not."""

        def whole(db: sqlite3.Connection) -> Receipt:
            return on_terms(SqliteTables(db, series.key), terms, job)

        return self.commit(scope_of(series), terms, now, whole, amends=amends)

    def commit(
        self,
        scope: Scope,
        terms: Terms,
        now: float,
        job: Callable[[sqlite3.Connection], Receipt],
        *,
        amends: bool,
    ) -> Receipt:
        """A write of any kind, done once for its key. Raises what the job does, Reused."""
        return self._database.write(self._writer.keyed(scope, terms, now, job), amends=amends)

    def add(
        self, series: Series, point: Point, now: float, terms: Terms, most: int
    ) -> Receipt | None:
        """Each statement is a call of a function, so no way is shorter."""
        return None

    def once(self, scope: Scope, terms: Terms, now: float, do: Callable[[], Receipt]) -> Receipt:
        return self._writer.once(scope, terms, now, do)

    def receipt(self, scope: Scope, key: str, now: float) -> Receipt:
        """Raises Missing."""
        return self._writer.receipt(scope, key, now)

    def stage(self) -> Stage:
        return SqliteStage(self._database)

    def latest(self, series: Series) -> Point | None:
        return point(self._database.row(LATEST, (series.key,)))

    def sweep(self) -> None:
        sweep(self._database)
