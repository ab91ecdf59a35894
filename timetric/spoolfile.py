"""The file of a spool: writes on the disk in the order in which they were queued, by SQLite.

Threads and processes may share a file. What is added is on the disk when the call returns. Beside
the file lies another, ``.lock``, which is held by whoever sends; the system lets go of it when that
process ends, however it ends.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from timetric.exceptions import SpoolError, SpoolFull
from timetric.write import Write

_APPLICATION = 0x5453706C  # "TSpl": how one file of ours is told from another's database

#: What a write takes besides its body, in bytes, roughly.
_OVERHEAD = 256

_WAIT = 10  # seconds for another process's transaction, which takes some milliseconds

_SCHEMA = (
    f"PRAGMA application_id = {_APPLICATION}",
    "CREATE TABLE spool (url TEXT NOT NULL, stamp REAL NOT NULL, bytes INTEGER NOT NULL)",
    """CREATE TABLE write (
        place INTEGER PRIMARY KEY,
        queued REAL NOT NULL,
        parked TEXT,
        key TEXT NOT NULL UNIQUE,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        content_type TEXT,
        body BLOB NOT NULL
    )""",
    "CREATE INDEX waiting ON write (place) WHERE parked IS NULL",
    f"""CREATE TRIGGER came AFTER INSERT ON write
        BEGIN UPDATE spool SET bytes = bytes + {_OVERHEAD} + length(new.body); END""",
    f"""CREATE TRIGGER went AFTER DELETE ON write
        BEGIN UPDATE spool SET bytes = bytes - {_OVERHEAD} - length(old.body); END""",
)
_ADD = "INSERT INTO write (queued, key, method, path, content_type, body) VALUES (?, ?, ?, ?, ?, ?)"
_WAITING = "SELECT count(*) FROM write WHERE parked IS NULL"
_SELECT = "SELECT queued, parked, key, method, path, content_type, body FROM write"
_REQUEUE = """UPDATE write
    SET parked = NULL, queued = ?, place = (SELECT max(place) + 1 FROM write)
    WHERE key = ? AND parked IS NOT NULL"""


class Kept(NamedTuple):
    """A write in the file, ``queued`` at a time in Unix seconds.

    ``reason`` is why it is parked; empty while it waits.
    """

    write: Write
    queued: float
    reason: str


class _Opened(NamedTuple):
    process: int
    lock: threading.Lock
    db: sqlite3.Connection


#: Connections of a process that has forked: closed here, they would pull the file away from it.
_inherited: list[_Opened] = []


class SpoolFile:
    """The writes for the service at ``url``. Every method raises SpoolError where the file fails.

    Raises SpoolError too for a file that is none of ours, or for another service.
    """

    def __init__(self, path: str, url: str) -> None:
        self.path = path
        with self._told():
            _create(path)
            self._opened = self._open()
        try:
            self._prepare(url)
        except SpoolError:  # nobody gets this to close it
            self.close()
            raise

    def close(self) -> None:
        if self._opened.process == os.getpid():
            self._opened.db.close()

    def add(self, write: Write, now: float, most: int) -> None:
        """Keep a write, queued ``now`` (Unix seconds).

        Raises SpoolFull, with nothing kept, where the file would hold more than ``most`` bytes.
        """
        with self._transaction() as db:
            self._insert(db, write, now, most)

    def add_stamped(self, make: Callable[[float], Write], now: float, most: int) -> None:
        """The same, of the write that ``make`` makes of the moment in which it is queued.

        That is ``now``, or just after the last such moment where the clock stands still.
        """
        with self._transaction() as db:
            [last] = db.execute("SELECT stamp FROM spool").fetchone()
            stamp = _later(now, last)
            self._insert(db, make(stamp), stamp, most)
            db.execute("UPDATE spool SET stamp = ?", (stamp,))

    def _insert(self, db: sqlite3.Connection, write: Write, queued: float, most: int) -> None:
        assert isinstance(write.body, bytes), "a file would be gone when it is sent"
        [size] = db.execute("SELECT bytes FROM spool").fetchone()
        if size + _OVERHEAD + len(write.body) > most:
            raise SpoolFull(self._told_full(db, most))
        row = (queued, write.key, write.method, write.path, write.content_type, write.body)
        db.execute(_ADD, row)

    def first(self) -> Kept | None:
        """The one that waits for the longest time."""
        found = self._select("WHERE parked IS NULL ORDER BY place LIMIT 1")
        return found[0] if found else None

    def pending(self) -> int:
        """How many wait."""
        with self._reading() as db:
            return int(db.execute(_WAITING).fetchone()[0])

    def parked(self) -> list[Kept]:
        """Those that wait no more, in their order."""
        return self._select("WHERE parked IS NOT NULL ORDER BY place")

    def remove(self, key: str) -> None:
        """Not by force onto the disk: what a power cut brings back is known by its key."""
        with self._transaction("NORMAL") as db:
            db.execute("DELETE FROM write WHERE key = ?", (key,))

    def discard(self, key: str) -> None:
        """Remove it if it is parked."""
        with self._transaction() as db:
            db.execute("DELETE FROM write WHERE key = ? AND parked IS NOT NULL", (key,))

    def park(self, key: str, reason: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE write SET parked = ? WHERE key = ?", (reason, key))

    def requeue(self, key: str, now: float) -> None:
        """Put a parked one behind those that wait, as if it was queued now."""
        with self._transaction() as db:
            db.execute(_REQUEUE, (now, key))

    @contextmanager
    def turn(self, wait: float) -> Iterator[bool]:
        """Be the one who sends, after ``wait`` seconds at the most; False where another still is.

        The lock is a transaction on a file that stays empty: one that SQLite has on any system.
        """
        path = f"{self.path}.lock"
        with self._told():
            _create(path)
            lock = _connected(path, wait)
        with closing(lock):
            yield self._took(lock)

    def _took(self, lock: sqlite3.Connection) -> bool:
        with self._told():
            try:
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:  # another sends
                if "locked" not in str(error):
                    raise
                return False
        return True

    def _prepare(self, url: str) -> None:
        """Make the tables in a new file, and look whose an old one is."""
        if not self._is_ready():
            with self.turn(_WAIT), self._reading() as db:  # alone, or SQLite says that it is locked
                db.execute("PRAGMA journal_mode = WAL")
        with self._transaction() as db:
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute("INSERT INTO spool VALUES (?, 0, 0)", (url,))
            if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise SpoolError(f"{self.path} is no spool, but another program's database")
            [its] = db.execute("SELECT url FROM spool").fetchone()
        if its != url:
            raise SpoolError(
                f"the spool {self.path} holds writes for {its}, and none for {url}; "
                "give each service a spool of its own"
            )

    def _is_ready(self) -> bool:
        with self._reading() as db:
            mode: str = db.execute("PRAGMA journal_mode").fetchone()[0]
        return mode == "wal"

    def _select(self, condition: str) -> list[Kept]:
        with self._reading() as db:
            rows = db.execute(f"{_SELECT} {condition}").fetchall()
        return [_kept(*row) for row in rows]

    def _told_full(self, db: sqlite3.Connection, most: int) -> str:
        waiting = db.execute(_WAITING).fetchone()[0]
        parked = db.execute("SELECT count(parked) FROM write").fetchone()[0]
        return (
            f"the spool {self.path} is full: {waiting} writes wait and {parked} are parked, and it "
            f"may have {most} bytes; nothing of this write is kept"
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        opened = self._own()
        with opened.lock, self._told():
            yield opened.db

    @contextmanager
    def _transaction(self, synchronous: str = "FULL") -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute(f"PRAGMA synchronous = {synchronous}")
            db.execute("BEGIN IMMEDIATE")
            try:  # whatever happens, the next one finds no transaction open
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.rollback()

    def _own(self) -> _Opened:
        """This process's: SQLite's connections can't be used on the other side of a fork."""
        if self._opened.process != os.getpid():
            _inherited.append(self._opened)
            with self._told():
                self._opened = self._open()
        return self._opened

    def _open(self) -> _Opened:
        return _Opened(os.getpid(), threading.Lock(), _connected(self.path, _WAIT))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors and the system's as ours, here and nowhere else."""
        try:
            yield
        except sqlite3.Error as error:
            raise SpoolError(f"the spool {self.path} can't be used: {error}") from error
        except OSError as error:
            raise SpoolError(f"the spool {self.path} can't be used: {error.strerror}") from error


def _create(path: str) -> None:
    """An empty file of mode 0600, where there is none."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:  # opened and closed here, it would lose the locks that SQLite has on it
        return


def _connected(path: str, wait: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)


def _later(now: float, last: float) -> float:
    """``now``, or just after the last moment where the clock has stood still, or a little back."""
    return math.nextafter(last, math.inf) if last - 1 < now <= last else now


def _kept(
    queued: float,
    parked: str | None,
    key: str,
    method: str,
    path: str,
    content_type: str | None,
    body: bytes,
) -> Kept:
    return Kept(Write(method, path, body, content_type, key), queued, parked or "")
