"""Values, points and CSV as both ends read and write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetric.exceptions import InvalidPoint, TimetricClientError
from timetric.points import format_csv, format_value, parse_csv, parse_value, to_points, to_value
from timetric.timestamps import END, FIRST

values = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
points = st.lists(st.tuples(st.floats(FIRST, END, exclude_max=True).map(lambda t: t + 0.0), values))


def exact(rows: Any) -> list[tuple[str, str]]:
    """Points told apart bit by bit, with 1.0 and True different."""
    return [(float(t).hex(), v.hex() if isinstance(v, float) else repr(v)) for t, v in rows]


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3.0), ("-.5", -0.5), ("1.", 1.0), ("1E3", 1000.0), ("null", None), ("NULL", None)]
    + [("True", True), ("false", False), ("1e-400", 0.0)],
)
def test_values_are_read(text: str, value: object) -> None:
    assert repr(parse_value(text)) == repr(value)


@pytest.mark.parametrize(
    "text", ["", "nan", "NaN", "inf", "-Infinity", "1e999", "1_0", "٣", "3,5", "n/a", "0x1", "1 2"]
)
def test_anything_else_is_no_value(text: str) -> None:
    with pytest.raises(InvalidPoint):
        parse_value(text)


def test_what_numpy_and_pandas_have_for_nothing_is_none() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    for nothing in (numpy.float64("nan"), numpy.float32("nan"), pandas.NA, pandas.NaT):
        assert to_value(nothing) is None
    assert to_value(numpy.float64(2.5)) == 2.5
    assert to_value(numpy.int64(3)) == 3.0
    with pytest.raises(InvalidPoint):
        to_value(numpy.float64("inf"))


@pytest.mark.parametrize(
    "what", [float("nan"), float("inf"), 10**400, Decimal("nan"), b"3", [], object(), "many", 1j]
)
def test_a_callers_bad_value_is_an_error_of_ours_and_a_value_error(what: object) -> None:
    with pytest.raises(TimetricClientError) as caught:
        to_value(what)
    assert isinstance(caught.value, ValueError)


def test_a_big_decimal_is_written_as_a_double() -> None:
    assert format_value(to_value(Decimal("1e22"))) == "1e+22"


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([(1, 2), (3, "many")], "item 1: 'many'"),
        ([(1, 2, 3)], "item 0: (1, 2, 3) has 3 parts"),
        ([(1, 2), 7], "item 1: 7 is no pair"),
        (["ab"], "item 0: 'ab' is no pair"),
        ([(1, 2), ("01/02/03", 1)], "item 1: '01/02/03'"),
        ([(1, float("nan"))], "item 0: nan"),
    ],
)
def test_the_offending_item_is_named(items: list[object], says: str) -> None:
    with pytest.raises(InvalidPoint) as caught:
        list(to_points(items))
    assert says in str(caught.value)


@given(points)
def test_csv_comes_back_bit_for_bit(rows: list[tuple[float, Any]]) -> None:
    assert exact(parse_csv(b"".join(format_csv(rows, rows=3)))) == exact(rows)


def test_csv_of_nothing_is_nothing() -> None:
    assert list(parse_csv(b"")) == []
    assert b"".join(format_csv([])) == b""


def test_words_blanks_and_line_ends_are_read() -> None:
    body = b"1 , 2\r\n\n 3,\tNull\n2009-03-10 00:00:00,false"
    assert list(parse_csv(body)) == [(1.0, 2.0), (3.0, None), (1236643200.0, False)]


def test_numbers_whose_sum_is_past_a_doubles_range_are_read() -> None:
    assert list(parse_csv(b"1,1e308\n2,1e308\n")) == [(1.0, 1e308), (2.0, 1e308)]


@pytest.mark.parametrize(
    ("body", "line"),
    [(b"1,2\n\n3;4\n", 3), (b"1,2,3\n4\n", 1), (b"1,2\n3,\n", 2), (b"1,2\n\xff,3\n", 2)]
    + [(b"1-2,3\n", 1), (b"1,2\n5,--1\n", 2), (b"1,2\n123", 2), (b"12", 1)]
    + [(b"1,2\n3,1e999\n", 2), (b"1,2\n1e18,1\n", 2), (b"-1e18,1\n1,2\n", 1)],
)
def test_a_bad_line_is_named(body: bytes, line: int) -> None:
    with pytest.raises(InvalidPoint) as caught:
        list(parse_csv(body))
    assert caught.value.line == line
