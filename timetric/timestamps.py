"""Timestamps: Unix seconds, UTC, as a float. Pure: no clock, and no zone of the machine's.

On the wire (protocol.md, Timestamps): a number or ISO 8601. From a caller of the client also
datetimes, dates, and any date string that can mean only one thing.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from numbers import Real

from timetric.exceptions import InvalidPoint

#: Years 1 to 9999: the first second of the one, and the first after the other.
FIRST, END = -62135596800.0, 253402300800.0

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"([T ](?P<time>\d\d:\d\d(:\d\d)?)(\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_YEAR_FIRST = re.compile(r"\d{4}\D", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SHOWN = 60  # characters of a bad text in an error


def shown(text: object) -> str:
    """A caller's text as an error quotes it: escaped, and cut where it is long."""
    quoted = repr(text)
    return quoted if len(quoted) <= _SHOWN else quoted[:_SHOWN] + "…"


def parse_number(text: str) -> float | None:
    """A decimal number in the protocol's grammar, or None: no ``nan``, ``inf``, ``1_0``."""
    return float(text) if _NUMBER.fullmatch(text) else None


def checked(timestamp: float, text: object) -> float:
    """The timestamp itself, -0.0 as 0.0, when it lies in the years 1 to 9999."""
    if FIRST <= timestamp < END:
        return timestamp + 0.0
    hint = ""
    if FIRST <= timestamp / 1000 < END:
        hint = "; it looks like milliseconds, divide it by 1000"
    raise InvalidPoint(f"timestamp {shown(text)} is outside the years 1 to 9999{hint}")


def parse_timestamp(text: str) -> float:
    """Read a timestamp as the wire writes it.

    >>> parse_timestamp("1236735000.5"), parse_timestamp("2003-04-06 00:00:00+01:00")
    (1236735000.5, 1049583600.0)

    Digits alone are always seconds; no zone means UTC; a fraction of a second is read to the
    nearest double. Raises InvalidPoint.
    """
    number = parse_number(text)
    if number is not None:
        return checked(number, text)
    iso = _ISO.fullmatch(text)
    if iso is None:
        raise InvalidPoint(f"{shown(text)} is no timestamp (Unix seconds or ISO 8601)")
    zone = "+00:00" if iso["zone"] in (None, "Z") else iso["zone"]
    try:
        moment = datetime.fromisoformat(f"{iso['date']}T{iso['time'] or '00:00'}{zone}")
    except ValueError as error:  # the right shape, but no such day or time: 2009-02-30
        raise InvalidPoint(f"{shown(text)} is no timestamp: {error}") from error
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if not iso["fraction"]:
        return checked(float(seconds), text)
    return checked(float(seconds + _fraction(iso["fraction"])), text)


def _fraction(digits: str) -> Fraction:
    """A fraction of a second; past 1,100 digits it only matters whether there is more."""
    more = "1" if digits[1100:].strip("0") else ""
    return Fraction(f"0.{digits[:1100]}{more}")


def to_timestamp(when: object) -> float:
    """Make a timestamp of a caller's number, datetime, date or date string.

    >>> to_timestamp(datetime(2009, 3, 10)), to_timestamp("10 March 2009 17:47:49")
    (1236643200.0, 1236707269.0)

    Naive datetimes and strings without a zone are UTC. A string that lacks a day, month or
    year, or that can be read in two ways (``01/02/03``), raises InvalidPoint, as does anything
    that is no time.
    """
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        return checked((aware - _EPOCH).total_seconds(), when)
    if isinstance(when, date):
        return to_timestamp(datetime(when.year, when.month, when.day))
    if isinstance(when, str):
        text = when.strip()
        if _NUMBER.fullmatch(text) or _ISO.fullmatch(text):
            return parse_timestamp(text)
        return _parse_words(text)
    if isinstance(when, bool) or not isinstance(when, (Real, Decimal)):
        raise InvalidPoint(
            f"{shown(when)} is no timestamp (a number, datetime, date or date string)"
        )
    try:
        return checked(float(when), when)
    except OverflowError as error:  # an int past a double's range
        raise InvalidPoint(f"{shown(when)} is no timestamp: {error}") from error


def _parse_words(text: str) -> float:
    """Any other date string, by dateutil, refused where dateutil would have guessed."""
    if len(text) > 100:  # dateutil's time grows with the square of the length
        raise InvalidPoint(f"{shown(text)} is no timestamp: too long")
    # Each reading fills what is missing from another day and takes 1/2/3 in another order:
    # a date that means one thing only comes out the same from all of them.
    readings = {_read(text, day) for day in (datetime(2001, 2, 3), datetime(2004, 5, 6))}
    if not _YEAR_FIRST.match(text):
        readings.add(_read(text, dayfirst=True))
        readings.add(_read(text, yearfirst=True))
    if len(readings) > 1:
        raise InvalidPoint(
            f"{shown(text)} is no full date, or can be read in two ways; write YYYY-MM-DD"
        )
    return checked(readings.pop(), text)


def _read(
    text: str,
    default: datetime = datetime(2001, 2, 3),
    *,
    dayfirst: bool = False,
    yearfirst: bool = False,
) -> float:
    from dateutil import parser  # 50 ms, and few programs need it

    try:
        moment = parser.parse(
            text, default=default, dayfirst=dayfirst, yearfirst=yearfirst, tzinfos=_zone
        )
    except (ValueError, ArithmeticError) as error:  # dateutil reckons with Decimal
        raise InvalidPoint(f"{shown(text)} is no date that can be read: {error}") from error
    return to_timestamp(moment)


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone dateutil met: an offset or UTC. Other names mean what the machine thinks they do."""
    if name not in (None, "UTC", "GMT", "Z", "z") or (name and offset):
        raise ValueError(f"zone {name!r} is not clear; write an offset such as +01:00")
    return None if name is None and offset is None else timezone(timedelta(seconds=offset or 0))


def format_timestamp(timestamp: float) -> str:
    """The shortest text that reads back as the same double.

    >>> format_timestamp(1236707269)
    '1236707269.0'
    """
    return repr(float(timestamp))


def format_iso(timestamp: float) -> str:
    """ISO 8601 in UTC, without a zone; a fraction is rounded to microseconds, so not exact.

    >>> format_iso(1049587200), format_iso(-0.5)
    ('2003-04-06T00:00:00', '1969-12-31T23:59:59.500000')
    """
    whole = int(timestamp // 1)
    microseconds = round((timestamp - whole) * 1e6)
    moment = _EPOCH + timedelta(seconds=whole, microseconds=microseconds)
    return moment.replace(tzinfo=None).isoformat()
