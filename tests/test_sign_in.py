"""Browsers: one-time links, session cookies, and forms that come from elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from tests.dancing import CALLBACK, Browser, Program, link, program, signed_in
from tests.service import Headers, Service, running_service
from timetric.server.storage import Application

ELSEWHERE: list[Headers] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "OURS"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "none, cross-site"},
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def begun(service: Service) -> Program:
    return program(service).begins()


def test_looking_at_a_link_does_not_spend_it(service: Service, begun: Program) -> None:
    path, browser = link(service), Browser(service)
    for _ in range(2):
        page = browser.get(path)
        assert (page.status, browser.cookie) == (200, "")
        assert b"Sign in as owner" in page.body
    assert browser.post(path).status == 200
    assert browser.get(begun.authorize_path()).status == 200


def test_a_link_is_good_once_for_a_quarter_of_an_hour_until_the_next(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        first, second = link(service), link(service)
        assert Browser(service).get(first).status == 404
        assert Browser(service).post(second).status == 200
        for path in (first, second, "/account/sign-in/unknown/"):
            browser = Browser(service)
            assert (browser.post(path).status, browser.get(path).status) == (404, 404)
            assert browser.cookie == ""
        late, other = link(service), link(service, service.storage.accounts.user("other"))
        service.clock.advance(899)
        assert Browser(service).post(other).status == 200
        service.clock.advance(1)
        assert Browser(service).post(late).status == 404


def test_a_link_leaves_no_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running_service(tmp_path) as service:
        path = link(service)
        page = Browser(service).get(path)
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        service.clock.now = "no time"  # type: ignore[assignment]
        assert Browser(service).get(path).status == 500
    assert "/account/sign-in/..." in caplog.text
    assert path.split("/")[3] not in caplog.text


@pytest.mark.parametrize(
    ("base_url", "name", "secure"),
    [(None, "timetric", False), ("https://ts.example/at/", "__Host-timetric", True)],
)
def test_the_cookie_is_for_this_host_and_for_no_script(
    tmp_path: Path, base_url: str | None, name: str, secure: bool
) -> None:
    with running_service(tmp_path, base_url=base_url) as service:
        reply = Browser(service).post(f"/account/sign-in/{link(service).split('/')[-2]}/")
        [cookie] = SimpleCookie(reply.headers["Set-Cookie"]).values()
    assert cookie.key == name
    assert len(cookie.value) == 22
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
    assert (bool(cookie["httponly"]), bool(cookie["secure"])) == (True, secure)


def test_a_session_ends_after_30_idle_days(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        browser, application = signed_in(service), program(service)
        for _ in range(2):
            service.clock.advance(30 * 86400 - 60)
            path = application.begins().authorize_path()
            assert browser.get(path).status == 200
        service.clock.advance(30 * 86400)
        assert browser.get(path).status == 303


def test_whoever_is_not_signed_in_goes_to_sign_in_and_back(
    service: Service, begun: Program
) -> None:
    path = begun.authorize_path()
    back = "/account/sign-in/?next=oauth%2Fauthorize%3Foauth_token%3D"
    for cookie in ("", "timetric=", "timetric=unknown", "timetric=a; timetric=b"):
        browser = Browser(service)
        browser.cookie = cookie
        reply = browser.get(path)
        assert (reply.status, reply.headers["Location"].startswith(back)) == (303, True)
        assert browser.post(path, "decision=authorize").status == 403


def test_two_cookies_of_the_name_are_none(service: Service, begun: Program) -> None:
    browser = signed_in(service)
    browser.cookie = f"timetric=another; {browser.cookie}"
    assert browser.get(begun.authorize_path()).status == 303


def test_a_session_is_nothing_beside_other_credentials_and_writes_nothing_through_the_api(
    service: Service, begun: Program
) -> None:
    browser, path = signed_in(service), service.create(b"0,1")
    other = {"Authorization": "Basic x"}
    assert browser.get(begun.authorize_path(), other).status == 403
    assert browser.post(path, "value=1").status == 401
    assert browser.get(f"{path}csv/").body == b"0.0,1.0\n"
    assert browser.get(f"{path}csv/", other).status == 400


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_a_form_from_elsewhere_does_nothing(
    service: Service, begun: Program, headers: Headers
) -> None:
    own = service.url.rstrip("/")
    headers = {name: text.replace("OURS", own) for name, text in headers.items()}
    path, victim = link(service), Browser(service)
    assert victim.post(path, headers=headers).status == 403
    assert victim.cookie == ""
    browser = signed_in(service)
    for decision in ("authorize", "deny"):
        reply = browser.post(begun.authorize_path(), f"decision={decision}", headers)
        assert reply.status == 403
    assert browser.decides(begun).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "OURS"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
def test_a_form_that_a_browser_says_is_ours_is_taken(service: Service, headers: Headers) -> None:
    own = service.url.rstrip("/")
    headers = {name: text.replace("OURS", own) for name, text in headers.items()}
    assert Browser(service).post(link(service), headers=headers).status == 200


def test_a_session_keeps_no_more_than_200_characters_of_its_browser(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "x" * 300}
        assert Browser(service).post(link(service), headers=headers).status == 200
        accounts = service.storage.accounts
        [session] = accounts.sessions_of(service.owner, service.clock())
        assert session.agent == "x" * 200


def test_the_page_names_the_application_and_shows_no_markup_of_its_name(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        application = program(service)
        service.storage.grants.remove_application(application.key)
        named = Application(
            application.key, "<b>Plot & ter</b>", service.owner, None, False, service.clock()
        )
        service.storage.grants.add_application(named)
        page = signed_in(service).get(application.begins().authorize_path()).body.decode()
    assert "&lt;b&gt;Plot &amp; ter&lt;/b&gt;" in page
    assert "<b>Plot" not in page


def test_the_policy_lets_forms_go_to_the_callback_alone(service: Service) -> None:
    browser = signed_in(service)
    targets = {"oob": "'self'", CALLBACK: "'self' http://127.0.0.1:5000"}
    for callback, allowed in targets.items():
        page = browser.get(program(service).begins(callback).authorize_path())
        policy = dict(
            directive.split(maxsplit=1)
            for directive in page.headers["Content-Security-Policy"].split("; ")
        )
        assert policy["form-action"] == allowed
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
        assert page.headers["Cache-Control"] == "no-store"


def test_a_decision_has_to_be_made(service: Service, begun: Program) -> None:
    browser = signed_in(service)
    for body in ("", "decision=", "decision=maybe"):
        assert browser.post(begun.authorize_path(), body).status == 400
    assert browser.get("/oauth/authorize/").status == 404
