"""Durations back from a moment."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta, timezone

import pytest

import timetric
from timetric import duration
from timetric.duration import back
from timetric.timestamps import FIRST, to_timestamp

NOON = to_timestamp("2024-03-31T12:00:00.5")


def test_the_examples_are_right() -> None:
    assert doctest.testmod(duration).failed == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15min", 900), ("2h", 7200), ("3d", 3 * 86400), ("2w", 14 * 86400)],
)
def test_units_that_elapse(text: str, seconds: int) -> None:
    assert back(NOON, text) == NOON - seconds
    assert back(NOON, timedelta(seconds=seconds)) == NOON - seconds


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("1mo", "2024-02-29T12:00:00.5"),  # February has no 31st
        ("13mo", "2023-02-28T12:00:00.5"),
        ("1q", "2023-12-31T12:00:00.5"),
        ("1y", "2023-03-31T12:00:00.5"),
        ("60y", "1964-03-31T12:00:00.5"),
    ],
)
def test_units_of_the_calendar(text: str, start: str) -> None:
    assert back(NOON, text) == to_timestamp(start)


@pytest.mark.parametrize("text", ["2024y", "999999999999w", "99999999999mo"])
def test_nothing_began_before_the_year_1(text: str) -> None:
    assert back(NOON, text) == FIRST


@pytest.mark.parametrize(
    "what", ["", "2", "w", "0d", "-1d", "1.5h", "2 w", "2W", "1m", 14, None, timedelta(-1)]
)
def test_anything_else_is_refused(what: object) -> None:
    with pytest.raises(timetric.BadRequest, match="is no duration") as caught:
        back(NOON, what)  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)


def test_a_leap_day_is_a_day_like_others() -> None:
    leap = datetime(2024, 2, 29, tzinfo=timezone.utc).timestamp()
    assert back(leap, "1y") == to_timestamp("2023-02-28")
