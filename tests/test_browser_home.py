"""Home, search and help in a real browser: what is found while one types, by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser, needed
from tests.dancing import link
from tests.service import Service, running_service
from tests.test_pages import make

pytestmark = needed

XSS = "<img src=x onerror=document.title='run'> Office & power"
LONG = "Office " + "x" * 150


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "store", rate="2000/min", anonymous_rate="200/min") as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.driver.quit()


def sign_in(service: Service, browser: Browser, name: str = "owner") -> None:
    browser.driver.delete_all_cookies()
    browser.open(f"{service.url}{link(service, service.storage.accounts.user(name)).lstrip('/')}")
    browser.press("Sign in")
    assert browser.shows("Sign out")


def enter(browser: Browser, text: str) -> None:
    """Type into the box, which is empty afterwards but for that."""
    from selenium.webdriver.common.keys import Keys

    box = browser.driver.find_element("id", "q")
    box.click()
    browser.type(Keys.END, *[Keys.BACKSPACE] * len(browser.value("q")), text)


def box(browser: Browser, attribute: str) -> str | None:
    return browser.driver.find_element("id", "q").get_dom_attribute(attribute)


def options(browser: Browser) -> list[str]:
    """The titles that are offered, and what leads to all."""
    found = browser.driver.find_elements("css selector", "[role=option]")
    return [option.text.splitlines()[0] for option in found if option.is_displayed()]


def offers(browser: Browser, *titles: str) -> bool:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser.driver, 30).until(lambda _: options(browser) == list(titles))
    return True


def comes_to(browser: Browser, title: str) -> bool:
    """Whether the page of that title opens."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser.driver, 30).until(
        lambda driver: driver.title == f"{title} \u2013 Timetric"
    )
    return True


def chosen(browser: Browser) -> str:
    """What a screen reader is told is chosen, which is what looks like it; "" for nothing."""
    marked = browser.driver.find_elements("css selector", '[role=option][aria-selected="true"]')
    assert [option.get_dom_attribute("id") for option in marked] == [
        id for id in [box(browser, "aria-activedescendant")] if id
    ]
    return marked[0].text.splitlines()[0] if marked else ""


def told(browser: Browser) -> Any:
    script = "return document.querySelector('.search [role=status]').textContent"
    return browser.driver.execute_script(script)


def test_series_are_offered_while_one_types_and_chosen_by_keyboard(
    service: Service, browser: Browser
) -> None:
    from selenium.webdriver.common.keys import Keys

    for title in ("Office power", "Office light", "Weather"):
        path = make(service, title, "x", public=True)
        service.owner_sends("POST", f"{path}?value=14.25")
    browser.open(service.url)
    assert (box(browser, "role"), box(browser, "aria-expanded")) == ("combobox", "false")
    enter(browser, "of")
    assert offers(browser, "Office light", "Office power")
    assert told(browser) == "2 series found"
    assert box(browser, "aria-expanded") == "true"
    assert chosen(browser) == ""
    for key, expected in (
        (Keys.DOWN, "Office light"),
        (Keys.DOWN, "Office power"),
        (Keys.DOWN, ""),
        (Keys.UP, "Office power"),
    ):
        browser.type(key)
        assert chosen(browser) == expected
    assert browser.shows("14.25", "home-typed")
    browser.type(Keys.ENTER)
    assert comes_to(browser, "Office power")
    assert browser.faults() == []


def test_enter_without_a_choice_searches_and_escape_closes(
    service: Service, browser: Browser
) -> None:
    from selenium.webdriver.common.keys import Keys

    make(service, "Office power", public=True)
    browser.open(f"{service.url}help/")
    enter(browser, "office")
    assert offers(browser, "Office power")
    browser.type(Keys.ESCAPE)
    assert offers(browser)
    assert browser.value("q") == "office"
    browser.type(Keys.DOWN)
    assert offers(browser, "Office power")
    browser.type(Keys.TAB)
    assert offers(browser)
    assert browser.focused.text == "Search"
    enter(browser, "office")
    assert offers(browser, "Office power")
    browser.type(Keys.ENTER)
    assert browser.shows("1 found")
    assert browser.driver.current_url == f"{service.url}search/?q=office"


def test_the_service_is_asked_once_for_a_word_and_nothing_old_is_left_on_coming_back(
    service: Service, browser: Browser
) -> None:
    from selenium.webdriver.common.keys import Keys

    title = "Power that is drawn by the whole of the office"
    make(service, title, public=True)
    browser.open(f"{service.url}help/")
    enter(browser, title)
    assert offers(browser, title)
    script = "return performance.getEntriesByType('resource').map(each => each.name)"
    asked = [name for name in browser.driver.execute_script(script) if "results.thick" in name]
    assert 1 <= len(asked) < len(title) / 3, "not for each letter"
    browser.type(Keys.DOWN, Keys.ENTER)
    assert comes_to(browser, title)
    browser.driver.back()
    assert comes_to(browser, "Help")
    assert offers(browser)
    browser.driver.find_element("id", "q").click()
    browser.type(Keys.DOWN)
    assert offers(browser, title)


def test_a_click_opens_what_is_offered_and_the_last_leads_to_all(
    service: Service, browser: Browser
) -> None:
    for number in range(9):
        make(service, f"Office {number}", public=True)
    browser.open(service.url)
    enter(browser, "office")
    assert offers(browser, *(f"Office {number}" for number in range(8, 1, -1)), "All 9 series")
    browser.driver.find_elements("css selector", "[role=option]")[-1].click()
    assert browser.shows("9 found")
    enter(browser, "3")
    enter(browser, "office 3")
    assert offers(browser, "Office 3")
    browser.driver.find_element("css selector", "[role=option]").click()
    assert comes_to(browser, "Office 3")


def test_private_series_are_offered_to_their_owner_only(service: Service, browser: Browser) -> None:
    make(service, "Office, private")
    make(service, "Office, public", public=True)
    for name, expected in (
        ("", ["Office, public"]),
        ("other", ["Office, public"]),
        ("owner", ["Office, public", "Office, private"]),
    ):
        if name:
            sign_in(service, browser, name)
        browser.open(service.url)
        enter(browser, "office")
        assert offers(browser, *expected)
    assert "private" in browser.driver.find_elements("css selector", "[role=option]")[1].text
    assert browser.faults() == []


def test_nothing_found_and_what_goes_wrong_are_told(tmp_path: Path, browser: Browser) -> None:
    with running_service(tmp_path / "store", anonymous_rate="20/h") as service:
        browser.open(f"{service.url}help/")
        enter(browser, "nothing")
        assert browser.shows("No series has these words.")
        assert told(browser) == "No series found"
        assert box(browser, "aria-expanded") == "false"
        while service.send("GET", "/help/").status == 200:  # as others at this address do
            pass
        enter(browser, "again")
        assert browser.shows("too many requests")
        assert "too many requests" in told(browser)
    enter(browser, "gone")
    assert browser.shows("The search does not answer")


def test_what_a_series_says_of_itself_is_shown_as_it_is(service: Service, browser: Browser) -> None:
    make(service, XSS, "<script>document.title='run'</script>", public=True)
    make(service, LONG, public=True)
    browser.open(service.url)
    title = browser.driver.title
    enter(browser, "office")
    assert offers(browser, LONG, XSS) or offers(browser, XSS, LONG)
    browser.open(f"{service.url}tags/")
    assert browser.shows("<script>", "tags")
    assert browser.driver.find_elements("css selector", "main img, .found img") == []
    assert title.endswith("Timetric") and browser.driver.title.endswith("Timetric")
    assert browser.faults() == []


def test_home_and_help_look_as_they_should(service: Service, browser: Browser) -> None:
    browser.open(service.url)
    assert browser.shows("Make the first one", "home-empty")
    browser.open(f"{service.url}tags/")
    assert browser.shows("has a tag yet", "tags-empty")
    sign_in(service, browser)
    browser.open(service.url)
    assert browser.shows("You have none yet", "home-none-of-ones-own")
    for n in range(8):
        path = make(service, f"Office {n}", "office", "public data", public=n % 2 == 0)
        service.owner_sends("PUT", path, b"0,1\n60,3\n120,2\n", {"Content-Type": "text/csv"})
    browser.open(service.url)
    assert browser.shows("All 8 of yours", "home-of-ones-own")
    for page in ("help/", "help/start/", "help/protocol/", "tags/"):
        browser.open(f"{service.url}{page}")
        assert browser.shows("series", page.strip("/").replace("/", "-"))
    assert browser.faults() == []
    browser.open(f"{service.url}nothing/")
    assert browser.shows("There is nothing at this address", "nothing")


def test_a_sparkline_of_ones_own_private_series_is_drawn(
    service: Service, browser: Browser
) -> None:
    path = make(service, "Private")
    service.owner_sends("PUT", path, b"0,1\n60,3\n", {"Content-Type": "text/csv"})
    sign_in(service, browser)
    browser.open(service.url)
    image = browser.driver.find_element("class name", "sparkline")
    script = "return arguments[0].decode().then(() => arguments[0].naturalWidth)"
    assert browser.driver.execute_script(script, image) == 120


def test_an_example_is_copied_with_the_address_of_the_service(
    service: Service, browser: Browser
) -> None:
    browser.open(f"{service.url}help/start/")
    browser.allow_the_clipboard()
    [*_, program] = browser.driver.find_elements("xpath", "//button[@aria-label='Copy program']")
    program.click()
    assert browser.shows("Copied")
    assert browser.clipboard.startswith("print(series.latest())")
    browser.driver.find_elements("xpath", "//button[@aria-label='Copy commands']")[0].click()
    assert f"{service.url}create/" in browser.clipboard


def test_without_scripts_a_search_is_sent_and_help_is_read(
    service: Service, tmp_path: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    make(service, "Office power", "office", public=True)
    browser = Browser(tmp_path / "profile", scripts=False)
    try:
        browser.open(service.url)
        field = browser.driver.find_element("id", "q")
        field.send_keys("off", Keys.ENTER)
        assert browser.shows("1 found")
        browser.open(f"{service.url}tags/")
        browser.follow("office 1 series")
        assert browser.shows("Office power")
        browser.open(f"{service.url}help/protocol/")
        browser.follow("Errors")
        assert browser.driver.current_url.endswith("#errors")
        assert browser.driver.find_elements("class name", "copy") == []
    finally:
        browser.driver.quit()
