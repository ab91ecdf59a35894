"""What the client's writes do and say, against a real service."""

from __future__ import annotations

import dataclasses
import re

import timetric
from timetric.write import Write, increment_write, new_key, value_write


def test_each_write_returns_its_receipt(series: timetric.Series) -> None:
    assert series.update([(0, 1), (1, 2), (1, 2)]) == (3, 2, 0, 0, 0, 1, None)
    assert series.update([(1, 3), (2, True)]) == (2, 1, 1, 0, 0, 2, None)
    assert series.rewrite([(1, 3)]) == (1, 0, 0, 1, 2, 3, None)
    assert series.delete() == timetric.Receipt(0, 0, 0, 0, 1, 4)


def test_the_receipt_of_one_value_has_its_point(series: timetric.Series) -> None:
    receipt = series.update(None)
    assert receipt.point == series.latest()
    assert receipt.value is None
    series.delete()
    assert series.increment(2).value == 2.0
    receipt = series.increment(0.5)
    assert receipt.point == series.latest()
    assert receipt.value == 2.5


def test_a_write_that_is_sent_again_is_done_once(
    client: timetric.TimetricClient, series: timetric.Series
) -> None:
    write = increment_write(series.id, 2.0)
    first = write.send(client)
    assert write.send(client) == first
    again = Write(**{f.name: getattr(write, f.name) for f in dataclasses.fields(write)})
    assert again.send(client) == first
    assert value_write(series.id, 5.0).send(client).version == 2
    assert len(list(series)) == 2


def test_keys_are_random_and_taken_for_no_option() -> None:
    keys = {new_key() for _ in range(500)}
    assert len(keys) == 500
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{21}", key) for key in keys)
