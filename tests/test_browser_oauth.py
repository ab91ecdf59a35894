"""The three dances in a real browser, with the client and the service as users run them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

import timetric
from tests.browser import HANG, Browser, needed
from tests.test_cli_apps import first_link
from tests.test_serve import Machine, Service, machine  # noqa: F401

pytestmark = needed


@pytest.fixture
def service(machine: Machine) -> Service:  # noqa: F811
    return machine.serve()


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[Browser]:
    """One that nobody is signed in with."""
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.driver.quit()


@pytest.fixture
def signed_in(browser: Browser, service: Service) -> Browser:
    browser.open(first_link(service))
    assert browser.shows("Sign in as owner", "sign-in")
    browser.press("Sign in")
    assert browser.shows("You are signed in", "signed-in")
    return browser


def client(machine: Machine, service: Service, *flags: str) -> timetric.TimetricClient:  # noqa: F811
    """That of a new application which nobody has authorized."""
    command = ["app", "add", "Office plotter", "--user", "owner", "--url", service.url, *flags]
    return timetric.TimetricClient(json.loads(machine.run(*command).stdout), retries=0)


def works(client: timetric.TimetricClient) -> bool:
    series = client.create_series(title="T", caption="C")
    series.update(14)
    return float(series) == 14.0


def test_by_pin(machine: Machine, service: Service, signed_in: Browser) -> None:  # noqa: F811
    program = client(machine, service)
    token = program.get_request_token()
    signed_in.open(program.get_authorize_url(token))
    assert signed_in.shows("Let Office plotter use your data?", "authorize")
    signed_in.press("Authorize")
    assert signed_in.shows("enter this PIN", "pin")
    program.get_access_token(token, signed_in.pin)
    assert works(program)
    assert signed_in.faults() == []

    machine.run("app", "revoke", program.config["oauth_token"])
    with pytest.raises(timetric.TimetricClientError, match="revoked"):
        program.create_series(title="T", caption="C")


def test_by_callback(
    machine: Machine,  # noqa: F811
    service: Service,
    signed_in: Browser,
    called_back: tuple[str, list[dict[str, str]]],
) -> None:
    callback, answers = called_back
    program = client(machine, service)
    token = program.get_request_token(f"{callback}?state=7")
    signed_in.open(program.get_authorize_url(token))
    assert signed_in.shows(f"you go on to {callback.rstrip('/')}", "authorize-callback")
    signed_in.press("Authorize")
    assert signed_in.shows("back in the program")
    [answer] = answers
    assert (answer["state"], answer["oauth_token"]) == ("7", token.key)
    program.get_access_token(token, answer["oauth_verifier"])
    assert works(program)


@pytest.fixture
def called_back() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a program that waits for its callback, and the queries that came to it."""
    answers: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "oauth_token" in self.path:
                answers.append(dict(parse_qsl(urlsplit(self.path).query)))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"back in the program")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", answers
        server.shutdown()
        thread.join(HANG)


def test_as_in_2009(machine: Machine, service: Service, signed_in: Browser) -> None:  # noqa: F811
    program = client(machine, service, "--oauth-1.0")
    token = program.get_request_token()
    signed_in.open(program.get_authorize_url(token))
    assert signed_in.shows("Did you start this yourself", "authorize-2009")
    signed_in.press("Authorize")
    assert signed_in.shows("Go back to Office plotter", "authorized-2009")
    program.get_access_token(token)
    assert works(program)


def test_denied(machine: Machine, service: Service, signed_in: Browser) -> None:  # noqa: F811
    program = client(machine, service)
    token = program.get_request_token()
    signed_in.open(program.get_authorize_url(token))
    signed_in.press("Deny")
    assert signed_in.shows("Office plotter was denied", "denied")
    with pytest.raises(timetric.TimetricClientError):
        program.get_access_token(token, "00000-00000")
    signed_in.open(program.get_authorize_url(token))
    assert signed_in.shows("has ended", "ended")


def test_whoever_is_not_signed_in_yet_comes_back_after_that(
    machine: Machine,  # noqa: F811
    service: Service,
    browser: Browser,
) -> None:
    program = client(machine, service)
    url = program.get_authorize_url(program.get_request_token())
    browser.open(url)
    assert browser.shows("timetric user signin-link", "sign-in-first")
    link = machine.run("user", "signin-link", "owner", "--url", service.url).stdout.strip()
    browser.open(link)
    browser.press("Sign in")
    assert browser.shows("You are signed in")
    browser.open(link)
    assert browser.shows("This link has ended", "link-ended")
    browser.open(url)
    assert browser.shows("Let Office plotter use your data?")


def test_signing_in_by_password_leads_back_to_the_application(
    machine: Machine,  # noqa: F811
    service: Service,
    browser: Browser,
) -> None:
    machine.run("user", "passwd", "owner", "--stdin", input="correct horse battery\n")
    program = client(machine, service)
    token = program.get_request_token()
    browser.open(program.get_authorize_url(token))
    browser.fill(name="owner", password="correct horse battery")
    browser.press("Sign in")
    assert browser.shows("Let Office plotter use your data?")
    browser.press("Authorize")
    assert browser.shows("enter this PIN")
    program.get_access_token(token, browser.pin)
    assert works(program)
    assert browser.faults() == []
