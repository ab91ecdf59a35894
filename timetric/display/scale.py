"""From times and values to places on a chart, and the marks at its edges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

from timetric.display.wording import at
from timetric.display.wording import number as worded
from timetric.points import Point, Value

#: Seconds to each side of what is all at one time.
_AROUND = 1800.0


class Mark(NamedTuple):
    """A mark at an axis: the time or value that it stands at, and what it says."""

    place: float
    label: str


class Scale(NamedTuple):
    """What a chart shows: from a time to another, from a value to another; never the same."""

    start: float
    end: float
    low: float
    high: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> Scale | None:
        """The one in which points fit; None where there is no number among them."""
        numbers = [number for _, v in points if (number := drawn(v)) is not None]
        if not numbers:
            return None
        start, end = points[0][0], points[-1][0]
        if start == end:
            start, end = start - _AROUND, end + _AROUND
        return cls(start, end, *_apart(min(numbers), max(numbers)))

    def x(self, t: float) -> float:
        """From 0 at the start to 1 at the end."""
        return (t - self.start) / (self.end - self.start)

    def y(self, v: float) -> float:
        """From 0 at the lowest to 1 at the highest."""
        return (v / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def rounded(self, most: int) -> tuple[Scale, list[Mark]]:
        """The same with room to the marks above and below, and those marks: two or more."""
        step = _step((self.high / 2 - self.low / 2) / max(1, most - 1) * 2)
        if not isfinite(step) or not step:
            return self, [Mark(v, worded(v)) for v in (self.low, self.high)]
        first, last = floor(self.low / step), ceil(self.high / step)
        places = [count * step for count in range(first, last + 1)]
        if len(places) > 2 * most + 2 or not all(map(isfinite, places)):  # past what doubles tell
            return self, [Mark(v, worded(v)) for v in (self.low, self.high)]
        marks = [Mark(place, _tick(place, step)) for place in places]
        return self._replace(low=min(places[0], self.low), high=max(places[-1], self.high)), marks

    def times(self, most: int) -> list[Mark]:
        """At round times of UTC, some of them or none, and no more than so many."""
        for seconds, form in _SECONDS:
            if (self.end - self.start) / seconds <= most:
                first, last = ceil(self.start / seconds), floor(self.end / seconds)
                places = [count * seconds for count in range(first, last + 1)]
                return [Mark(t, _time(at(t), form)) for t in places][:most]
        return self._months(most)

    def _months(self, most: int) -> list[Mark]:
        first, last = at(self.start), at(self.end)
        span = (last.year - first.year) * 12 + last.month - first.month
        step = next((step for step in _MONTHS if span / step <= most), _MONTHS[-1])
        begun = (first.year * 12 + first.month - 1) // step * step
        months = range(max(begun, 12), last.year * 12 + last.month, step)
        whole = [datetime(m // 12, m % 12 + 1, 1, tzinfo=timezone.utc) for m in months]
        inside = [t for t in whole if first <= t <= last][:most]
        form = "%Y" if step % 12 == 0 else "%Y-%m"
        return [Mark((t - _EPOCH) / timedelta(seconds=1), _time(t, form)) for t in inside]


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_CLOCK, _DAYS = "%H:%M:%S", "%d %b"

#: Steps of an axis of time, and how the times at them are told; then steps of whole months.
_SECONDS: tuple[tuple[float, str], ...] = (
    *((step, f"{_CLOCK}.%f") for step in (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)),
    *((step, _CLOCK) for step in (1, 2, 5, 10, 15, 30)),
    *((60 * step, "%H:%M") for step in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *((86400 * step, _DAYS) for step in (1, 2, 3, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, *(12 * n * ten for ten in (1, 10, 100, 1000) for n in (1, 2, 5)))
_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _time(moment: datetime, form: str) -> str:
    """strftime without the names of the machine's language; a midnight by its date."""
    if form == _DAYS or (form == "%H:%M" and not (moment.hour or moment.minute)):
        return f"{moment.day} {_NAMES[moment.month - 1]}"
    if form.startswith("%Y"):
        return f"{moment.year:04d}" if form == "%Y" else f"{moment.year:04d}-{moment.month:02d}"
    text = moment.strftime(form)
    return text[:-3] if form.endswith("%f") else text


def drawn(value: Value) -> float | None:
    """Where a value stands on a chart: true at 1, false at 0, null nowhere."""
    return float(value) if value is not None and isfinite(value) else None


def stretches(points: Iterable[Point], most: float) -> list[list[tuple[float, float]]]:
    """The lines of a chart: they end at a null, and where there is nothing for ``most`` seconds.

    >>> stretches([(0, 1.0), (1, 2.0), (2, None), (3, 1.0), (9, 1.0)], 5)
    [[(0, 1.0), (1, 2.0)], [(3, 1.0)], [(9, 1.0)]]
    """
    lines: list[list[tuple[float, float]]] = [[]]
    for t, v in points:
        number = drawn(v)
        if number is None or (lines[-1] and t - lines[-1][-1][0] > most):
            lines.append([])
        if number is not None:
            lines[-1].append((t, number))
    return [line for line in lines if line]


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two that are the same, or that doubles hardly tell apart, are moved apart."""
    room = max(abs(low), abs(high)) * 1e-12
    if high / 2 - low / 2 > room / 2:
        return low, high
    room = max(abs(low) * 0.1, 1.0)
    return max(low - room, -1.7e308), min(high + room, 1.7e308)


def _step(least: float) -> float:
    """The next number upwards that is 1, 2 or 5 and noughts."""
    if not isfinite(least) or least < 1e-300:
        return 0.0
    ten = float(f"1e{floor(log10(least))}")
    return next(n * ten for n in (1, 2, 5, 10, 20) if n * ten >= least)


def _tick(place: float, step: float) -> str:
    """All marks of an axis with as many decimals as its step has."""
    if place and not 1e-3 <= abs(place) < 1e7:
        return f"{place:.6g}" if step < 1e-3 * abs(place) else f"{place:.3g}"
    decimals = max(0, -floor(log10(step) + 1e-9))
    return f"{place:,.{decimals}f}" if decimals <= 6 else f"{place:.3g}"
