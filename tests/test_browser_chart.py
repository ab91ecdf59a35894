"""The chart of a series' page in a real browser: with a mouse, fingers and keys, and read aloud."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.browser import Browser, needed
from tests.charting import Chart
from tests.dancing import link
from tests.service import NOON, Service, basic, running_service
from tests.test_pages import PERSON, loaded
from timetric.points import Point, format_csv

pytestmark = needed

MINUTE, DAY = 60.0, 86400.0
SIZE = 60_000  # minutes, some six weeks, which end at noon
LIGHTEST = 60 * 1024  # bytes that a page may be, packed, apart from its points


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "store") as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.driver.quit()


def make(service: Service, title: str, points: list[Point], public: bool = True) -> str:
    """The ID of a new series."""
    fields = {"title": title, "caption": "C", "unit": "W", "public": str(public).lower()}
    headers = {**basic(service.config), "Content-Type": "text/csv"}
    body = b"".join(format_csv(points))
    reply = service.send("POST", f"/create/?{urlencode(fields)}", body, headers)
    assert reply.status == 201, reply
    return urlsplit(reply.headers["Location"]).path.split("/")[2]


def minutes(size: int = SIZE, scale: float = 10.0) -> list[Point]:
    first = NOON - (size - 1) * MINUTE
    return [(first + n * MINUTE, scale * (2 + math.sin(n / 500))) for n in range(size)]


def test_a_zoom_brings_finer_points(service: Service, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes())}/")
    start, end = chart.drawn()
    assert (start, round(end)) == (NOON - (SIZE - 1) * MINUTE, NOON)
    assert "60,000 numbers" in chart.text("told-shown")
    assert chart.point_at(0.5).startswith("mean ")
    from_time, to_time = chart.drag(0.4, 0.41)
    assert to_time - from_time == pytest.approx(0.01 * SIZE * MINUTE, rel=0.3)
    assert start + 0.39 * (end - start) < from_time < start + 0.41 * (end - start)
    found = [t for t in chart.column(0) if t is not None and from_time <= t < to_time]
    assert {round(b - a) for a, b in zip(found, found[1:])} == {60}
    assert re.search(r" W at 2009-0\d-\d\d \d\d:\d\d$", chart.point_at(0.5))
    zoomed = chart.told
    chart.drag(0.2, 0.6)
    assert chart.press_on_plot(Keys.ESCAPE) == tuple(map(float, zoomed.split()[:2]))
    assert chart.press_on_plot(Keys.HOME) == (start, end)
    assert browser.faults() == []


def test_a_double_click_goes_out(service: Service, browser: Browser) -> None:
    from selenium.webdriver import ActionChains

    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes(5000))}/")
    whole = chart.drawn()
    chart.drag(0.2, 0.6)
    over = browser.driver.find_element("class name", "u-over")
    out = ActionChains(browser.driver).double_click(over).perform
    assert chart.after(out) == whole


def test_presets_end_with_the_latest_point(service: Service, browser: Browser) -> None:
    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes())}/")
    whole = chart.drawn()
    for name, days in (("day", 1), ("week", 7), ("month", 30), ("year", 365)):
        start, end = chart.preset(name)
        assert end == NOON + 1
        assert end - start == days * DAY
        assert chart.pressed() == [name.capitalize()]
    assert "60,000 numbers" in chart.text("told-shown")
    assert chart.preset("all") == whole
    assert chart.pressed() == ["All"]
    assert chart.query == {}


def test_keys_move_and_zoom(service: Service, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes())}/")
    whole = chart.drawn()
    browser.tab_to("Chart of Power")
    assert "3px" in browser.focused.value_of_css_property("outline")
    start, end = chart.press("+")
    assert end - start == pytest.approx((whole[1] - whole[0]) / 2, abs=2)
    length = end - start
    assert chart.press(Keys.ARROW_LEFT)[0] == pytest.approx(start - length / 4, abs=2)
    assert chart.press(Keys.ARROW_RIGHT)[0] == pytest.approx(start, abs=4)
    assert chart.press_shifted(Keys.ARROW_LEFT)[0] < start - length / 3
    assert chart.press("-", "-", "0")[1] > end
    assert chart.drawn() == whole


def test_a_range_survives_a_reload_and_is_shared_by_its_address(
    service: Service, browser: Browser
) -> None:
    page = f"{service.url}series/{make(service, 'Power', minutes())}/"
    chart = Chart(browser, page)
    shown = chart.preset("day")
    assert chart.query == {"start": ["2009-03-10T12:00:01"], "end": ["2009-03-11T12:00:01"]}
    browser.driver.refresh()
    assert chart.drawn() == shown
    assert chart.pressed() == ["Day"]
    query = "start=2009-03-01&end=1236038400.5"  # as the API takes them
    assert Chart(browser, f"{page}?{query}").drawn() == (1235865600, 1236038400.5)
    whole = Chart(browser, f"{page}?start=soon&end=2009-03-01").drawn()
    assert whole[0] == NOON - (SIZE - 1) * MINUTE, "what can't be read is not believed"


def test_a_null_breaks_the_line_also_from_afar(service: Service, browser: Browser) -> None:
    points = minutes()
    for n in range(20_000, 26_000):
        points[n] = (points[n][0], None)
    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', points)}/")
    times, means = chart.column(0), chart.column(3)
    assert len(times) < 2000
    [gap] = [t for t, mean in zip(times, means) if mean is None]
    assert points[20_000][0] <= (gap or 0) <= points[26_000][0]
    clip = "return charts[0].plot.series[3]._paths.gaps.length"
    assert browser.driver.execute_script(clip) == 1
    middle = (20_000 + 3_000) / SIZE
    assert chart.point_at(middle).startswith("no value at ")


def test_the_table_holds_what_is_shown(service: Service, browser: Browser) -> None:
    rows: list[Point] = [(NOON, 1.5), (NOON + 60, None), (NOON + 120, True), (NOON + 3600, 4.0)]
    chart = Chart(browser, f"{service.url}series/{make(service, 'Few', rows)}/")
    chart.click(".in-numbers summary")
    assert chart.table() == [
        ["Time (UTC)", "Value (W)"],
        ["2009-03-11 12:00", "1.5"],
        ["2009-03-11 12:01", "no value"],
        ["2009-03-11 12:02", "1"],
        ["2009-03-11 13:00", "4"],
    ]
    chart = Chart(browser, f"{service.url}series/{make(service, 'Many', minutes())}/")
    chart.click(".in-numbers summary")
    head, *body = chart.table()
    assert head == ["From (UTC)", "Least (W)", "Mean (W)", "Greatest (W)", "Points"]
    assert len(body) == 40
    assert sum(int(cells[4].replace(",", "")) for cells in body) == SIZE
    chart.preset("day")
    assert chart.table()[1][0] == "2009-03-10 12:00"
    assert sum(int(cells[4]) for cells in chart.table()[1:]) == 1440


def test_series_are_compared_and_removed(service: Service, browser: Browser) -> None:
    first = make(service, "Power", minutes(5000))
    second = make(service, "Warmth", minutes(5000, scale=-3.0))
    chart = Chart(browser, f"{service.url}series/{first}/")
    field = browser.driver.find_element("id", "compare-words")
    field.send_keys("warm")
    assert browser.shows("1 found")
    assert browser.shows("W, by owner")
    chart.after(lambda: chart.click(".found-series button"), lines=2)
    assert chart.lines() == ["Power", "Warmth"]
    assert chart.query["compare"] == [second]
    assert axes(browser) == ["y0", "y1"]
    own = [v for v in chart.column(6) if v is not None]
    assert max(own) < 0
    chart.after(lambda: chart.click(".modes [value='100']"), lines=2)
    assert axes(browser) == ["y"]
    assert [chart.column(3)[0], chart.column(6)[0]] == pytest.approx([100, 100])
    assert chart.query["rebase"] == ["100"]
    browser.driver.refresh()
    chart.drawn(2)
    assert chart.lines() == ["Power", "Warmth"]
    assert axes(browser) == ["y"]
    assert browser.shows("Rebased to 100", "chart-compared")
    chart.after(lambda: chart.click("[aria-label='Remove Warmth']"))
    assert chart.lines() == ["Power"]
    assert chart.query == {}
    assert browser.faults() == []


def axes(browser: Browser) -> list[str]:
    script = "return charts[0].plot.axes.slice(1).map(axis => axis.scale)"
    found: list[str] = browser.driver.execute_script(script)
    return found


def test_a_series_that_begins_at_zero_is_not_rebased_and_that_is_said(
    service: Service, browser: Browser
) -> None:
    first = make(service, "Power", [(NOON, 2.0), (NOON + 60, 3.0)])
    zero = make(service, "Zero", [(NOON, 0.0), (NOON + 60, 3.0)])
    Chart(browser, f"{service.url}series/{first}/?compare={zero}&rebase=100", lines=2)
    assert browser.shows("Zero can't be rebased")


def test_a_private_series_is_drawn_for_its_owner_only(service: Service, browser: Browser) -> None:
    own = make(service, "Secret", minutes(100), public=False)
    public = make(service, "Open", minutes(100))
    browser.open(f"{service.url}series/{own}/")
    assert browser.shows("Sign in first")
    assert "Secret" not in browser.text
    assert service.send("GET", f"/series/{own}/chart.json").status == 401
    chart = Chart(browser, f"{service.url}series/{public}/?compare={own}")
    assert browser.shows("A series to compare with is not there, or not yours to see.")
    assert chart.lines() == ["Open"]
    browser.open(service.url.rstrip("/") + link(service))
    browser.press("Sign in")
    assert browser.shows("You are signed in")
    chart = Chart(browser, f"{service.url}series/{public}/?compare={own}", lines=2)
    assert chart.lines() == ["Open", "Secret"]
    chart = Chart(browser, f"{service.url}series/{own}/")
    assert "100 numbers" in chart.text("told-shown")
    chart = Chart(browser, f"{service.url}series/{public}/")
    browser.driver.find_element("id", "compare-words").send_keys("secret")
    assert browser.shows("1 found")


def test_two_fingers_zoom_and_one_moves(service: Service, browser: Browser) -> None:
    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes())}/")
    start, end = chart.drawn()
    length, middle = (end - start) / 4, (start + end) / 2
    touch(browser, [(0.4, 0.1), (0.6, 0.9)])
    chart.comes_to(middle - length / 2, middle + length / 2)
    touch(browser, [(0.3, 0.7)])
    chart.comes_to(middle - 0.9 * length, middle + 0.1 * length)


def touch(browser: Browser, fingers: list[tuple[float, float]]) -> None:
    """Move fingers from parts of the plot's width to others."""
    place = browser.driver.execute_script(
        "const over = document.querySelector('.u-over'); over.scrollIntoView({block: 'center'});"
        "const box = over.getBoundingClientRect();"
        "return [box.left, box.top + box.height / 2, box.width]"
    )

    def send(kind: str, moved: float) -> None:
        points = [
            {"x": place[0] + (a + (b - a) * moved) * place[2], "y": place[1], "id": number}
            for number, (a, b) in enumerate(fingers)
        ]
        command = {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", command)

    send("touchStart", 0)
    for step in range(1, 9):
        send("touchMove", step / 8)
    send("touchEnd", 1)


def test_the_chart_looks_as_it_should(service: Service, browser: Browser) -> None:
    chart = Chart(browser, f"{service.url}series/{make(service, 'Power', minutes())}/")
    chart.click(".in-numbers summary")
    assert browser.shows("As a table", "chart")
    assert browser.faults() == []


def test_what_fails_is_said_and_can_be_tried_again(service: Service, browser: Browser) -> None:
    id = make(service, "Power", minutes())
    chart = Chart(browser, f"{service.url}series/{id}/")
    service.owner_sends("DELETE", f"/series/{id}/?series=true")
    chart.click("[data-preset=day]")
    assert browser.shows("The chart could not be read: There is no such public series")
    assert browser.driver.find_element("class name", "again").is_displayed()


def test_without_scripts_there_is_a_picture(service: Service, tmp_path: Path) -> None:
    id = make(service, "Power", minutes(100))
    plain = Browser(tmp_path / "plain", scripts=False)
    plain.open(f"{service.url}series/{id}/")
    [picture] = plain.driver.find_elements("css selector", "figure.chart img")
    assert urlsplit(picture.get_attribute("src")).path == f"/series/{id}/chart.svg"
    shown = [each.text for each in plain.driver.find_elements("css selector", "figure button")]
    assert set(shown) <= {""}, "what needs scripts is not shown"
    plain.driver.quit()


def test_without_scripts_the_picture_is_of_the_range_that_is_shared(service: Service) -> None:
    path = f"/series/{make(service, 'Power', minutes(100))}/"
    page = service.send("GET", f"{path}?start=10&end=2009-03-10T12:00").body.decode()
    [picture] = re.findall(r'<noscript><img src="[^"]*/chart\.svg\?([^"]*)"', page)
    fields = parse_qs(unescape(picture))
    assert (fields["start"], fields["end"]) == (["10"], ["2009-03-10T12:00"])
    assert service.send("GET", f"{path}chart.svg?{unescape(picture)}").status == 200


def test_an_empty_series_has_no_chart(service: Service) -> None:
    page = service.send("GET", f"/series/{make(service, 'Empty', [])}/")
    assert b"There are no points yet" in page.body
    assert b"<figure" not in page.body


def test_the_whole_page_is_light(service: Service) -> None:
    packed = {**PERSON, "Accept-Encoding": "gzip"}
    path = f"/series/{make(service, 'Power', minutes(100))}/"
    page = service.send("GET", path, headers=packed)
    files = loaded(page._replace(body=gzip.decompress(page.body)))
    files = [file for file in files if "/static/" in file]  # the picture is of points
    assert {"uplot", "chart", "style"} <= {re.split(r"[/-]", file)[-2] for file in files}
    sizes = [len(service.send("GET", file, headers=packed).body) for file in files]
    assert len(page.body) + sum(sizes) < LIGHTEST
