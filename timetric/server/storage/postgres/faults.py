"""What PostgreSQL says is wrong, and what it means to us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from timetric.server.storage import Damaged, Full, StorageError, Unavailable

#: By SQLSTATE, or the two characters of its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_FAULTS: dict[str, type[StorageError]] = {
    "08": Unavailable,  # the connection broke, or none came about
    "25006": Unavailable,  # only for reading: a standby
    "25P03": Unavailable,  # a transaction that nobody went on with
    "25P04": Unavailable,
    "28": Unavailable,  # not let in
    "3D000": Unavailable,  # no such database
    "40": Unavailable,  # others were faster, again and again
    "53": Unavailable,  # too little memory, too many connections
    "53100": Full,
    "55P03": Unavailable,  # waited too long for a lock
    "57": Unavailable,  # it shuts down, starts up, or ended a statement that took too long
    "58": Unavailable,  # the server's system fails it
    "XX001": Damaged,
    "XX002": Damaged,
}

#: Others' writes came in between; what was done is undone, and may be done again. The last is of a
#: row that one refers to while the other takes it away.
_AGAIN = ("40001", "40P01", "23503")


def fault(error: psycopg.Error) -> StorageError | None:
    """An error of the machine's as ours; None where it is a bug. Its text holds no row's values."""
    state = error.sqlstate
    if state is None:  # psycopg's own, where the server can't be reached or went away
        lost = isinstance(error, psycopg.OperationalError)
        return Unavailable(_told("the database can't be reached", error)) if lost else None
    kind = _FAULTS.get(state) or _FAULTS.get(state[:2])
    return None if kind is None else kind(_told("the database can't be used", error))


def may_go_better(error: psycopg.Error) -> bool:
    """Whether the same transaction may succeed where it failed."""
    return error.sqlstate in _AGAIN


@contextmanager
def told() -> Iterator[None]:
    """PostgreSQL's errors as ours, where they are the machine's fault and not a bug."""
    try:
        yield
    except psycopg.Error as error:
        found = fault(error)
        if found is None:
            raise
        raise found from error


def _told(what: str, error: psycopg.Error) -> str:
    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return f"{what}: {said}" if said else what
