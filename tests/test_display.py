"""How series look: at a prompt, in a terminal, in a notebook."""

from __future__ import annotations

import doctest
import importlib
import io
import math
import sys
import time
import webbrowser
from typing import Any
from xml.etree import ElementTree

import pytest

import timetric
from timetric.display.card import card
from timetric.display.facts import facts
from timetric.display.scale import Scale
from timetric.display.sparkline import sparkline
from timetric.display.svg import svg_chart
from timetric.display.terminal import terminal_chart
from timetric.display.wording import ago, number, plain, value
from timetric.pages import LIMIT
from timetric.seen import Seen

HOUR = 3600.0
#: A config of a service that is not there.
NOBODY = {
    "url": "http://127.0.0.1:9",
    "authtype": "apitoken",
    "apitoken_key": "k" * 22,
    "apitoken_secret": "s" * 22,
}
WAVE = [(t * HOUR, math.sin(t / 20)) for t in range(500)]
SMUGGLED = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&"
BRAILLE = {chr(code) for code in range(0x2801, 0x2900)}


@pytest.fixture(autouse=True)
def utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output as a terminal's of today, whatever pytest captures it with."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


@pytest.fixture
def power(client: timetric.TimetricClient) -> timetric.Series:
    now = time.time()
    points = [(now - 250 - HOUR * n, 3.25 + math.cos(n / 9)) for n in range(1000)]
    return client.create_series(points, title="Office power", caption="Power", unit="kW")


# the repr


def test_a_series_that_was_not_read_is_its_id_and_title(power: timetric.Series) -> None:
    assert repr(power) == f'<timetric.Series {power.id!r} "Office power">'


def test_a_repr_asks_nothing(power: timetric.Series) -> None:
    nobody = timetric.TimetricClient(NOBODY)
    assert repr(nobody.series(power.id)) == f"<timetric.Series {power.id!r}>"


def test_a_series_that_was_read_shows_what_was_seen(power: timetric.Series) -> None:
    first, *_ = power
    shown = repr(power)
    began = time.strftime("%Y-%m-%d", time.gmtime(first[0]))
    assert shown.startswith(f'<Series "Office power" 1,000 points {began} … 4 min ago ')
    assert shown.endswith(" latest 4.25 kW>")
    assert set(shown) & set("▁▂▃▄▅▆▇█")


def test_a_repr_is_ascii_where_standard_output_is(
    power: timetric.Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(power)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert repr(power).isascii()
    assert " ... 4 min ago " in repr(power)
    assert repr(power.plot()).isascii()
    assert "*" in repr(power.plot())


def test_parts_of_it_are_known_one_by_one(power: timetric.Series) -> None:
    power.count()
    assert repr(power) == '<Series "Office power" 1,000 points>'
    power.latest()
    assert repr(power) == '<Series "Office power" 1,000 points latest 4.25 kW 4 min ago>'


def test_a_reading_that_stops_early_is_no_count(power: timetric.Series) -> None:
    next(iter(power))
    assert "points" not in repr(power)


def test_a_write_makes_it_unknown_again(power: timetric.Series) -> None:
    before = repr(power)
    list(power)
    power.update(7)
    assert repr(power) == before


def test_an_empty_series_says_so(series: timetric.Series) -> None:
    assert series.latest() == (None, None)
    assert repr(series) == '<Series "Office power" no points>'
    assert list(series) == []
    assert repr(series) == '<Series "Office power" no points>'


def test_many_pages_leave_few_points_in_memory(series: timetric.Series) -> None:
    series.update(io.BytesIO(b"".join(b"%d,%d\n" % (t, t % 10) for t in range(2 * LIMIT + 1))))
    assert sum(1 for _ in series) == 2 * LIMIT + 1
    assert f"{2 * LIMIT + 1:,} points 1970-01-01 … " in repr(series)
    assert len(series._seen.some) <= 256


def test_what_is_seen_of_many_pages_stays_small() -> None:
    from timetric.packing import pack
    from timetric.pages import Page
    from timetric.records import parse_records, some_records

    page = Page(
        b"".join(pack([(float(t), 1.0) for t in range(100)])), parse_records, 100, "", some_records
    )
    seen = Seen()
    assert sum(page.size for page in seen.pages(iter([page] * 200))) == seen.count == 20_000
    assert len(seen.some) <= 256


def test_times_that_are_none_are_not_shown() -> None:
    seen = Seen()
    seen.points([(0.0, 1.0), (1e300, 2.0)])
    seen.found((float("nan"), 1.0))
    assert facts(seen, 0) == []


def test_a_strangers_title_moves_no_cursor() -> None:
    assert plain("a\x1b[2J\u202eb\n") == r"a\x1b[2J\u202eb\n"


# words


@pytest.mark.parametrize("name", ["wording", "scale", "plan", "sparkline"])
def test_the_examples_hold(name: str) -> None:
    module = importlib.import_module(f"timetric.display.{name}")
    assert doctest.testmod(module).failed == 0


def test_numbers_are_short() -> None:
    assert [number(v) for v in (0, 3.2, 1234567, 1e-9, 6.02e23, -0.5)] == [
        *("0", "3.2", "1,234,567", "1e-09", "6.02e+23", "-0.5")
    ]
    assert [value(v, "kW") for v in (None, True, 1)] == ["null", "true", "1 kW"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (86400, "1 day ago")]
    + [(-300, "in 5 min"), (40 * 86400, "2001-07-31")],
)
def test_how_long_ago(seconds: float, text: str) -> None:
    assert ago(1e9 - seconds, 1e9) == text


def test_facts_tell_what_is_known() -> None:
    seen = Seen()
    assert facts(seen, 0) == []
    seen.points([(0, 1.0)])
    assert facts(seen, 60) == ["1 min ago", "latest 1"]


# sparklines


def test_a_sparkline_has_blanks_where_there_are_no_numbers() -> None:
    points = [(float(t), float(t) if t < 4 or t > 11 else None) for t in range(16)]
    assert sparkline(points) == "▁▂    ▇█"
    assert sparkline(points, "_#") == "__    ##"
    assert sparkline([(0, None)]) == sparkline([]) == ""
    assert sparkline([(0, 2.0), (1, 2.0)]) == "▅▅"


# a terminal


@pytest.mark.parametrize("width", [20, 80, 120])
def test_a_chart_fits_the_width(width: int) -> None:
    lines = terminal_chart(WAVE, width, 10).split("\n")
    assert len(lines) == 12
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 4
    assert lines[0].startswith(" 1") and lines[9].startswith("-1")
    assert "Jan" in lines[-1] or "1970-01" in lines[-1]


def test_a_null_is_a_gap() -> None:
    points = [(t, None if 200 * HOUR < t < 300 * HOUR else v) for t, v in WAVE]
    rows = terminal_chart(points, 80, 10).split("\n")[:10]
    drawn = {column for row in rows for column, sign in enumerate(row) if sign in BRAILLE}
    assert set(range(36, 48)) & drawn == set()
    assert {10, 20, 60, 70} <= drawn


@pytest.mark.parametrize(
    "points",
    [
        [(5, 1.0)],
        [(5, 1e308), (6, -1.7e308)],
        [(5, 1e16), (6, 1e16 + 2)],
        [(-62135596800.0, 0.0), (253402300799.0, 5e-324)],
        [(5, 3e-9), (5.0000001, 4e-9)],
        [(5, True), (6, False), (7, None)],
    ],
)
def test_odd_numbers_are_drawn(points: list[Any]) -> None:
    rows = terminal_chart(points, 60, 9).split("\n")
    assert BRAILLE & set("".join(rows))
    assert max(map(len, rows)) <= 60
    ElementTree.fromstring(svg_chart(points, "odd"))


def test_marks_are_round() -> None:
    scale, marks = Scale(0.0, 86400.0, 0.2, 3.9).rounded(5)
    assert [mark.label for mark in marks] == ["0", "1", "2", "3", "4"]
    assert [mark.label for mark in scale.times(4)] == ["1 Jan", "06:00", "12:00", "18:00"]
    years = Scale(0.0, 21 * 365.25 * 86400, 0, 1).times(4)
    assert [mark.label for mark in years] == ["1970", "1980", "1990"]


def test_plot_shows_a_chart_of_the_series(power: timetric.Series) -> None:
    lines = repr(power.plot(width=60, height=8)).split("\n")
    assert lines[0] == "Office power, kW"
    assert lines[1].startswith("1,000 points, ") and lines[1].endswith(" 4 min ago, latest 4.25 kW")
    assert len(lines) == 12
    assert max(map(len, lines)) <= 60
    assert BRAILLE & set("".join(lines))


def test_plot_of_a_window_shows_the_window(power: timetric.Series) -> None:
    chart = power.last("30h").plot()
    assert repr(chart).startswith("Office power, kW\n30 points, ")
    assert len(chart.points) == 30


def test_many_points_are_thinned_and_keep_what_stands_out(series: timetric.Series) -> None:
    rows = [b"%d,%d\n" % (t, t == 7777) for t in range(20_000) if not 9000 < t < 11_000]
    series.update(io.BytesIO(b"".join(rows)))
    chart = series.plot()
    assert len(chart.points) <= 2000
    assert (7777.0, 1.0) in chart.points
    assert f"{len(rows):,} points" in repr(chart)
    assert chart._repr_html_().count("M") > 2  # the hole breaks the line


def test_plot_raises_as_reading_does(client: timetric.TimetricClient) -> None:
    with pytest.raises(timetric.NotFound):
        client.series("A" * 22).plot()


def test_plot_of_nothing(series: timetric.Series) -> None:
    assert repr(series.plot()) == "Office power\nno points\nno numbers to draw"


def test_matplotlib_draws_it(power: timetric.Series) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    assert power.plot(matplotlib=axes) is axes
    [line] = axes.get_lines()
    assert len(line.get_xdata()) == 1000
    assert (axes.get_title(), axes.get_ylabel()) == ("Office power", "kW")


def test_open_opens_the_page(series: timetric.Series) -> None:
    opened: list[str] = []

    class Browser(webbrowser.BaseBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
            opened.append(url)
            return True

    webbrowser.register("of-the-test", None, Browser(), preferred=True)
    assert series.open()
    assert opened == [series.url]


# a notebook


def test_a_notebook_shows_a_card(power: timetric.Series) -> None:
    html = power._repr_html_()
    whole = ElementTree.fromstring(html)
    text = "".join(whole.itertext())
    assert "Office power" in text and "1,000 points" in text and "latest 4.25 kW" in text
    link = whole.find(".//a")
    assert link is not None and link.get("href") == power.url
    assert whole.find(".//{http://www.w3.org/2000/svg}path") is not None
    assert "prefers-color-scheme:dark" in html and "currentColor" in html


def test_a_notebook_of_a_window(power: timetric.Series) -> None:
    assert "30 points" in power.last("30h")._repr_html_()


@pytest.mark.parametrize("field", ["title", "caption", "unit", "description", "source"])
def test_nothing_is_smuggled_into_a_notebook(client: timetric.TimetricClient, field: str) -> None:
    texts = {"title": "T", "caption": "c", field: SMUGGLED}
    series = client.create_series([(1, 2)], **texts)
    for html in (series._repr_html_(), series.plot()._repr_html_()):
        whole = ElementTree.fromstring(html)
        names = {element.tag.rpartition("}")[2] for element in whole.iter()}
        assert names <= {"div", "b", "a", "svg", "style", "path", "g", "text", "circle"}
        assert not [a for element in whole.iter() for a in element.attrib if a.startswith("on")]


def test_a_card_links_to_pages_only() -> None:
    assert "href" not in card("T", "javascript:alert(1)", [])
    assert "<" not in card(SMUGGLED, "x", [SMUGGLED]).replace("<div", "").replace("</", "").replace(
        "<b>", ""
    )


def test_a_notebook_tells_in_words_what_failed(client: timetric.TimetricClient) -> None:
    html = client.series("A" * 22)._repr_html_()
    assert "No chart: " in html and "no such series" in html
    nobody = timetric.TimetricClient(NOBODY)
    assert "No chart: " in nobody.series("A" * 22)._repr_html_()
