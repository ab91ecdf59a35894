"""The bytes of blocks, apart from what describes them; and those that are loose, in no block.

A large write stores its bytes in small transactions, ahead of the one that puts them into blocks,
so that others wait for it no longer than for a small write. Until then it claims them. What
nobody claims, such as the bytes of blocks that were replaced, is swept away, in small
transactions too; after a crash by whoever next has the store to themself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from timetric.server.blocks import Block
from timetric.server.storage.errors import StorageError
from timetric.server.storage.parcel import BATCH
from timetric.server.storage.sqlite.database import Database
from timetric.server.storage.stage import Stage


def put(db: sqlite3.Connection, blocks: Iterable[Block]) -> list[int]:
    """Store the bytes of blocks; their keys."""
    statement = "INSERT INTO bodies(times, vals) VALUES (?, ?)"
    return [db.execute(statement, (block.times, block.values)).lastrowid or 0 for block in blocks]


def drop(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    db.executemany("DELETE FROM bodies WHERE key = ?", ((key,) for key in keys))


def put_claimed(db: sqlite3.Connection, blocks: Iterable[Block]) -> list[int]:
    """Store bytes that are in no block yet."""
    keys = put(db, blocks)
    db.executemany("INSERT INTO loose(key, claimed) VALUES (?, 1)", ((key,) for key in keys))
    return keys


def adopt(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    """These are in a block now."""
    db.executemany("DELETE FROM loose WHERE key = ?", ((key,) for key in keys))


def abandon(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    """These are in no block any more."""
    db.executemany("INSERT INTO loose(key, claimed) VALUES (?, 0)", ((key,) for key in keys))


def release(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Claim these no longer, as far as they are loose still."""
    db.executemany("UPDATE loose SET claimed = 0 WHERE key = ?", ((key,) for key in keys))


def sweep(database: Database) -> None:
    """Take away what is loose and nobody claims.

    The write that left it there is stored by now, so it must not seem to have failed where this
    can't be done: such as on a full disk. The next who sweeps takes it along.
    """
    with suppress(StorageError):
        while database.row("SELECT 1 FROM loose WHERE claimed = 0 LIMIT 1", ()):
            database.write(sweep_some, amends=False)


def clean(database: Database) -> None:
    """Sweep all that is loose. Nobody else is there, so whoever claimed any of it has crashed."""
    if database.row("SELECT 1 FROM loose LIMIT 1", ()):
        database.write(lambda db: db.execute("UPDATE loose SET claimed = 0"))
        sweep(database)


def sweep_some(db: sqlite3.Connection) -> None:
    """As many as others can wait for."""
    rows = db.execute("SELECT key FROM loose WHERE claimed = 0 LIMIT ?", (BATCH,)).fetchall()
    keys = [key for (key,) in rows]
    drop(db, keys)
    adopt(db, keys)


class SqliteStage(Stage):
    """Stores bytes in small transactions, and claims them."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._keys: list[int] = []

    def __exit__(self, *_: object) -> None:
        """Release what was not put into blocks, and sweep.

        Where that can't be done it is left for the next start, since the write itself is done.
        """
        with suppress(StorageError):
            self._database.write(lambda db: release(db, self._keys), amends=False)
        sweep(self._database)

    def _store(self, blocks: list[Block]) -> list[int]:
        keys = self._database.write(lambda db: put_claimed(db, blocks), amends=False)
        self._keys += keys
        return keys
