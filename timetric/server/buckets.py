"""Buckets: time cut into stretches of one length, elapsed or of the calendar. Pure.

Buckets are numbered, the one at 1970 is 0. Each ends where the next one begins. One that begins
before the year 1 is told as beginning with it, since no timestamp lies earlier.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from timetric.server.columns import Floats
from timetric.timestamps import END, FIRST

Integers = NDArray[np.int64]
#: Indexes of a column, ascending.
Places = NDArray[np.intp]

_EVERY = re.compile(r"0*([1-9][0-9]{0,11})(s|min|h|d|w|mo|q|y)", re.ASCII)

_DAY = 86400
_FIRST_DAY, _END_DAY = int(FIRST) // _DAY, int(END) // _DAY  # counted from 1970-01-01
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Buckets(Protocol):
    """A way to cut time."""

    def numbers(self, t: Floats) -> Integers:
        """Of the buckets in which sorted instants lie, of which there is one at least."""

    def starts(self, numbers: Integers) -> Floats:
        """When buckets begin, in Unix seconds."""


class Elapsed(NamedTuple):
    """Buckets of ``width`` whole seconds, whatever a clock on the wall says.

    Bucket 0 begins ``origin`` seconds after 1970-01-01.
    """

    width: int
    origin: int = 0

    def numbers(self, t: Floats) -> Integers:
        numbers: Integers = (np.floor(t).astype(np.int64) - self.origin) // self.width
        return numbers

    def starts(self, numbers: Integers) -> Floats:
        seconds = numbers * self.width + self.origin
        return np.maximum(seconds.astype(np.float64), FIRST)


class Calendar(NamedTuple):
    """Buckets of ``length`` days ("D") or months ("M") as the calendar of a zone has them.

    Bucket 0 begins ``origin`` units after 1970-01-01. A day begins at its first instant: where
    clocks skip midnight, when they do so; where midnight comes twice, at the first one.
    """

    length: int
    unit: str
    origin: int
    zone: tzinfo

    def numbers(self, t: Floats) -> Integers:
        first, last = self._each_number(t[[0, -1]]).tolist()
        if last - first >= len(t):
            return self._each_number(t)
        following = self.starts(np.arange(first + 1, last + 1))
        numbers: Integers = first + np.searchsorted(following, t, side="right")
        return numbers

    def starts(self, numbers: Integers) -> Floats:
        units = numbers * self.length + self.origin
        days = units.astype(f"M8[{self.unit}]").astype("M8[D]").astype(np.int64)
        return np.array([self._first_instant(day) for day in days.tolist()], np.float64)

    def _each_number(self, t: Floats) -> Integers:
        days = np.array([self._day(moment) for moment in t.tolist()], np.int64)
        units = days.astype("M8[D]").astype(f"M8[{self.unit}]").astype(np.int64)
        numbers: Integers = (units - self.origin) // self.length
        # Clocks set back at midnight show a day that has begun as the one before once more.
        return numbers + (t >= self.starts(numbers + 1))

    def _day(self, t: float) -> int:
        """The day that a calendar in the zone shows at that instant."""
        return int(t // 1 + self._offset(t)) // _DAY

    def _first_instant(self, day: int) -> float:
        seconds = day * _DAY
        if not _FIRST_DAY <= day < _END_DAY:  # which Python's calendar does not have
            return max(seconds - self._offset(seconds), FIRST)
        midnight = datetime.fromordinal(_EPOCH.toordinal() + day).replace(tzinfo=self.zone)
        before, after = _seconds(midnight), _seconds(midnight.replace(fold=1))
        if before >= after:  # the usual midnight, or the first of two (PEP 495)
            return max(seconds - before, FIRST)
        return self._change(seconds - after, seconds - before)

    def _change(self, low: float, high: float) -> float:
        """When clocks are set, between two instants."""
        was = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == was else (low, middle)
        return high

    def _offset(self, t: float) -> float:
        """Seconds that clocks in the zone are ahead of UTC; in the first and last day of all years,
        which Python's datetimes may leave, those of the day beside it.
        """
        within = min(max(t, FIRST + _DAY), END - _DAY - 1)
        return _seconds((_EPOCH + timedelta(seconds=within)).astimezone(self.zone))


def _seconds(moment: datetime) -> float:
    offset = moment.utcoffset()
    assert offset is not None, "it has a zone"
    return offset.total_seconds()


def _days(count: int, origin: int, zone: tzinfo) -> Buckets:
    if zone is timezone.utc:
        return Elapsed(count * _DAY, origin * _DAY)
    return Calendar(count, "D", origin, zone)


#: What each unit of ``every`` makes of a whole number and a zone.
UNITS: dict[str, Callable[[int, tzinfo], Buckets]] = {
    "s": lambda count, zone: Elapsed(count),
    "min": lambda count, zone: Elapsed(count * 60),
    "h": lambda count, zone: Elapsed(count * 3600),
    "d": lambda count, zone: _days(count, 0, zone),
    "w": lambda count, zone: _days(count * 7, 4, zone),  # 1970-01-05 was a Monday
    "mo": lambda count, zone: Calendar(count, "M", 0, zone),
    "q": lambda count, zone: Calendar(count * 3, "M", 0, zone),
    "y": lambda count, zone: Calendar(count * 12, "M", 0, zone),
}


def parse_every(text: str, zone: tzinfo) -> Buckets | None:
    """The buckets of a length such as ``15min`` or ``1mo``; None where it is none.

    >>> parse_every("2h", timezone.utc)
    Elapsed(width=7200, origin=0)
    """
    every = _EVERY.fullmatch(text)
    return every and UNITS[every[2]](int(every[1]), zone)


class Split(NamedTuple):
    """The buckets that hold any of some sorted instants.

    Where among these each bucket begins, and when it begins.
    """

    places: Places
    starts: Floats


def split(buckets: Buckets, t: Floats) -> Split:
    """Of one instant at least. It takes no longer where most buckets between are empty."""
    first, last = buckets.numbers(t[[0, -1]]).tolist()
    if last - first < len(t):
        starts = buckets.starts(np.arange(first, last + 1))
        places = np.searchsorted(t, starts)
        held = np.diff(places, append=len(t)) > 0
        return Split(places[held], starts[held])
    numbers = buckets.numbers(t)
    places = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    return Split(places, buckets.starts(numbers[places]))
