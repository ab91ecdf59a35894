"""Looking at a contender from outside: its memory, and its files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server import Server

EVERY = 0.02  # seconds between two looks at the memory
QUIET = 4.0  # seconds without a change after which files are taken to stay as they are
PATIENCE = 120.0  # seconds to wait for that


class Peak:
    """The most memory seen, in bytes."""

    def __init__(self) -> None:
        self.most = 0


@contextmanager
def peak(server: Server) -> Iterator[Peak]:
    """Watch a server's anonymous memory in the background."""
    seen, stop = Peak(), threading.Event()

    def look() -> None:
        while True:
            seen.most = max(seen.most, server.memory())
            if stop.wait(EVERY):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:  # the thread must end
        yield seen
    finally:
        stop.set()
        thread.join()


def size(directory: Path) -> int:
    """The bytes that all files in a directory take on the disk."""
    return sum(512 * path.lstat().st_blocks for path in directory.rglob("*") if path.is_file())


def wait_until_quiet(directory: Path) -> None:
    """Wait until what is done in the background leaves the files' size alone."""
    end = time.monotonic() + PATIENCE
    since, before = time.monotonic(), size(directory)
    while time.monotonic() - since < QUIET and time.monotonic() < end:
        time.sleep(0.2)
        now = size(directory)
        if now != before:
            since, before = time.monotonic(), now
