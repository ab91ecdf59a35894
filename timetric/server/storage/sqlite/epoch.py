"""A count of changes that all processes with a store share, to know when what was read is old."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

_SIZE = 8  # bytes, one word that a processor reads and writes whole


class Epoch:
    """The count, in a file that is mapped into memory: looking at it costs no call of the system.

    It is odd while a change is being committed, and even between two changes.
    """

    def __init__(self, file: int) -> None:
        """``file`` is open for writing; its owner has it locked, so that no change is under way."""
        if os.fstat(file).st_size < _SIZE:
            os.ftruncate(file, _SIZE)
        self._count = memoryview(mmap.mmap(file, _SIZE)).cast("Q")
        self._count[0] += self._count[0] % 2  # a process died in a change

    def now(self) -> int | None:
        """The count; None while it is changing, when what is read may be old or new."""
        count = self._count[0]
        return None if count % 2 else count

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around a commit, which the caller's lock keeps apart from all others."""
        self._count[0] += 1
        try:  # whether or not it succeeds
            yield
        finally:
            self._count[0] += 1
