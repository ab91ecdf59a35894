"""When tokens and sessions were last used: to the minute, and written once a minute at most."""

from __future__ import annotations

import logging
from collections.abc import Callable

from timetric.server.storage import StorageError

log = logging.getLogger(__name__)

_MINUTE = 60
_MOST = 10_000  # kept at a time


class Usage:
    """Notes uses in the store. ``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._noted: dict[str, float] = {}

    def note(self, what: str, write: Callable[[float], None]) -> None:
        """Call ``write`` with the minute, unless it was for this one already.

        A store that can't be written refuses nobody for that: the log tells it.
        """
        now = self._clock()
        minute = now - now % _MINUTE
        if self._noted.get(what) == minute:
            return
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[what] = minute
        try:
            write(minute)
        except StorageError as error:  # reading goes on, say, on a full disk
            log.warning("the use of a token or session was not noted: %s", error)
