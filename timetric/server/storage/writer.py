"""Writes on their terms: done once for a key, only to a version that is asked for, or only tried.

What a key's write did is remembered in the write's own transaction. So a repeat finds it, whichever
process it comes to, and whatever became of the first one's reply.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import Busy, Changed, Missing, Reused
from timetric.server.storage.engine import Scope
from timetric.server.storage.tables import Tables

_DAY = 86400.0
#: Seconds that a receipt is remembered.
KEPT = 30 * _DAY
_PATIENCE = 10.0  # seconds that a repeat waits for the first

#: What a store keeps of a key's write: a digest of what it means, and its receipt as text.
Stored = tuple[bytes, str]

#: A transaction of an engine's.
Tx = TypeVar("Tx")
ReadTx = TypeVar("ReadTx", contravariant=True)


class Receipts(Protocol[ReadTx]):
    """Where an engine keeps receipts. ``now`` is when they are asked for; expired ones are gone."""

    def find(self, scope: Scope, key: str, now: float) -> Stored | None:
        """What is kept under a key, outside of any transaction."""

    def claim(self, db: ReadTx, scope: Scope, key: str, now: float) -> Stored | None:
        """The same within a write; where there is nothing, no other write comes by it now."""

    def keep(self, db: ReadTx, scope: Scope, key: str, stored: Stored, now: float) -> None:
        """Keep a receipt for 30 days."""


class Writer(Generic[Tx]):
    """Gives writes of one engine their keys."""

    def __init__(self, receipts: Receipts[Tx]) -> None:
        self._receipts = receipts
        self._turns = Turns()

    def keyed(
        self, scope: Scope, terms: Terms, now: float, job: Callable[[Tx], Receipt]
    ) -> Callable[[Tx], Receipt]:
        """The job, which finds the receipt of the first write with its key. Raises Reused."""
        if terms.key is None:
            return job
        key = terms.key

        def once(db: Tx) -> Receipt:
            stored = self._receipts.claim(db, scope, key.text, now)
            if stored is not None:
                return _of(stored, key)
            receipt = job(db)
            if not terms.dry_run:
                self._receipts.keep(db, scope, key.text, (key.meaning, json.dumps(receipt)), now)
            return receipt

        return once

    def once(self, scope: Scope, terms: Terms, now: float, do: Callable[[], Receipt]) -> Receipt:
        """Do what takes long, unless it was done with this key; a repeat waits for the first.

        Raises Busy where that takes too long, Reused.
        """
        if terms.key is None:
            return do()
        with self._turns.turn((*scope, terms.key.text)):
            stored = self._receipts.find(scope, terms.key.text, now)
            return do() if stored is None else _of(stored, terms.key)

    def receipt(self, scope: Scope, key: str, now: float) -> Receipt:
        """Raises Missing."""
        stored = self._receipts.find(scope, key, now)
        if stored is None:
            raise Missing("no write with this key is stored")
        return _receipt(stored[1])


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


def on_terms(rows: Tables, terms: Terms, job: Callable[[Tables], Receipt]) -> Receipt:
    """Do a job if the series is of the version that is asked for. Raises Changed, Missing."""
    if terms.versions is not None:
        check(rows, terms)
    if not terms.dry_run:
        return job(rows)
    with rows.tried():
        receipt = job(rows)
    return receipt._replace(version=rows.state().version)


def check(rows: Tables, terms: Terms) -> None:
    """Raises Changed where the series is of none of the versions that are asked for, Missing."""
    state = rows.state()
    if terms.versions is not None and (state.version, state.generation) not in terms.versions:
        raise Changed(f"the series has changed: its version is {state.version} now")


def _of(stored: Stored, key: Key) -> Receipt:
    """The receipt of the first write with a key. Raises Reused."""
    meaning, receipt = stored
    if meaning != key.meaning:
        raise Reused("the Idempotency-Key belongs to another write")
    return _receipt(receipt)


def _receipt(text: str) -> Receipt:
    *counts, point, made = json.loads(text)
    return Receipt(*counts)._replace(point=point and tuple(point), made=made)
