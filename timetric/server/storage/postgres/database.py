"""A PostgreSQL database: its transactions, tried again where others came in between. No series."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from timetric.server.storage import StorageError
from timetric.server.storage.postgres.faults import fault, may_go_better, told
from timetric.server.storage.postgres.pool import Connection, Pool

T = TypeVar("T")

#: How a transaction begins. "committed" sees what others commit meanwhile; "serial" is as if alone.
_BEGIN = {
    "committed": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "serial": "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "snapshot": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}

#: Whether a commit waits for the disk.
_SYNCHRONOUS = {"full": "on", "normal": "off"}

#: What must not stand in a URL.
_SECRET = {"password", "sslpassword"}

_TRIES = 10  # of a write that others came in between
_PAUSE = 0.005  # seconds, doubled with each try, of which a part is waited
_LONGEST_PAUSE = 0.5


class PostgresDatabase:
    """One database, and at most ``most`` connections to it.

    With "full" durability a commit is on the server's disk when it returns. ``timeout`` is how many
    seconds a statement may take, waiting for locks included; ``patience``, how many a thread waits
    for a connection. Raises StorageError for a URL that can't be read.
    """

    def __init__(
        self,
        url: str,
        durability: str = "full",
        *,
        most: int = 16,
        patience: float = 10.0,
        timeout: float = 30.0,
    ) -> None:
        milliseconds = str(int(timeout * 1000))
        settings = {
            "application_name": "timetric",
            "TimeZone": "UTC",
            "synchronous_commit": _SYNCHRONOUS[durability],
            # plans are kept, and one that was made while a table was small would stay when it isn't
            "enable_seqscan": "off",
            "jit": "off",  # takes longer than any of our statements
            "statement_timeout": milliseconds,
            # or a process that hangs would hold its locks for ever
            "idle_in_transaction_session_timeout": milliseconds,
        }
        self._pool = Pool(_parameters(url), settings, most, patience)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that sees one state; never held while a network peer is slow."""
        with told(), self._begun("snapshot") as db:
            yield db

    def row(self, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
        """The first row of one statement, which sees one state by itself; None without one."""
        with told():
            return self._where_connected(lambda db: db.execute(statement, parameters).fetchone())

    def rows(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """All rows of one statement, likewise."""
        with told():
            return self._where_connected(lambda db: db.execute(statement, parameters).fetchall())

    def write(
        self, job: Callable[[Connection], T], *, isolation: str = "committed", durable: bool = True
    ) -> T:
        """Run ``job`` in a transaction, and commit it.

        What it raises is raised here, and nothing of it has been stored. It may be run several
        times: others run beside it, and what they changed can end it. With "serial" ``isolation``
        the outcome is one of all such jobs done one after the other; with "committed" what must
        not change meanwhile has to be locked by it. Unless it is ``durable`` the commit waits for
        no disk, and may be lost if the server fails within the next second.
        Raises Unavailable; where the connection broke during the commit, it may have been stored.
        """
        return _tried(lambda: self._once(job, isolation, durable))

    def call(self, statement: str, parameters: Sequence[object]) -> Any:
        """The first row of one statement that writes; it is a durable transaction by itself.

        Raises as ``write`` does.
        """

        def once() -> Any:
            with self._pool.connection() as db:
                return db.execute(statement, parameters).fetchone()

        return _tried(once)

    def close(self) -> None:
        """Close the connections that nobody is using."""
        self._pool.forget()

    def _once(self, job: Callable[[Connection], T], isolation: str, durable: bool) -> T:
        with self._begun(isolation) as db:
            if not durable:
                db.execute("SET LOCAL synchronous_commit = off")
            result = job(db)
            db.execute("COMMIT")
        return result

    @contextmanager
    def _begun(self, isolation: str) -> Iterator[Connection]:
        """A connection with a transaction begun, which its pool undoes unless it is committed."""
        with self._pool.connection() as db:
            began = _begins(db, isolation)
            if began:
                yield db
        if not began:  # it was lost while it was idle, and so are the others
            with self._pool.connection() as db:
                db.execute(_BEGIN[isolation])
                yield db

    def _where_connected(self, look: Callable[[Connection], T]) -> T:
        """What a look-up gives; it may be done twice, so a connection that was lost is none."""
        with self._pool.connection() as db:
            try:
                return look(db)
            except psycopg.OperationalError:
                if not db.broken:
                    raise
        with self._pool.connection() as db:
            return look(db)


def _tried(once: Callable[[], T]) -> T:
    """Do a transaction until others no longer come in between."""
    for attempt in range(1, _TRIES + 1):
        try:
            return once()
        except psycopg.Error as error:
            if attempt < _TRIES and may_go_better(error):
                _pause(attempt)
                continue
            _tell(error)
            raise
    raise AssertionError("the last try returns or raises")


def _begins(db: Connection, isolation: str) -> bool:
    """Begin a transaction; False where the connection is lost."""
    try:
        db.execute(_BEGIN[isolation])
    except psycopg.OperationalError:
        if not db.broken:
            raise
    return not db.broken


def _pause(attempt: int) -> None:
    """Let others get ahead; not all of them for the same time."""
    pause = min(_PAUSE * 2**attempt, _LONGEST_PAUSE)
    time.sleep(random.uniform(0, pause))  # noqa: S311  # no secret


def _tell(error: psycopg.Error) -> None:
    """Raise ours in place of an error that is the machine's fault."""
    found = fault(error)
    if found is not None:
        raise found from error


def _parameters(url: str) -> dict[str, Any]:
    """What the URL says. None of these errors repeats it, since it may hold a secret."""
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        text = "that is no URL of PostgreSQL; one is like postgresql://user@host:5432/database"
        raise StorageError(text) from None
    if parameters.keys() & _SECRET:
        raise StorageError(
            "a URL with a password in it is seen by all who list processes; put the password into "
            "the environment variable PGPASSWORD or the file ~/.pgpass"
        )
    return parameters
