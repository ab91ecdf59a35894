"""How a store on disk is, seen without opening it as a service does: nothing is brought up."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from timetric.server.storage import Condition, Damaged, StorageError
from timetric.server.storage.sqlite.migrations import VERSION

_PATIENCE = 5  # seconds; a commit takes some milliseconds


def condition(directory: Path) -> Condition:
    """Raises StorageError where there is no store, or it can't be read."""
    path = directory / "timetric.sqlite3"
    if not path.is_file():
        raise StorageError(f"there is no {path.name} in {directory}")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:  # no store, no right, another's lock
        raise Damaged(f"{path} can't be read: {error}") from error
    in_use = _is_held(path.with_suffix(".open"), 0)
    return Condition(version, VERSION, in_use, _is_held(path.with_suffix(".lock"), _PATIENCE))


def _is_held(path: Path, patience: float) -> bool:
    """Whether another process has the lock, for so many seconds on end."""
    if not path.exists():
        return False
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:  # it is closed in any case
        end = time.monotonic() + patience
        while not _takes(file):
            if time.monotonic() >= end:
                return True
            time.sleep(0.02)
        return False
    finally:
        os.close(file)  # which lets go of it


def _takes(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
