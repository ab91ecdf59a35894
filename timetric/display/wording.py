"""Numbers, times and strangers' texts as people read them. Pure: now is an argument."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from math import floor, isfinite, log10

from timetric.points import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY = 86400

#: Up to how many seconds a distance from now is told in which unit, and the unit's seconds.
_UNITS = ((60, "s", 1), (3600, "min", 60), (_DAY, "h", 3600), (14 * _DAY, "days", _DAY))

_WORDS = {None: "null", True: "true", False: "false"}


def number(value: float, digits: int = 4) -> str:
    """With so many digits that count; of whole numbers below ten million all of them.

    >>> number(41208.0), number(3.14159), number(-0.000012), number(6.02e23)
    ('41,208', '3.142', '-1.2e-05', '6.02e+23')
    """
    size = abs(value)
    if not isfinite(value) or (value and not 1e-3 <= size < 1e7):
        return f"{value:.{digits}g}"
    if value == 0:
        return "0"
    text = f"{value:,.{max(0, digits - 1 - floor(log10(size)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def value(value: Value, unit: str = "") -> str:
    """A value and its unit; the words as the protocol writes them.

    >>> value(3.2, "kW"), value(None, "kW")
    ('3.2 kW', 'null')
    """
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return f"{number(value)} {plain(unit)}".rstrip()


def at(timestamp: float) -> datetime:
    """An aware datetime in UTC, cut to microseconds."""
    return _EPOCH + timedelta(seconds=timestamp // 1, microseconds=timestamp % 1 * 1e6 // 1)


def day(timestamp: float) -> str:
    return at(timestamp).date().isoformat()


def ago(timestamp: float, now: float) -> str:
    """How long ago something was, or its date where that is more than two weeks.

    >>> ago(1000, 1240), ago(1240, 1000), ago(1000, 1000), ago(0, 1e9)
    ('4 min ago', 'in 4 min', 'now', '1970-01-01')
    """
    distance = abs(now - timestamp)
    if distance < 1:
        return "now"
    for most, name, seconds in _UNITS:
        if distance < most:
            count = int(distance // seconds)
            text = f"{count} {name.rstrip('s') or 's' if count == 1 else name}"
            return f"{text} ago" if timestamp < now else f"in {text}"
    return day(timestamp)


def plain(text: str) -> str:
    r"""A stranger's text with what can't be printed escaped, so that it moves no cursor.

    >>> plain("Büro\x1b[2J")
    'Büro\\x1b[2J'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
