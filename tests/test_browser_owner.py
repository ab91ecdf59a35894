"""Keeping series in a real browser: every form, with the pages' scripts and without them."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.browser import Browser, needed
from tests.conftest import ROOT
from tests.dancing import link
from tests.service import NOON, Service, running_service
from tests.test_browser_account import sign_in_by_link

pytestmark = needed

DAY = "".join(
    f"{NOON - 60 * (400 - minute):.0f},{3 + 2 * math.sin(minute / 50):.3f}\n"
    for minute in range(400)
)
WRONG = "2009-03-11 09:00,3.5\n2009-03-11 09:01,3,6\n2009-03-11 09:02,3.4\n"
LONG = "A title without a blank " + "x" * 150


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "store") as running:
        yield running


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    sign_in_by_link(service, opened)
    yield opened
    opened.driver.quit()


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def any_browser(
    request: pytest.FixtureRequest, service: Service, tmp_path: Path
) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile", scripts=request.param)
    sign_in_by_link(service, opened)
    yield opened
    opened.driver.quit()


def at(browser: Browser) -> str:
    return urlsplit(browser.driver.current_url).path


def choose(browser: Browser, path: Path) -> None:
    browser.driver.find_element("id", "csv").send_keys(str(path))


def faults(browser: Browser) -> list[Any]:
    """What a browser complains of, the refusals aside that were provoked."""
    return [fault for fault in browser.faults() if "status of 4" not in fault["message"]]


def metadata(service: Service, path: str) -> Any:
    return json.loads(service.owner_sends("GET", f"{path}metadata/").body)


def test_a_series_is_made_kept_and_removed(service: Service, any_browser: Browser) -> None:
    browser = any_browser
    browser.follow("New series")
    browser.fill(title="Office power", caption="Power drawn by the office", pasted=WRONG)
    browser.press("Preview")
    assert browser.shows("Line 2: '2009-03-11 09:01,3,6' has 3 columns")
    assert browser.value("title") == "Office power"
    assert browser.value("pasted") == WRONG
    browser.driver.find_element("id", "pasted").clear()
    browser.fill(pasted=WRONG.replace("3,6", "3.6"))
    browser.tick("Public")
    browser.press("Preview")
    assert browser.shows("This was understood")
    assert browser.shows("3 points, from 2009-03-11 09:00:00 UTC to 2009-03-11 09:02:00 UTC.")
    browser.press("Create series")
    assert browser.shows("The series is made, with 3 points.")
    path = at(browser)
    assert service.csv(path) == b"1236762000.0,3.5\n1236762060.0,3.6\n1236762120.0,3.4\n"
    assert metadata(service, path)["public"] is True
    add_values(browser)
    change_what_it_says(browser)
    assert metadata(service, path)["tags"] == ["energy", "office"]
    browser.press("Make private")
    assert browser.shows("Only you can see the series now.")
    assert metadata(service, path)["public"] is False
    take_away(browser)
    assert service.owner_sends("GET", path).status == 404
    assert faults(browser) == []


def add_values(browser: Browser) -> None:
    browser.fill(value="14,25")
    browser.press("Add value")
    assert browser.shows("'14,25' is no value")
    assert browser.value("value") == "14,25"
    browser.fill(value="14.25")
    browser.press("Add value")
    assert browser.shows("14.25 is stored at 2009-03-11 12:00:00 UTC.")
    browser.fill(value="3", timestamp="2009-03-11 11:00")
    browser.press("Add value")
    assert browser.shows("3 is stored at 2009-03-11 11:00:00 UTC.")


def change_what_it_says(browser: Browser) -> None:
    browser.follow("Edit")
    browser.fill(title="", tags="energy; office", unit="kW")
    browser.fill(source_url="https://office.example/", latitude="north")
    browser.driver.find_element("id", "title").send_keys(" ")
    browser.press("Save")
    assert browser.shows("The title is required.")
    assert browser.value("tags") == "energy; office"
    browser.fill(title="Office power", latitude="52.5")
    browser.press("Save")
    assert browser.shows("The changes are saved.")
    assert browser.shows("14.25 kW")


def take_away(browser: Browser) -> None:
    browser.follow("Clear")
    assert browser.shows("Clear 5 points?")
    browser.follow("Keep them")
    browser.follow("Clear")
    browser.press("Clear the series")
    assert browser.shows("5 points cleared.")
    browser.follow("Remove")
    assert browser.shows("Remove the series?")
    browser.press("Remove the series")
    assert browser.shows("The series was removed, with all its points.")


def test_a_file_is_uploaded(service: Service, any_browser: Browser, tmp_path: Path) -> None:
    browser, path = any_browser, service.create()
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(DAY)
    bad.write_text("1,2\n" * 300_000 + "1,x\n")
    browser.open(f"{service.url.rstrip('/')}{path}upload/")
    browser.press("Upload")
    assert browser.shows("There are no points in it.")
    choose(browser, bad)
    browser.press("Upload")
    assert browser.shows("Line 300001: 'x' is no value")
    browser.open(f"{service.url.rstrip('/')}{path}upload/")
    choose(browser, good)
    browser.press("Upload")
    assert browser.shows("400 rows read: 400 points added.")
    assert at(browser) == path
    assert service.csv(path).count(b"\n") == 400
    assert faults(browser) == []


def test_a_large_file_stays_chosen_over_the_preview(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    file.write_text("".join(f"{number},{number % 7}\n" for number in range(200_000)))
    browser.open(f"{service.url}new/")
    browser.fill(title="Large", caption="C")
    choose(browser, file)
    browser.press("Preview")
    assert browser.shows("200,000 points")
    assert "once more" not in browser.text
    browser.press("Create series")
    assert browser.shows("The series is made, with 200,000 points.")
    assert service.csv(at(browser)).count(b"\n") == 200_000
    assert faults(browser) == []


def test_a_large_file_is_chosen_again_without_scripts(service: Service, tmp_path: Path) -> None:
    browser, file = Browser(tmp_path / "plain", scripts=False), tmp_path / "large.csv"
    file.write_text("".join(f"{number},{number % 7}\n" for number in range(200_000)))
    try:
        sign_in_by_link(service, browser)
        browser.open(f"{service.url}new/")
        browser.fill(title="Large", caption="C")
        choose(browser, file)
        browser.press("Preview")
        assert browser.shows("Choose large.csv once more")
        choose(browser, file)
        browser.press("Create series")
        assert browser.shows("The series is made, with 200,000 points.")
    finally:
        browser.driver.quit()


def test_an_upload_tells_how_far_it_is_and_can_be_stopped(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    path, file = service.create(), tmp_path / "large.csv"
    file.write_text("".join(f"{number},{number % 7}\n" for number in range(300_000)))
    throttle(browser, 400_000)
    browser.open(f"{service.url.rstrip('/')}{path}upload/")
    choose(browser, file)
    browser.press("Upload")
    assert browser.shows(" MiB sent", "series-upload-sending")
    browser.press("Stop")
    assert browser.driver.find_elements("tag name", "progress") == []
    assert service.csv(path) == b""
    throttle(browser, -1)
    browser.press("Upload")
    assert browser.shows("300,000 rows read: 300,000 points added.")
    assert faults(browser) == []


def throttle(browser: Browser, bytes_a_second: int) -> None:
    """The speed of what is sent; -1 is any."""
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions", {**limits, "uploadThroughput": bytes_a_second}
    )


def test_too_large_a_file_is_not_sent_at_all(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_text("1,2\n" * 1000)
    browser = Browser(tmp_path / "profile")
    try:
        with running_service(tmp_path / "store", max_body=1000) as service:
            sign_in_by_link(service, browser)
            browser.open(f"{service.url.rstrip('/')}{service.create()}upload/")
            choose(browser, file)
            browser.press("Upload")
            assert browser.shows("large.csv has 3.91 KiB, and 1000 bytes are taken")
    finally:
        browser.driver.quit()


def test_the_pages_look_as_they_should(service: Service, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{service.url}account/")
    assert browser.shows("Your series", "account-series")
    browser.open(f"{service.url}new/")
    assert browser.shows("New series", "new")
    browser.fill(title="Office power", caption="Power drawn by the office, in kW", pasted=WRONG)
    browser.press("Preview")
    assert browser.shows("has 3 columns", "new-wrong")
    file = tmp_path / "office.csv"
    file.write_text(DAY)
    browser.driver.find_element("id", "pasted").clear()
    choose(browser, file)
    browser.press("Preview")
    assert browser.shows("The lines of office.csv stand in the field below", "new-preview")
    browser.press("Create series")
    assert browser.shows("The series is made", "series-made")
    place = browser.driver.current_url.partition("?")[0]
    patch = {
        "description": "A meter at the main line, read each minute.\n\nGaps are when it was off.",
        "tags": ["energy", "office"],
        "unit": "kW",
        "source": "Our meter",
        "source_url": "https://office.example/meter",
        "latitude": 52.52,
        "longitude": 13.4,
        "public": True,
        "slug": "office-power",
    }
    kind = {"Content-Type": "application/json"}
    path = urlsplit(place).path
    assert service.owner_sends("PATCH", f"{path}metadata/", json.dumps(patch).encode(), kind)
    service.clock.advance(180)
    browser.open(place)
    assert browser.shows("4 min ago", "series-owner")
    for name, words in (("edit/", "Save"), ("upload/", "Upload"), ("add/", "Add value")):
        browser.open(place + name)
        assert browser.shows(words, f"series-{name[:-1]}")
    browser.fill(value="x")
    browser.press("Add value")
    assert browser.shows("is no value", "series-add-wrong")
    for name, words in (("clear/", "Clear 400 points?"), ("remove/", "Remove the series?")):
        browser.open(place + name)
        assert browser.shows(words, f"series-{name[:-1]}")
    browser.open(f"{place}edit/")
    service.owner_sends("PATCH", f"{path}metadata/", b'{"title": "Theirs"}', kind)
    browser.press("Save")
    assert browser.shows("Somebody has changed", "series-edit-outdated")
    long = service.owner_sends("POST", f"/create/?title={quote(LONG)}&caption=C&unit=kW")
    browser.open(f"{long.headers['Location']}")
    assert browser.shows("There are no points yet", "series-empty")
    browser.open(f"{long.headers['Location']}remove/")
    assert browser.shows("Remove the series?", "series-remove-long")
    assert faults(browser) == []


def test_others_are_refused(service: Service, browser: Browser, tmp_path: Path) -> None:
    private, public = service.create(b"1,2"), service.create(b"1,2", public=True)
    other = Browser(tmp_path / "other")
    try:
        other.open(f"{service.url.rstrip('/')}{private}edit/")
        assert other.shows("Sign in")
        other.open(service.url.rstrip("/") + link(service, service.storage.accounts.user("other")))
        other.press("Sign in")
        assert other.shows("You are signed in")
        other.open(f"{service.url.rstrip('/')}{private}edit/")
        assert other.shows("There is no such series.")
        other.open(f"{service.url.rstrip('/')}{public}remove/")
        assert other.shows("The series is someone else's.")
        other.open(f"{service.url.rstrip('/')}{public}")
        assert "Your series" not in other.text
    finally:
        other.driver.quit()


def test_a_form_on_another_site_does_nothing(service: Service, browser: Browser) -> None:
    path = service.create(b"1,2")
    action = f"{service.url.rstrip('/')}{path}clear/"
    form = f'<main><form method="post" action="{action}"><button>Win</button></form></main>'
    browser.open(f"data:text/html,{quote(form)}")
    browser.press("Win")
    assert browser.shows("The form was not sent from a page of this service.")
    assert service.csv(path) == b"1.0,2.0\n"


@pytest.mark.parametrize("public", [True, False])
def test_the_snippets_run(service: Service, browser: Browser, public: bool) -> None:
    path = service.create(b"1,2\n60,null\n", public=public)
    browser.open(f"{service.url.rstrip('/')}{path}")
    assert browser.shows("Add a value with Python")
    snippet = {
        name: browser.driver.find_element("id", name).text
        for name in ("curl", "curl-write", "python", "python-write")
    }
    environment = {f"TIMETRIC_{name.upper()}": text for name, text in service.config.items()}
    environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nowhere"}
    alone = {"PATH": os.environ["PATH"]}
    read = run(["bash", "-c", snippet["curl"]], alone if public else environment)
    assert read == "1970-01-01T00:00:01,2.0\n1970-01-01T00:01:00,null\n"
    run(["bash", "-c", snippet["curl-write"]], environment)
    assert service.csv(path).endswith(b"1236772800.0,14.25\n")
    told = run([sys.executable, "-c", snippet["python"]], environment)
    service.clock.advance(60)
    run([sys.executable, "-c", snippet["python-write"]], environment)
    assert service.csv(path).endswith(b"1236772860.0,14.25\n")
    assert told.splitlines()[:2] == ["1.0 2.0", "60.0 None"]
    browser.allow_the_clipboard()
    browser.press("Copy program")
    assert browser.shows("Copied")
    assert browser.clipboard.strip() == snippet["python"].strip()
    assert faults(browser) == []


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_forms_take_no_mouse(service: Service, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(f"{service.url}new/")
    browser.tab_to("Title")
    browser.type("Office power", Keys.TAB, "Its power", Keys.TAB, "1,2", Keys.TAB, Keys.TAB)
    browser.tab_to("Preview")
    browser.type(Keys.ENTER)
    assert browser.shows("This was understood")
    browser.tab_to("Create series")
    browser.type(Keys.ENTER)
    assert browser.shows("The series is made, with 1 point.")
    browser.tab_to("Value")
    browser.type("14", Keys.ENTER)
    assert browser.shows("14 is stored at")
