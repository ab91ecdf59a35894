"""A SQLite file: its schema, its connections, its transactions. No series in here."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timetric.server.storage import StorageError

#: What makes a store of each version out of the one before it; a new file gets them all.
MIGRATIONS = (
    """
    CREATE TABLE users(
        key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL);
    CREATE TABLE tokens(
        key TEXT PRIMARY KEY, name TEXT NOT NULL, owner INTEGER NOT NULL REFERENCES users,
        digest BLOB NOT NULL, created REAL NOT NULL, UNIQUE(owner, name));
    CREATE TABLE series(
        key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        owner INTEGER NOT NULL REFERENCES users,
        title TEXT NOT NULL, caption TEXT NOT NULL, description TEXT NOT NULL,
        tags TEXT NOT NULL, unit TEXT NOT NULL, source TEXT NOT NULL, source_url TEXT NOT NULL,
        latitude REAL, longitude REAL, public INTEGER NOT NULL,
        created REAL NOT NULL, updated REAL NOT NULL);
    CREATE INDEX series_by_owner ON series(owner);
    -- v has no type, so that SQLite keeps a REAL, NULL or INTEGER 0 or 1 (false, true) as it is
    CREATE TABLE tail(
        series INTEGER NOT NULL, t REAL NOT NULL, v, PRIMARY KEY(series, t)) WITHOUT ROWID;
    """,
)
VERSION = len(MIGRATIONS)

_APPLICATION = 0x74696D65  # "time": tells our files from other SQLite files
_BUSY = 60  # seconds a writer waits for its turn


class Database:
    """One SQLite file, in WAL mode; a commit returns when the data is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: deque[sqlite3.Connection] = deque()
        with self.writing() as db:
            _migrate(db, path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. One statement sees one state; never held while a peer is slow."""
        db = self._take()
        try:  # the connection goes back whatever happens
            yield db
        finally:
            self._idle.append(db)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, alone with the store; committed at the end, rolled back on an error."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db

    def close(self) -> None:
        """Close the connections nobody is using."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:  # all are in use
            return _connect(self.path)


def create_directory(directory: Path) -> Path:
    """The store's directory, made 0700 where it is missing, and its file's path, made 0600."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / "timetric.sqlite3"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(
            f"can't write to the data directory {directory} ({error.strerror}); "
            "give another one with --data, or the rights to this one"
        ) from error
    return path


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -4096")  # KiB, for each connection
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the store to this version, inside the caller's transaction."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application not in (0, _APPLICATION):
        raise StorageError(f"{path} is not a timetric store; give another directory with --data")
    if version > VERSION:
        raise StorageError(
            f"{path} was made by a newer timetric (store version {version}, this one reads up to "
            f"{VERSION}); upgrade timetric"
        )
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")
