"""The rows of series in PostgreSQL, as the logic of histories wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timetric.points import Point
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import Series
from timetric.server.storage.engine import Scope, scope_of
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.bodies import PostgresStage
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.receipts import PostgresMakings, PostgresReceipts, key_of
from timetric.server.storage.postgres.tables import PostgresTables, point
from timetric.server.storage.stage import Stage
from timetric.server.storage.tables import Tables
from timetric.server.storage.writer import Writer, on_terms


class PostgresEngine:
    """The Engine of one PostgreSQL database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._receipts = PostgresReceipts(database)
        self._writes: Writer[PostgresTables] = Writer(self._receipts)
        self._makings: Writer[PostgresTables] = Writer(PostgresMakings(database))

    @contextmanager
    def reading(self, series: int) -> Iterator[Tables]:
        with self._database.reading() as db:
            yield PostgresTables(db, series)

    def write(
        self,
        series: Series,
        terms: Terms,
        now: float,
        job: Callable[[Tables], Receipt],
        stage: Stage | None = None,
    ) -> Receipt:
        def whole(rows: PostgresTables) -> Receipt:
            return on_terms(rows, terms, job)

        return self.commit(scope_of(series), series.id, terms, now, whole, stage)

    def commit(
        self,
        scope: Scope,
        id: str,
        terms: Terms,
        now: float,
        job: Callable[[PostgresTables], Receipt],
        stage: Stage | None = None,
    ) -> Receipt:
        """A write of any kind to the series with this ID, done once for its key.

        Raises what the job does, Reused.
        """
        keyed = self._writer(scope).keyed(scope, terms, now, job)
        series = key_of(id)

        def whole(rows: PostgresTables) -> Receipt:
            if not isinstance(stage, PostgresStage):
                return keyed(rows)
            stage.put(rows)
            receipt = keyed(rows)
            stage.clear(rows)
            return receipt

        return self._database.write(lambda db: whole(PostgresTables(db, series, writes=True)))

    def add(
        self, series: Series, point: Point, now: float, terms: Terms, most: int
    ) -> Receipt | None:
        return self._receipts.add(series, point, now, terms, most)

    def once(self, scope: Scope, terms: Terms, now: float, do: Callable[[], Receipt]) -> Receipt:
        return self._writer(scope).once(scope, terms, now, do)

    def receipt(self, scope: Scope, key: str, now: float) -> Receipt:
        """Raises Missing."""
        return self._writer(scope).receipt(scope, key, now)

    def stage(self) -> Stage:
        return PostgresStage(self._database)

    def latest(self, series: Series) -> Point | None:
        return point(self._database.row(sql.LATEST, {"series": series.key}))

    def sweep(self) -> None:
        """Nothing is left over: bytes go in and out with their blocks."""

    def _writer(self, scope: Scope) -> Writer[PostgresTables]:
        return self._writes if scope[1] else self._makings
