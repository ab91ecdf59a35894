"""Where a service keeps its data: a directory on this machine, or a database."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from timetric.examine.finding import Finding, fail, ok, warn
from timetric.store import CommandError, existing_store, require_server

#: Bytes below which there may soon be no room; a write that finds none is refused.
_FEW, _NONE = 1 << 30, 64 << 20


def findings(place: Path | str, named: bool, whole: bool) -> Iterator[Finding]:
    """Of a directory that was ``named``, or is where one would be, or of a database at a URL.

    ``whole``: of every block too.
    """
    if isinstance(place, Path):
        yield from _of_directory(place, named, whole)
    else:
        yield _room("uploads", Path(tempfile.gettempdir()))
        yield from _store(place, whole)


def _of_directory(directory: Path, named: bool, whole: bool) -> Iterator[Finding]:
    if not directory.is_dir():
        text = f"there is no {directory}"
        no_service = ok("storage", f"{text}, so no service is kept here (--data names another)")
        yield fail("storage", f"{text}; name the service's with --data") if named else no_service
        return
    yield from _rights(directory)
    yield _room("storage", directory)
    yield _room("uploads", Path(tempfile.gettempdir()))
    yield from _store(directory, whole)


def _rights(directory: Path) -> Iterator[Finding]:
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        yield fail("storage", f"you may not write to {directory}; ask as the service's own user")
    for path in (directory, directory / "timetric.sqlite3", directory / "secret.key"):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield warn("storage", f"others can get at {path}; run: chmod go= {path}")


def _room(what: str, directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    text = f"{free / 2**30:.1f} GiB free in {directory}"
    if free < _NONE:
        return fail(what, f"{text}; make room, or writes are refused")
    return warn(what, f"{text}; make room soon") if free < _FEW else ok(what, text)


def _store(place: Path | str, whole: bool) -> Iterator[Finding]:
    try:
        require_server()
    except CommandError as error:  # the client alone is installed
        yield warn("storage", f"the store can't be looked at: {error}")
        return
    from timetric.server.storage import StorageError, look_at

    try:
        found = look_at(place)
    except StorageError as error:
        yield fail("storage", f"{error}; is that where the service keeps its data?")
        return
    except OSError as error:  # no right to it
        yield fail("storage", f"{error.filename}: {error.strerror}; ask as the service's own user")
        return
    if found.stuck:
        yield fail("storage", "a process has kept all others from writing for seconds; restart it")
    if found.version > found.ours:
        yield fail("storage", "a newer timetric made the store; upgrade this one")
    elif found.version < found.ours:
        yield warn("storage", "an older timetric made it; the next start brings it up: back it up")
    else:
        yield ok(
            "storage", f"in use by {'a service' if found.in_use else 'nobody'}, of our version"
        )
        yield from _blocks(place) if whole else ()


def _blocks(place: Path | str) -> Iterator[Finding]:
    faults = 0
    with existing_store(place) as storage:
        for fault in storage.check():
            faults += 1
            yield fail("check", f"{fault}; restore a backup")
    if not faults:
        yield ok("check", "every block and count is as it was written")
