"""Connections that wait for their next request. Shared by threads, never with a forked process.

No lock guards them: one that another thread holds while the process forks would never be let go
in the child. A list's ``append`` and ``pop`` are whole steps by themselves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetric.connection import Http


#: Seconds after which one that was not used is closed: most services have done so before.
_KEPT = 60.0


class Pool:
    """As many connections as there were calls at once lately. ``open`` makes one more."""

    def __init__(
        self, open: Callable[[], Http], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = open
        self._clock = clock
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
            self._put_back(http, idle)

    def _put_back(self, http: Http, idle: list[Http]) -> None:
        http.idle_since = self._clock()
        idle.append(http)
        if idle is not self._idle:  # closed meanwhile
            _close(idle)
            return
        if any(oldest.idle_since < self._clock() - _KEPT for oldest in idle[:1]):
            with suppress(IndexError):  # another thread was faster; what comes next is idle too
                idle.pop(0).close()

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
