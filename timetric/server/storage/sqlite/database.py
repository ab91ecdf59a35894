"""A SQLite file: its connections, transactions and group commit. No series in here."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from timetric.server.storage import Damaged, Full, StorageError, Unavailable
from timetric.server.storage.sqlite.epoch import Epoch

T = TypeVar("T")

_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}
_MOST_AT_ONCE = 500  # writes a commit

#: What SQLite says, and what it means to us. (Python 3.10 gives no error codes.)
_FAULTS: dict[str, type[StorageError]] = {
    "database or disk is full": Full,
    "attempt to write a readonly database": Unavailable,
    "unable to open database file": Unavailable,
    "disk I/O error": Unavailable,
    "database is locked": Unavailable,
    "database disk image is malformed": Damaged,
    "file is not a database": Damaged,
}


class Write:
    """A write that waits for its turn to be committed, alone or with others."""

    def __init__(self, job: Callable[[sqlite3.Connection], Any], *, amends: bool) -> None:
        self.job = job
        self.amends = amends
        self.result: Any = None
        self.error: StorageError | None = None
        self.done = False
        self.by_itself = False  # since a commit with others failed
        # Let go when it is done, or its turn to commit for all; cheaper than an Event.
        self.called = threading.Lock()
        self.called.acquire()


class Lease:
    """A connection for as long as a ``with`` statement, in which SQLite's faults become ours."""

    def __init__(self, idle: deque[sqlite3.Connection], connect: Callable[[], sqlite3.Connection]):
        self._idle = idle
        try:
            self._db = idle.pop()
        except IndexError:  # all are in use
            self._db = connect()

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._idle.append(self._db)
            return
        self._db.close()  # after an error it is not used again
        _tell(error)


class Database:
    """One SQLite file, in WAL mode. With "full" durability a commit is on the disk when it returns.

    Writers queue: whoever finds nobody committing commits, for all who wait by then, in one
    transaction. Between processes a lock on a file comes first, since SQLite's own waiting is
    a sleep that can starve a writer.
    """

    def __init__(self, path: Path, durability: str = "full") -> None:
        self.path = path
        self._synchronous = _SYNCHRONOUS[durability]
        self._idle: deque[sqlite3.Connection] = deque()
        self._looking_up = threading.Lock()
        self._mutex = threading.Lock()
        self._waiting: list[Write] = []
        self._committing = False
        self._lock = _lock_file(path.with_suffix(".lock"))  # held while one commits,
        self._open = _lock_file(path.with_suffix(".open"))  # and while one is there
        with self._alone():
            self.epoch = Epoch(self._lock)

    def if_alone(self, job: Callable[[], None]) -> None:
        """Do this, unless another process has the store open; none can open it meanwhile."""
        try:
            fcntl.flock(self._open, fcntl.LOCK_EX | fcntl.LOCK_NB)
            job()
        except BlockingIOError:  # somebody has
            pass
        finally:
            fcntl.flock(self._open, fcntl.LOCK_SH)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A short transaction that sees one state; never held while a network peer is slow."""
        with self._lease() as db:
            db.execute("BEGIN")
            try:  # ends whatever happens, or the connection would keep the old state
                yield db
            finally:
                db.rollback()

    def row(self, statement: str, parameters: tuple[object, ...]) -> Any:
        """The first row of one statement, which sees one state by itself; None without one.

        For a look-up by key. One goes at a time: each call of SQLite's lets go of the
        interpreter's lock, and threads that fight for it there take twice as long.
        """
        with self._looking_up, self._lease() as db:
            return db.execute(statement, parameters).fetchone()

    def rows(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        """All rows of one statement, which sees one state by itself."""
        with self._lease() as db:
            return db.execute(statement, parameters).fetchall()

    def note(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """A write that amends nothing that is kept as Known."""
        return self.write(job, amends=False)

    def write(self, job: Callable[[sqlite3.Connection], T], *, amends: bool = True) -> T:
        """Run ``job`` in a transaction that is alone with the store, and commit it.

        What it raises is raised here, and nothing of it has been stored. It ``amends`` unless it
        leaves alone all that is kept as Known.
        """
        write = Write(job, amends=amends)
        with self._mutex:
            self._waiting.append(write)
            leads, self._committing = not self._committing, True
        if not leads:
            write.called.acquire()
        if not write.done:
            self._commit_waiting()
        if write.error is not None:
            raise write.error
        result: T = write.result
        return result

    def backup(self, path: Path) -> None:
        """A consistent copy as a new file, page by page, while others go on writing."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StorageError(f"can't make the file {path}: {error.strerror}") from error
        with ExitStack() as undo, _told():
            undo.callback(path.unlink)
            with self._lease() as db, closing(sqlite3.connect(path)) as copy:
                db.backup(copy)
            undo.pop_all()

    def close(self) -> None:
        """Close the connections nobody is using."""
        while self._idle:
            self._idle.pop().close()
        os.close(self._lock)
        os.close(self._open)

    def _commit_waiting(self) -> None:
        """Commit the write that is first in the queue, this thread's, and those behind it."""
        with self._mutex:
            most = 1 if self._waiting[0].by_itself else _MOST_AT_ONCE
            batch, self._waiting = self._waiting[:most], self._waiting[most:]
        try:  # whatever happens, nobody is left waiting
            self._commit(batch)
        finally:
            self._hand_on(batch)

    def _commit(self, batch: list[Write]) -> None:
        try:
            self._store(batch)
        except (StorageError, sqlite3.Error, OSError):  # whose fault it was shows one by one
            if len(batch) == 1:
                raise
            self._store(batch[:1])

    def _store(self, batch: list[Write]) -> None:
        with self._alone(), self._lease() as db:
            db.execute("BEGIN IMMEDIATE")
            amends = any(write.amends for write in batch)
            with self.epoch.changing() if amends else nullcontext(), db:
                for write in batch:
                    _run(db, write)
        for write in batch:
            write.done = True

    def _hand_on(self, batch: list[Write]) -> None:
        """Call those who are done, and whose turn it is; what failed with others comes first."""
        again = [write for write in batch[1:] if not write.done]
        for write in again:
            write.by_itself = True
        with self._mutex:
            self._waiting[:0] = again
            successors = self._waiting[:1]
            self._committing = bool(successors)
        for write in [write for write in batch if write.done] + successors:
            write.called.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:  # others wait for it
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _lease(self) -> Lease:
        return Lease(self._idle, self._connect)

    def _connect(self) -> sqlite3.Connection:
        with _told():
            db = sqlite3.connect(
                self.path, timeout=60, isolation_level=None, check_same_thread=False
            )
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA cache_size = -4096")  # KiB, for each connection
            db.execute(f"PRAGMA journal_size_limit = {16 << 20}")
            # Debian's SQLite would write all that is cleared over with zeros, through the journal
            db.execute("PRAGMA secure_delete = FAST")
        return db


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def create_file(directory: Path) -> Path:
    """The path of a directory's store; the directory is made 0700, the file 0600, where missing."""
    path = directory / "timetric.sqlite3"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(
            f"can't write to the data directory {directory} ({error.strerror}); "
            "give another one with --data, or the rights to this one"
        ) from error
    return path


def _run(db: sqlite3.Connection, write: Write) -> None:
    """One write, perhaps of several in a transaction.

    One that refuses before it has changed anything hinders no other; so no savepoint is needed.
    """
    write.error = None
    before = db.total_changes
    try:
        write.result = write.job(db)
    except StorageError as error:
        if db.total_changes != before:  # all are undone, and done again one by one
            raise
        write.error = error


@contextmanager
def _told() -> Iterator[None]:
    """SQLite's own errors as ours, where they are the machine's fault and not a bug."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        _tell(error)
        raise


def _tell(error: BaseException) -> None:
    """Raise ours in place of an error of SQLite's that is the machine's fault."""
    if isinstance(error, sqlite3.DatabaseError) and str(error) in _FAULTS:
        raise _FAULTS[str(error)](f"the store can't be used: {error}") from error
