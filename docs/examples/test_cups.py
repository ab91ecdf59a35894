"""A program that counts cups of tea, and the tests of it."""

from __future__ import annotations

import pytest

import timetric
from timetric.testing import Service

pytest_plugins = ["timetric.testing"]  # in a conftest.py, once for all tests


def drink(client: timetric.TimetricClient, id: str) -> float:
    """The program: one cup more; how many of them fell into the last day."""
    series = client.series(id)
    series.increment(1)
    latest, total = series.latest()
    before = [value for instant, value in series if instant <= latest - 86400]
    return total - (before[-1] if before else 0)


@pytest.fixture
def cups(timetric_service: Service) -> timetric.Series:
    return timetric_service.client.create_series(title="Cups", caption="Cups of tea")


def test_a_new_day_starts_at_one(timetric_service: Service, cups: timetric.Series) -> None:
    timetric_service.clock.set("2024-02-29T16:00")
    assert drink(timetric_service.client, cups.id) == 1
    timetric_service.clock.advance("1h")
    assert drink(timetric_service.client, cups.id) == 2
    timetric_service.clock.advance("1d")
    assert drink(timetric_service.client, cups.id) == 1


def test_a_busy_service_costs_no_cup(timetric_service: Service, cups: timetric.Series) -> None:
    timetric_service.fail_next(503, times=2)
    assert drink(timetric_service.client, cups.id) == 1


def test_a_cup_is_not_counted_while_the_service_is_away(
    timetric_service: Service, cups: timetric.Series
) -> None:
    hasty = timetric.TimetricClient(timetric_service.config, retries=0)
    with timetric_service.away(), pytest.raises(timetric.ConnectionFailed):
        drink(hasty, cups.id)
    assert drink(hasty, cups.id) == 1


def test_nobody_drinks_from_the_cup_of_another(
    timetric_service: Service, cups: timetric.Series
) -> None:
    with pytest.raises(timetric.NotFound):
        drink(timetric_service.user("ann"), cups.id)
