"""Durations, such as ``2w``, back from a moment. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta, timezone
from typing import Union

from timetric.exceptions import BadRequest
from timetric.timestamps import FIRST, shown

Duration = Union[str, timedelta]

#: The protocol's units: seconds of those that elapse, months of those of the calendar.
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_MONTHS = {"mo": 1, "q": 3, "y": 12}

_TEXT = re.compile(r"0*([1-9][0-9]{0,11})(s|min|h|d|w|mo|q|y)", re.ASCII)


def back(moment: float, duration: Duration) -> float:
    """The Unix seconds, UTC, at which a duration began that ends at ``moment``.

    >>> back(1236772800.0, "2h"), back(1236772800.0, timedelta(seconds=1))
    (1236765600.0, 1236772799.0)

    A month back is the same day of the month before, or its last one. What began before the year
    1 began with it. Raises BadRequest for what is no duration.
    """
    if isinstance(duration, timedelta) and duration >= timedelta(0):
        return max(FIRST, moment - duration.total_seconds())
    found = _TEXT.fullmatch(duration) if isinstance(duration, str) else None
    if found is None:
        raise BadRequest(
            f"{shown(duration)} is no duration; write a whole number from 1 on and one of "
            f"{', '.join([*_SECONDS, *_MONTHS])}, such as 2w"
        )
    number, unit = int(found[1]), found[2]
    if unit in _SECONDS:
        return max(FIRST, moment - number * _SECONDS[unit])
    return _months_back(moment, number * _MONTHS[unit])


def _months_back(moment: float, months: int) -> float:
    """By the calendar of UTC."""
    whole = int(moment // 1)
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=whole)
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    if year < 1:
        return FIRST
    day = min(at.day, monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day).timestamp() + (moment - whole)
