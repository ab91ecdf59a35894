"""Timestamps: what is read, what is refused, and that the machine's zone changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetric.exceptions import InvalidPoint
from timetric.timestamps import (
    END,
    FIRST,
    format_iso,
    format_timestamp,
    parse_timestamp,
    to_timestamp,
)

CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1236735000", 1236735000.0),
        ("1236735000.5", 1236735000.5),
        ("1.2e9", 1.2e9),
        ("-1", -1.0),
        ("+.5", 0.5),
        ("20090401", 20090401.0),
        ("2003-04-06T00:00:00", 1049587200.0),
        ("2003-04-06 00:00:00", 1049587200.0),
        ("2003-04-06", 1049587200.0),
        ("2003-04-06T00:00", 1049587200.0),
        ("2003-04-06T00:00:00Z", 1049587200.0),
        ("2003-04-06T00:00:00+01:00", 1049583600.0),
        ("1969-12-31T23:59:59.75", -0.25),
        ("2009-03-10T17:47:49.1", 1236707269.1),
        ("2009-03-10T17:47:49." + "9" * 5000, 1236707270.0),
        ("0001-01-01", FIRST),
    ],
)
def test_the_wire_forms_are_read(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "nan", "inf", "1_0", "٣", "2009-02-30", "2009-3-10", "2009-03-10T25:00:00"]
    + ["2009-03-10t17:47:49", "10 March 2009", "1e400", "--1", "1-2", "0x10", "2009-03-10T17"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidPoint):
        parse_timestamp(text)


def test_minus_zero_is_zero() -> None:
    assert format_timestamp(parse_timestamp("-0.0")) == "0.0"


def test_milliseconds_are_recognised() -> None:
    with pytest.raises(InvalidPoint, match="milliseconds"):
        parse_timestamp("1236735000000")
    with pytest.raises(InvalidPoint, match=r"1 to 9999$"):
        parse_timestamp("1e300")


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (1236707269, 1236707269.0),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (datetime(2009, 3, 10), 1236643200.0),
        (datetime(2009, 3, 10, tzinfo=CET), 1236639600.0),
        (date(2009, 3, 10), 1236643200.0),
        ("1236707269", 1236707269.0),
        (" 2009-03-10 ", 1236643200.0),
        ("10 March 2009 17:47:49", 1236707269.0),
        ("Tue, 10 Mar 2009 17:47:49 GMT", 1236707269.0),
        ("10 March 2009 18:47:49 +01:00", 1236707269.0),
        ("2009/03/10", 1236643200.0),
        ("13/02/2009", 1234483200.0),
    ],
)
def test_a_caller_may_write_a_time_in_many_ways(when: object, seconds: float) -> None:
    assert to_timestamp(when) == seconds


@pytest.mark.parametrize(
    "when",
    ["10:30", "Saturday", "March 2009", "5 January", "01/02/03", "1/2/2009", "2009-05"]
    + ["2009-03-10 EST", "5 May 2009 UTC+3", "soon", "x" * 200, "9" * 400]
    + ["10 March 2009 17:" + "7" * 60],
)
def test_a_date_string_that_would_be_guessed_is_refused(when: str) -> None:
    with pytest.raises(InvalidPoint) as caught:
        to_timestamp(when)
    assert repr(when)[:20] in str(caught.value)


@pytest.mark.parametrize(
    "when", [None, True, b"1", object(), float("nan"), float("inf"), 10**400, [1], 1j]
)
def test_what_is_no_time_is_refused(when: object) -> None:
    with pytest.raises(InvalidPoint):
        to_timestamp(when)


@given(st.floats(FIRST, END, exclude_max=True))
def test_numbers_come_back_bit_for_bit(seconds: float) -> None:
    assert parse_timestamp(format_timestamp(seconds)).hex() == (seconds + 0.0).hex()


@given(st.integers(int(FIRST), int(END) - 1))
def test_whole_seconds_come_back_from_iso(seconds: int) -> None:
    assert parse_timestamp(format_iso(seconds)) == seconds


@given(st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)))
def test_iso_with_microseconds_is_what_datetime_reads(moment: datetime) -> None:
    assert format_iso(to_timestamp(moment)) == moment.isoformat()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_times_do_not_depend_on_the_machines_zone(zone: str) -> None:
    program = (
        "from datetime import datetime, timedelta, timezone\n"
        "from timetric.timestamps import to_timestamp\n"
        "summer = datetime(2009, 7, 1, 12)\n"
        "print(to_timestamp(summer), to_timestamp(summer.replace(tzinfo=timezone.utc)),\n"
        "      to_timestamp('1 July 2009 12:00'), to_timestamp('2009-07-01 12:00'),\n"
        "      to_timestamp('1 July 2009 12:00 UTC'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["1246449600.0"] * 5
