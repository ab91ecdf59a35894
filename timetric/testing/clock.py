"""The time of a service for tests."""

from __future__ import annotations

import re
from datetime import timedelta

from timetric.timestamps import checked, shown, to_timestamp

_SPAN = re.compile(r"([0-9]{1,9}) ?(s|min|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Clock:
    """The service's time, in Unix seconds: it stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def __repr__(self) -> str:
        return f"<timetric.testing.Clock {self.now!r}>"

    def advance(self, span: str | float | timedelta) -> None:
        """Move on by seconds, a timedelta, or a text: ``90s``, ``5min``, ``1h``, ``30d``, ``2w``.

        Raises ValueError for anything else, and for a time past the year 9999.
        """
        self.now = checked(self.now + _seconds(span), span)

    def set(self, when: object) -> None:
        """Go to a time, which may be past: whatever ``update`` takes for a timestamp."""
        self.now = to_timestamp(when)


def _seconds(span: str | float | timedelta) -> float:
    if isinstance(span, timedelta):
        return span.total_seconds()
    if not isinstance(span, str):
        return float(span)
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"{shown(span)} is no span of time, such as 90s, 5min, 1h, 30d or 2w")
    return float(found[1]) * _SECONDS[found[2]]
