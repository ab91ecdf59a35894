"""Connections that wait for their next request. Shared by threads, never with a forked process.

No lock guards them: one that another thread holds while the process forks would never be let go
in the child. A list's ``append`` and ``pop`` are whole steps by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetric.connection import Http


class Pool:
    """As many connections as there have been calls at once. ``open`` makes one more."""

    def __init__(self, open: Callable[[], Http]) -> None:
        self._open = open
        self._idle: list[Http] = []
        self._process = os.getpid()

    @contextmanager
    def borrowed(self) -> Iterator[Http]:
        """One that nobody else has meanwhile."""
        idle = self._of_this_process()
        http = _taken(idle) or self._open()
        try:
            yield http
        finally:
            idle.append(http)
            if idle is not self._idle:  # closed meanwhile
                _close(idle)

    def close(self) -> None:
        """Close all that wait; one in use is closed when its call ends."""
        idle, self._idle = self._of_this_process(), []
        _close(idle)

    def _of_this_process(self) -> list[Http]:
        """A forked process leaves its parent's to the parent, and forgets them here."""
        if self._process != os.getpid():
            self._idle = []  # before the next line, or a second thread would take the parent's
            self._process = os.getpid()
        return self._idle


def _taken(idle: list[Http]) -> Http | None:
    """The one used last, which is the least likely to have been closed at the other end."""
    try:
        return idle.pop()
    except IndexError:  # none, or another thread was faster
        return None


def _close(idle: list[Http]) -> None:
    while (http := _taken(idle)) is not None:
        http.close()
