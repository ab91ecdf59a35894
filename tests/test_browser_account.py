"""The account pages in a real browser: with a mouse, by keyboard alone, and without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import timetric
from tests.browser import Browser, needed
from tests.dancing import link
from tests.service import Service, running_service
from timetric.server.storage import Quota

pytestmark = needed

PASSWORD = "correct horse battery"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "store", signup=Quota(10, 1000)) as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.driver.quit()


@pytest.fixture
def plain_browser(tmp_path: Path) -> Iterator[Browser]:
    """One in which pages' scripts do not run."""
    opened = Browser(tmp_path / "plain", scripts=False)
    yield opened
    opened.driver.quit()


def sign_in_by_link(service: Service, browser: Browser) -> None:
    browser.open(service.url.rstrip("/") + link(service))
    assert browser.shows("signs this browser in as")
    browser.press("Sign in")
    assert browser.shows("You are signed in")


def works(config: str) -> bool:
    with timetric.TimetricClient(json.loads(config)) as client:
        series = client.create_series(title="T", caption="C")
        series.update(14)
        return float(series) == 14.0


def test_through_all_of_it(service: Service, browser: Browser) -> None:
    browser.open(f"{service.url}account/")
    assert browser.shows("Without a password", "account-sign-in")
    sign_in_by_link(service, browser)
    browser.follow("Your account")
    assert browser.shows("You are signed in as owner", "account")
    go_through_tokens(browser)
    go_through_applications(service, browser)
    go_through_the_password(browser)
    go_through_sessions(browser)
    assert [fault for fault in browser.faults() if "status of 4" not in fault["message"]] == []


def go_through_tokens(browser: Browser) -> None:
    browser.follow("API tokens")
    assert browser.shows("Generate token", "tokens-first")
    browser.fill(name="Weather station", expires="in 30 days")
    browser.tick("Read only")
    browser.press("Generate token")
    assert browser.shows("Copy the secret now")
    browser.follow("Back to API tokens")
    browser.fill(name="Laptop")
    browser.press("Generate token")
    assert browser.shows("Copy config", "token")
    browser.allow_the_clipboard()
    browser.press("Copy config")
    assert browser.shows("Copied")
    assert works(browser.clipboard)
    browser.follow("Back to API tokens")
    browser.fill(name="Laptop")
    browser.press("Generate token")
    assert browser.shows("You have a token of that name", "tokens-wrong")
    browser.follow("Revoke Weather station")
    assert browser.shows("Keep it", "token-revoke")
    browser.press("Revoke token")
    assert browser.shows("The token was revoked.", "tokens")
    assert "Weather station" not in browser.text


def go_through_applications(service: Service, browser: Browser) -> None:
    browser.follow("Applications")
    assert browser.shows("You have registered no applications", "applications-first")
    browser.fill(name="Plots", callback="http://plots.example/a/../b")
    browser.press("Register application")
    assert browser.shows("A callback is a plain", "applications-wrong")
    browser.fill(callback="https://plots.example/timetric/")
    browser.press("Register application")
    assert browser.shows("The application is registered.", "application")
    config = json.loads(browser.texts("pre")[0])
    with timetric.TimetricClient(config) as program:
        token = program.get_request_token()
        browser.open(program.get_authorize_url(token))
        browser.press("Authorize")
        program.get_access_token(token, browser.pin)
        program.create_series(title="T", caption="C")
        browser.open(f"{service.url}account/authorized/")
        assert browser.shows("last used", "authorized")
        browser.follow("Revoke Plots")
        assert browser.shows("Revoke the access of Plots?", "authorized-revoke")
        browser.press("Revoke access")
        assert browser.shows("You have authorized none.", "authorized-none")
        with pytest.raises(timetric.TimetricClientError):
            program.create_series(title="T", caption="C")
    browser.follow("Applications")
    assert browser.shows("Plots", "applications")
    browser.follow("Delete Plots")
    assert browser.shows("Keep it", "application-delete")
    browser.press("Delete application")
    assert browser.shows("The application was deleted.")


def go_through_the_password(browser: Browser) -> None:
    browser.follow("Password")
    assert browser.shows("Set a password", "password-first")
    browser.fill(new="short-one", again="another")
    browser.press("Set password")
    assert browser.shows("The two new passwords differ", "password-wrong")
    browser.fill(new=PASSWORD, again=PASSWORD)
    browser.press("Set password")
    assert browser.shows("The password is set.", "password")


def go_through_sessions(browser: Browser) -> None:
    browser.follow("Sessions")
    assert browser.shows("Chrome on Linux", "sessions")
    browser.press("Sign out everywhere")
    assert browser.shows("You are signed out everywhere.")
    browser.fill(name="owner", password="not this one")
    browser.press("Sign in")
    assert browser.shows("The name or the password is wrong.", "account-sign-in-wrong")
    assert browser.value("name") == "owner"
    assert browser.value("password") == ""
    browser.follow("Sign up")
    browser.fill(name="anna", password=PASSWORD, again="differs")
    browser.press("Sign up")
    assert browser.shows("The two passwords differ", "sign-up-wrong")
    browser.fill(password=PASSWORD, again=PASSWORD)
    browser.press("Sign up")
    assert browser.shows("You are signed in as anna")


def test_signing_in_and_a_token_take_no_mouse(service: Service, browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    sign_in_by_link(service, browser)
    browser.open(f"{service.url}account/password/")
    browser.fill(new=PASSWORD, again=PASSWORD)
    browser.press("Set password")
    assert browser.shows("The password is set.")
    browser.driver.delete_all_cookies()

    browser.open(f"{service.url}account/tokens/")
    browser.tab_to("Name")
    browser.type("owner", Keys.TAB, PASSWORD, Keys.ENTER)
    assert browser.shows("You have no tokens yet.") or "test" in browser.text
    browser.tab_to("Name")
    browser.type("By keyboard", Keys.TAB, Keys.TAB, Keys.SPACE, Keys.TAB, Keys.ENTER)
    assert browser.shows("is ready")
    browser.tab_to("Copy secret")
    browser.allow_the_clipboard()
    browser.type(Keys.ENTER)
    assert browser.shows("Copied")
    assert len(browser.clipboard) == 22
    browser.tab_to("Back to API tokens")
    browser.type(Keys.ENTER)
    assert browser.shows("read only")
    browser.tab_to("Revoke By keyboard")
    browser.type(Keys.ENTER)
    assert browser.shows("Keep it")
    browser.tab_to("Revoke token")
    browser.type(Keys.ENTER)
    assert browser.shows("The token was revoked.")
    browser.tab_to("Sign out")
    browser.type(Keys.ENTER)
    assert browser.shows("You are signed out.")


def test_it_all_works_without_scripts(service: Service, plain_browser: Browser) -> None:
    browser = plain_browser
    sign_in_by_link(service, browser)
    browser.follow("Your account")
    browser.follow("API tokens")
    browser.fill(name="Laptop")
    browser.press("Generate token")
    assert browser.shows("Copy the secret now")
    assert "Copy config" not in browser.text
    assert works(browser.texts("pre")[0])
    browser.follow("Back to API tokens")
    browser.follow("Revoke Laptop")
    browser.press("Revoke token")
    assert browser.shows("The token was revoked.")
    browser.follow("Applications")
    browser.fill(name="Plots")
    browser.press("Register application")
    assert browser.shows("Consumer secret")
    browser.follow("Password")
    browser.fill(new=PASSWORD, again=PASSWORD)
    browser.press("Set password")
    assert browser.shows("The password is set.")
    browser.follow("Sessions")
    browser.press("Sign out everywhere")
    browser.fill(name="owner", password=PASSWORD)
    browser.press("Sign in")
    assert browser.shows("You are signed in as owner")
