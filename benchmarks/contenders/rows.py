"""The floor: one row a point in an SQLite table, in this process, without any HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.contenders import Running
from benchmarks.points import Points, seconds_csv

TABLE = "CREATE TABLE points (series TEXT, t REAL, v REAL, PRIMARY KEY (series, t)) WITHOUT ROWID"
PUT = "INSERT OR REPLACE INTO points VALUES (?, ?, ?)"


class RowsSession:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def bodies(self, series: str, points: Points) -> list[bytes]:
        return [seconds_csv(points)]

    def store(self, series: str, bodies: list[bytes]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for body in bodies:
            rows = (line.split(b",") for line in body.splitlines())
            self._db.executemany(PUT, ((series, float(t), float(v)) for t, v in rows))
        self._db.execute("COMMIT")

    def write(self, series: str, t: float, v: float) -> None:
        self._db.execute(PUT, (series, t, v))

    def latest(self, series: str, t: float) -> bytes:
        query = "SELECT t, v FROM points WHERE series = ? ORDER BY t DESC LIMIT 1"
        return repr(self._db.execute(query, (series,)).fetchone()).encode()

    def read(self, series: str, start: float, end: float) -> bytes:
        query = "SELECT t, v FROM points WHERE series = ? AND t >= ? AND t < ? ORDER BY t"
        rows = self._db.execute(query, (series, start, end))
        return "".join(f"{t!r},{v!r}\n" for t, v in rows).encode()

    def read_all(self, series: str) -> bytes:
        return self.read(series, -1e300, 1e300)

    def means(self, series: str, start: float, end: float, width: int) -> int:
        query = (
            "SELECT CAST(t / ?1 AS INTEGER), avg(v) FROM points"
            " WHERE series = ?2 AND t >= ?3 AND t < ?4 GROUP BY 1 ORDER BY 1"
        )
        return len(self._db.execute(query, (width, series, start, end)).fetchall())

    def rows(self, csv: bytes) -> int:
        return csv.count(b"\n")

    def tuples(self, series: str) -> Iterator[tuple[float, float]]:
        query = "SELECT t, v FROM points WHERE series = ? ORDER BY t"
        return iter(self._db.execute(query, (series,)))

    def settle(self) -> None:
        """Nothing to wait for: what is committed can be read."""


class Rows:
    name = "plain rows"
    takes_much = False  # it would take minutes, and the smaller sizes tell enough
    keeps_here = True
    remark = (
        "the floor: an SQLite table of one row a point, synced at each commit, called within the "
        "measuring process; no HTTP, no users, no words among the values"
    )

    def is_installed(self) -> bool:
        return True

    @contextmanager
    def running(self, directory: Path) -> Iterator[Running]:
        path = directory / "rows.sqlite3"
        with sqlite3.connect(path) as db:
            db.execute(TABLE)
        yield Running(self.name, partial(RowsSession, path))
        with sqlite3.connect(path) as db:  # else its log would count as well on the disk
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
