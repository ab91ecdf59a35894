"""Writes on their terms: done once for a key, only to a version that is asked for, or only tried.

What a key's write did is remembered in the write's own transaction. So a repeat finds it, whichever
process it comes to, and whatever became of the first one's reply.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import Busy, Changed, Missing, Reused, Series
from timetric.server.storage.database import Database
from timetric.server.storage.tables import Tables

_DAY = 86400.0
_KEPT = 30 * _DAY  # seconds that a receipt is remembered
_AT_ONCE = 10  # expired ones that go with each new one
_PATIENCE = 10.0  # seconds that a repeat waits for the first

_FIND = """SELECT meaning, receipt FROM receipts
    WHERE owner = ? AND series = ? AND key = ? AND expires > ?"""


#: Where a key belongs to: a user, and the ID of a series, or "" where series are made.
Scope = tuple[int, str]


def scope_of(series: Series) -> Scope:
    """That of writes to a series."""
    return series.owner.key, series.id


class Writer:
    """Commits the writes of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Turns()

    def write(
        self,
        scope: Scope,
        terms: Terms,
        now: float,
        job: Callable[[sqlite3.Connection], Receipt],
        *,
        amends: bool = False,
    ) -> Receipt:
        """The job's receipt, or that of the first write with this key. Raises Reused."""
        if terms.key is None:
            return self._database.write(job, amends=amends)
        key = terms.key

        def once(db: sqlite3.Connection) -> Receipt:
            row = db.execute(_FIND, (*scope, key.text, now)).fetchone()
            if row is not None:
                return _of(row, key)
            receipt = job(db)
            if not terms.dry_run:
                _remember(db, scope, key, receipt, now)
            return receipt

        return self._database.write(once, amends=amends)

    def once(self, scope: Scope, terms: Terms, now: float, do: Callable[[], Receipt]) -> Receipt:
        """Do what takes long, unless it was done with this key; a repeat waits for the first.

        Raises Busy where that takes too long, Reused.
        """
        if terms.key is None:
            return do()
        with self._turns.turn((*scope, terms.key.text)):
            row = self._database.row(_FIND, (*scope, terms.key.text, now))
            return do() if row is None else _of(row, terms.key)

    def receipt(self, scope: Scope, key: str, now: float) -> Receipt:
        """Raises Missing."""
        row = self._database.row(_FIND, (*scope, key, now))
        if row is None:
            raise Missing("no write with this key is stored")
        return _receipt(row[1])


class Turns:
    """Lets one thread at a time do what has one name."""

    def __init__(self) -> None:
        self._taken: set[tuple[object, ...]] = set()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, name: tuple[object, ...]) -> Iterator[None]:
        """Raises Busy."""
        with self._changed:
            if not self._changed.wait_for(lambda: name not in self._taken, _PATIENCE):
                raise Busy("the first write with this Idempotency-Key is still under way")
            self._taken.add(name)
        try:  # others wait for it
            yield
        finally:
            with self._changed:
                self._taken.remove(name)
                self._changed.notify_all()


def on_terms(
    db: sqlite3.Connection, series: int, terms: Terms, job: Callable[[Tables], Receipt]
) -> Receipt:
    """Do a job if the series is of the version that is asked for. Raises Changed, Missing."""
    rows = Tables(db, series)
    if terms.versions is not None:
        check(rows, terms)
    if not terms.dry_run:
        return job(rows)
    db.execute("SAVEPOINT tried")
    try:  # whatever comes of it, it is undone
        receipt = job(rows)
    finally:
        db.execute("ROLLBACK TO tried")
        db.execute("RELEASE tried")
    return receipt._replace(version=rows.state().version)


def check(rows: Tables, terms: Terms) -> None:
    """Raises Changed where the series is of none of the versions that are asked for, Missing."""
    state = rows.state()
    if terms.versions is not None and (state.version, state.generation) not in terms.versions:
        raise Changed(f"the series has changed: its version is {state.version} now")


def _remember(db: sqlite3.Connection, scope: Scope, key: Key, receipt: Receipt, now: float) -> None:
    db.execute(
        "DELETE FROM receipts WHERE (owner, series, key) IN"
        " (SELECT owner, series, key FROM receipts WHERE expires <= ? ORDER BY expires LIMIT ?)",
        (now, _AT_ONCE),
    )
    db.execute(
        "INSERT OR REPLACE INTO receipts(owner, series, key, meaning, receipt, expires)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*scope, key.text, key.meaning, json.dumps(receipt), now + _KEPT),
    )


def _of(row: tuple[bytes, str], key: Key) -> Receipt:
    """The receipt of the first write with a key. Raises Reused."""
    meaning, receipt = row
    if meaning != key.meaning:
        raise Reused("the Idempotency-Key belongs to another write")
    return _receipt(receipt)


def _receipt(text: str) -> Receipt:
    *counts, point, made = json.loads(text)
    return Receipt(*counts)._replace(point=point and tuple(point), made=made)
