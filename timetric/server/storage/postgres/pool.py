"""Connections to a PostgreSQL server: so many at most, made when they are needed.

Nothing runs beside the threads that ask, so while the server is away each is told at once why,
and the first that asks when it is back is answered.
"""

from __future__ import annotations

import select
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown

from timetric.server.storage import Unavailable
from timetric.server.storage.postgres.faults import told

Connection = psycopg.Connection[tuple[Any, ...]]

#: Seconds, unless the URL says otherwise: to connect, and until a peer that is gone is noticed.
_WAITS = {
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}


class _Text(StrDumperUnknown):
    """PostgreSQL refuses a text with a NUL. Nothing that is stored has one; what is sought may."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


class Pool:
    """Connections in autocommit mode, each used by one thread at a time.

    ``settings`` are the server's, for each session. ``patience`` is how many seconds a thread waits
    for one of the ``most`` that may be open.
    """

    def __init__(
        self, parameters: dict[str, Any], settings: dict[str, str], most: int, patience: float
    ) -> None:
        self._parameters = {**_WAITS, **parameters}
        self._settings = settings
        self._most, self._patience = most, patience
        self._idle: deque[Connection] = deque()
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One for as long as a ``with`` statement; what is not committed by its end is undone.

        Raises Unavailable where none becomes free, or can be made.
        """
        if not self._free.acquire(timeout=self._patience):
            raise Unavailable(f"all {self._most} connections to the database are in use")
        try:  # others wait for it
            db = self._take()
            try:  # it is put back, or closed
                yield db
            finally:
                self._put_back(db)
        finally:
            self._free.release()

    def forget(self) -> None:
        """Close those that are idle: where one is lost, so are mostly the others."""
        with suppress(IndexError):  # until none is left
            while True:
                self._idle.pop().close()

    def _take(self) -> Connection:
        with suppress(IndexError):  # all are in use
            while True:
                db = self._idle.pop()  # the one used last; its caches are warm
                if not _has_ended(db):
                    return db
                db.close()
        return self._connect()

    def _put_back(self, db: Connection) -> None:
        status = db.info.transaction_status
        if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with suppress(psycopg.Error):  # then it is lost, which shows in its status
                db.execute("ROLLBACK")
            status = db.info.transaction_status
        if status is TransactionStatus.IDLE:
            self._idle.append(db)
            return
        db.close()
        if status is TransactionStatus.UNKNOWN:
            self.forget()

    def _connect(self) -> Connection:
        with told():
            db = psycopg.connect(**self._parameters, autocommit=True)
            db.adapters.register_dumper(str, _Text)
            each = ", ".join(["set_config(%s, %s, false)"] * len(self._settings))
            db.execute(f"SELECT {each}", list(chain(*self._settings.items())))
        return db


def _has_ended(db: Connection) -> bool:
    """Whether the server has said something to an idle connection: that it goes away, mostly."""
    heard = select.poll()
    heard.register(db.fileno(), select.POLLIN)
    return bool(heard.poll(0))
