"""The pages that everybody may see, in a real browser, with a mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, needed
from tests.service import Service, running_service
from tests.test_pages import make

pytestmark = needed

LONG = "A title without a blank " + "x" * 150


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "store") as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.driver.quit()


def test_the_pages_look_as_they_should(service: Service, browser: Browser) -> None:
    browser.open(service.url)
    assert browser.shows("no series that everybody may see yet", "home-empty")
    path = make(service, "Office power", public=True)
    service.owner_sends("POST", f"{path}?value=14.25")
    make(service, LONG, public=True)
    browser.open(service.url)
    assert browser.shows("Newest series", "home")
    browser.open(f"{service.url}search/")
    assert browser.shows("2 found", "search")
    browser.follow("Office power")
    assert browser.shows("14.25", "series")
    browser.open(f"{service.url}search/?q=nothing")
    assert browser.shows("Nothing was found", "search-nothing")
    browser.open(f"{service.url}account/sign-in/")
    assert browser.shows("Sign in", "sign-in")
    assert browser.faults() == []
    browser.open(f"{service.url}nothing/")
    assert browser.shows("There is nothing at this address", "not-found")


def test_one_goes_from_page_to_page_and_from_tag_to_tag(service: Service, browser: Browser) -> None:
    for number in range(7):
        make(service, f"Office {number}", "public data", f"{number % 2}/2", public=True)
    browser.open(f"{service.url}search/?q=office&n=3")
    assert browser.shows("1 to 3 of 7")
    browser.follow("Next")
    assert browser.shows("4 to 6 of 7", "search-pages")
    browser.follow("Next")
    assert browser.shows("7 to 7 of 7")
    browser.follow("Previous")
    assert browser.shows("4 to 6 of 7")
    browser.follow("Office 2")
    browser.follow("0/2")
    assert browser.shows("Series tagged “0/2”")
    assert browser.shows("4 found", "search-tag")
    browser.follow("owner")
    assert browser.shows("Series by owner")
    assert browser.shows("7 found")


def test_a_search_takes_no_mouse(service: Service, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    make(service, "Office power", public=True)
    browser.open(f"{service.url}help/")
    for expected in ("Skip to the content", "Timetric", ""):
        browser.type(Keys.TAB)
        assert browser.focused.text == expected
    browser.type("office", Keys.ENTER)
    assert browser.shows("1 found")
    browser.type(Keys.TAB, Keys.ENTER)
    browser.type(Keys.TAB, Keys.ENTER)
    assert browser.shows("Take it away")
