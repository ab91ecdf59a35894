"""The account pages: what their forms do, what they refuse, and what they show once only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import timetric
from tests.dancing import Browser, Program, authorized, link, signed_in
from tests.service import Reply, Service, basic, running_service
from timetric.server.storage import Quota

LONG = "a-long-and-odd-password"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A service of its own, for what ends sessions."""
    with running_service(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose owner has the password LONG."""
    with running_service(tmp_path_factory.mktemp("store")) as running:
        assert set_password(signed_in(running), LONG).status == 303
        yield running


@pytest.fixture
def browser(service: Service) -> Browser:
    return signed_in(service)


def send(browser: Browser, path: str, **fields: str) -> Reply:
    return browser.post(path, urlencode(fields))


def follow(browser: Browser, reply: Reply) -> str:
    """The page that a form goes on to."""
    assert reply.status == 303, reply
    page = browser.get(reply.headers["Location"].removeprefix(browser.service.url.rstrip("/")))
    assert page.status == 200, page
    return page.body.decode()


def shown(page: Reply) -> list[str]:
    """What has a button to copy it."""
    found = re.findall(r'data-copy="\w+">([^<]*)<', page.body.decode())
    return [unescape(text) for text in found]


def made_token(browser: Browser, name: str, **fields: str) -> dict[str, Any]:
    """The config of a new token."""
    page = send(browser, "/account/tokens/", name=name, **fields)
    assert page.status == 200, page
    key, secret, config = shown(page)
    parsed: dict[str, Any] = json.loads(config)
    assert (parsed["apitoken_key"], parsed["apitoken_secret"]) == (key, secret)
    return parsed


def token_named(service: Service, name: str) -> Any:
    tokens = service.storage.accounts.tokens_of(service.owner)
    [found] = [token for token in tokens if token.name == name]
    return found


# API tokens


def test_a_token_works_as_it_is_shown(service: Service, browser: Browser) -> None:
    config = made_token(browser, "Weather")
    with timetric.TimetricClient(config) as client:
        series = client.create_series(title="T", caption="C")
        series.update(14)
        assert float(series) == 14.0


def test_a_secret_is_shown_once(service: Service, browser: Browser) -> None:
    page = send(browser, "/account/tokens/", name="Once")
    secret = shown(page)[1]
    assert page.headers["Cache-Control"] == "no-store"
    again = send(browser, "/account/tokens/", name="Once")
    assert again.status == 409
    assert b"You have a token of that name" in again.body
    for reply in (again, browser.get("/account/tokens/")):
        assert b"Once" in reply.body
        assert secret.encode() not in reply.body


def test_a_token_may_be_read_only_and_end(service: Service, browser: Browser) -> None:
    config = made_token(browser, "Reader", read_only="true", expires="in a week")
    path = service.create(b"0,1")
    assert service.send("GET", f"{path}csv/", headers=basic(config)).status == 200
    assert service.send("POST", f"{path}?value=1", b"", basic(config)).status == 403
    token = token_named(service, "Reader")
    assert (token.read_only, token.expires) == (True, service.clock() + 7 * 86400)
    page = browser.get("/account/tokens/").body.decode()
    assert "read only" in page
    assert "2009-03-18 12:00 UTC" in page


def test_the_list_tells_when_a_token_was_used(fresh: Service) -> None:
    browser = signed_in(fresh)
    config = made_token(browser, "Used")
    assert "never used" in browser.get("/account/tokens/").body.decode()
    fresh.clock.advance(3600)
    fresh.send("POST", "/create/?title=T&caption=C", b"", basic(config))
    page = browser.get("/account/tokens/").body.decode()
    assert "last used 2009-03-11 13:00 UTC" in re.sub(r"<[^>]*>", "", page)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "Odd", "expires": "tomorrow"}, "expires"),
    ],
)
def test_a_token_form_that_is_wrong_is_shown_again(
    browser: Browser, fields: dict[str, str], field: str
) -> None:
    reply = send(browser, "/account/tokens/", read_only="true", **fields)
    page = reply.body.decode()
    assert reply.status == 400
    assert f'<a href="#{field}">' in page
    [control] = re.findall(rf'<(?:input|select) id="{field}"[^>]*>', page)
    assert 'aria-invalid="true"' in control
    assert f'aria-describedby="{field}-hint {field}-fault"' in control or field == "expires"
    assert f'id="{field}-fault"' in page
    [check] = re.findall(r'<input id="read_only"[^>]*>', page)
    assert " checked" in check
    assert f'value="{fields["name"].strip()}"' in page or field == "name"


def test_revoking_asks_once_more(service: Service, browser: Browser) -> None:
    config = made_token(browser, "Revoked")
    path = f"/account/tokens/{config['apitoken_key']}/revoke/"
    page = browser.get(path)
    assert "Revoke the token “Revoked”?" in page.body.decode()
    assert service.send("GET", service.create(), headers=basic(config)).status == 200
    assert "The token was revoked." in follow(browser, browser.post(path))
    assert service.send("GET", service.create(), headers=basic(config)).status == 401
    assert (browser.get(path).status, browser.post(path).status) == (404, 404)


def test_a_page_says_only_what_it_may(browser: Browser) -> None:
    page = browser.get("/account/tokens/?done=You+were+robbed").body
    assert b"robbed" not in page
    assert b'class="done"' not in page


# applications


def registered(service: Service, browser: Browser, name: str, **fields: str) -> Program:
    reply = send(browser, "/account/applications/", name=name, **fields)
    page = follow(browser, reply)
    assert "The application is registered." in page
    key, secret, config = shown(browser.get(reply.headers["Location"]))
    assert json.loads(config)["consumer_secret"] == secret
    return Program(service, key, secret)


def test_a_registered_application_dances(service: Service, browser: Browser) -> None:
    callback = "https://plots.example/done"
    program = registered(service, browser, "Plots", callback=callback)
    begun = program.begins(f"{callback}/?x=1")
    reply = browser.decides(begun)
    assert reply.headers["Location"].startswith(f"{callback}/?x=1&")
    assert program.send(
        "POST", "/oauth/request_token/", callback_uri="https://evil.example/"
    ).status


def test_whoever_authorizes_is_told_what_an_application_may(
    service: Service, browser: Browser
) -> None:
    def asked(**fields: str) -> str:
        program = registered(service, browser, f"Asking {fields}", **fields).begins()
        return re.sub(r"<[^>]*>", "", browser.get(program.authorize_path()).body.decode())

    reader = asked(read_only="true", expires="in a week")
    assert "not be able to change anything" in reader
    assert "make new series" not in reader
    assert "2009-03-18 12:00 UTC" in reader
    writer = asked()
    assert "make new series" in writer
    assert "change anything" not in writer


def test_an_application_is_shown_again_and_listed(service: Service, browser: Browser) -> None:
    program = registered(service, browser, "Again", read_only="true")
    page = browser.get(f"/account/applications/{program.key}/").body.decode()
    assert program.secret in page
    assert "only read" in page
    listing = browser.get("/account/applications/").body.decode()
    assert "Again" in listing
    assert program.secret not in listing


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"name": ""}, 400, "name"),
        ({"name": "Twice"}, 409, "name"),
        ({"name": "Bad", "callback": "javascript:alert(1)"}, 400, "callback"),
        ({"name": "Bad", "callback": "https://me:pw@example.org/"}, 400, "callback"),
        ({"name": "Bad", "callback": "https://example.org/a/../b"}, 400, "callback"),
    ],
)
def test_an_application_form_that_is_wrong_is_shown_again(
    fresh: Service, fields: dict[str, str], status: int, field: str
) -> None:
    browser = signed_in(fresh)
    registered(fresh, browser, "Twice")
    reply = send(browser, "/account/applications/", **fields)
    assert reply.status == status
    assert f'<a href="#{field}">'.encode() in reply.body
    for text in fields.values():
        assert f'value="{text}"'.encode() in reply.body
    assert len(fresh.storage.grants.applications_of(fresh.owner)) == 1


def test_a_deleted_application_takes_its_access_along(fresh: Service) -> None:
    program, browser = authorized(fresh), signed_in(fresh)
    path = f"/account/applications/{program.key}/delete/"
    assert b"Delete application" in browser.get(path).body
    assert program.send("POST", "/create/?title=T&caption=C").status == 201
    assert "The application was deleted." in follow(browser, browser.post(path))
    assert program.send("POST", "/create/?title=T&caption=C").status == 401
    assert fresh.storage.grants.access_tokens_of(fresh.owner) == []


def test_whom_one_let_in_one_shuts_out(fresh: Service) -> None:
    program, browser = authorized(fresh), signed_in(fresh)
    listing = browser.get("/account/authorized/").body.decode()
    [path] = re.findall(r'"(/account/authorized/[^/]+/revoke/)"', listing)
    assert b"Revoke the access of Plotter" in browser.get(path).body
    assert "The access was revoked." in follow(browser, browser.post(path))
    assert program.send("POST", "/create/?title=T&caption=C").status == 401


# passwords and sessions


def set_password(browser: Browser, new: str, current: str = "", again: str | None = None) -> Reply:
    fields = {"current": current, "new": new, "again": new if again is None else again}
    return send(browser, "/account/password/", **fields)


def sign_in(service: Service, name: str, password: str, **fields: str) -> tuple[Browser, Reply]:
    browser = Browser(service)
    browser.get("/account/sign-in/")
    return browser, send(browser, "/account/sign-in/", name=name, password=password, **fields)


def test_a_password_signs_in(fresh: Service) -> None:
    first = signed_in(fresh)
    assert b"Set a password" in first.get("/account/password/").body
    assert "The password is set." in follow(first, set_password(first, LONG))
    browser, reply = sign_in(fresh, "owner", LONG)
    assert "signed in as <strong>owner</strong>" in follow(browser, reply)


@pytest.mark.parametrize("name", ["owner", "nobody"])
def test_a_wrong_password_is_told_in_the_form(guarded: Service, name: str) -> None:
    browser, reply = sign_in(guarded, name, "not-the-password")
    assert (reply.status, browser.cookie) == (403, "")
    assert f'value="{name}"'.encode() in reply.body
    assert b'role="alert"' in reply.body
    assert b"not-the-password" not in reply.body


def test_too_many_wrong_passwords_have_to_wait(fresh: Service) -> None:
    set_password(signed_in(fresh), LONG)
    statuses = [sign_in(fresh, "owner", "not-the-password")[1].status for _ in range(11)]
    assert statuses == [403] * 10 + [429]
    _, reply = sign_in(fresh, "owner", LONG)
    assert reply.status == 429
    assert int(reply.headers["Retry-After"]) > 0
    assert b'role="alert"' in reply.body


@pytest.mark.parametrize(
    ("next", "location"),
    [
        ("/account/tokens/", "/account/tokens/"),
        ("/oauth/authorize/?oauth_token=a&b=c%20d", "/oauth/authorize/?oauth_token=a&b=c%20d"),
        ("", "/account/"),
        ("https://evil.example/", "/account/"),
        ("//evil.example/", "/account/"),
        ("/\\evil.example/", "/account/"),
        ("/a b", "/account/"),
        ("/a\r\nSet-Cookie: a=b", "/account/"),
        ("javascript:alert(1)", "/account/"),
    ],
)
def test_signing_in_goes_on_within_the_service(guarded: Service, next: str, location: str) -> None:
    _, reply = sign_in(guarded, "owner", LONG, next=next)
    assert (reply.status, reply.headers["Location"]) == (303, location)


def test_a_change_of_password_asks_the_old_one_and_signs_the_others_out(fresh: Service) -> None:
    browser, other = signed_in(fresh), signed_in(fresh)
    set_password(browser, LONG)
    other = signed_in(fresh)
    refused = set_password(browser, "another-password", current="wrong")
    assert refused.status == 403
    assert b'<a href="#current">' in refused.body
    assert other.get("/account/").status == 200
    changed = set_password(browser, "another-password", current=LONG)
    assert "signed out" in follow(browser, changed)
    assert other.get("/account/").status != 200
    assert sign_in(fresh, "owner", LONG)[1].status == 403
    assert sign_in(fresh, "owner", "another-password")[1].status == 303


def test_an_address_fills_no_form(fresh: Service) -> None:
    browser, fields = signed_in(fresh), urlencode({"new": LONG, "again": LONG, "name": "Planted"})
    assert browser.post(f"/account/password/?{fields}").status == 400
    assert browser.post(f"/account/tokens/?{fields}").status == 400
    assert not fresh.storage.accounts.account(fresh.owner).has_password


@pytest.mark.parametrize(
    ("new", "again", "field"),
    [("short", None, "new"), (LONG, "differs", "again"), ("owner", None, "new"), ("", "", "new")],
)
def test_a_password_that_can_not_be_is_refused(
    fresh: Service, new: str, again: str | None, field: str
) -> None:
    browser = signed_in(fresh)
    reply = set_password(browser, new, again=again)
    assert reply.status == 400
    assert f'<a href="#{field}">'.encode() in reply.body
    assert not fresh.storage.accounts.account(fresh.owner).has_password


def test_sessions_are_listed_and_ended(fresh: Service) -> None:
    browser, other = signed_in(fresh), signed_in(fresh)
    listing = browser.get("/account/sessions/").body.decode()
    rows = re.findall(r'<li class="row">(.*?)</li>', listing, re.DOTALL)
    [ending] = [row for row in rows if "this browser" not in row]
    assert len(rows) == 2
    [path] = re.findall(r'action="([^"]*)"', ending)
    assert "That browser is signed out." in follow(browser, browser.post(path))
    assert (browser.get("/account/").status, other.get("/account/").status) == (200, 303)
    assert browser.post(path).status == 404


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        ("<b>curl</b>", "&lt;b&gt;curl&lt;/b&gt;"),
        ("", "does not say what it is"),
    ],
)
def test_a_session_names_its_browser(fresh: Service, agent: str, words: str) -> None:
    browser = Browser(fresh)
    browser.post(link(fresh), headers={"Sec-Fetch-Site": "same-origin", "User-Agent": agent})
    assert words in browser.get("/account/sessions/").body.decode()


def test_all_others_or_all_are_signed_out(fresh: Service) -> None:
    browser, other = signed_in(fresh), signed_in(fresh)
    assert "All other browsers are signed out." in follow(
        browser, browser.post("/account/sessions/end-others/")
    )
    assert (browser.get("/account/").status, other.get("/account/").status) == (200, 303)
    other = signed_in(fresh)
    old = browser.cookie
    assert "You are signed out everywhere." in follow(
        browser, browser.post("/account/sessions/end-all/")
    )
    browser.cookie = old
    assert (browser.get("/account/").status, other.get("/account/").status) == (303, 303)


def test_signing_out_ends_the_session_itself(fresh: Service) -> None:
    browser = signed_in(fresh)
    old = browser.cookie
    assert "You are signed out." in follow(browser, browser.post("/account/sign-out/"))
    browser.cookie = old
    assert browser.get("/account/").status == 303


def test_whoever_is_not_signed_in_goes_to_sign_in_and_comes_back(fresh: Service) -> None:
    set_password(signed_in(fresh), LONG)
    browser = Browser(fresh)
    reply = browser.get("/account/tokens/")
    page = follow(browser, reply)
    [back] = re.findall(r'name="next" value="([^"]*)"', page)
    _, signed = sign_in(fresh, "owner", LONG, next=unescape(back))
    assert signed.headers["Location"].rstrip("/") == "/account/tokens"


# sign-up


def test_strangers_sign_up_only_where_they_may(service: Service, tmp_path: Path) -> None:
    assert service.send("GET", "/account/sign-up/").status == 404
    assert b"Sign up" not in service.send("GET", "/account/sign-in/").body
    with running_service(tmp_path, signup=Quota(10, 1000)) as open_service:
        assert b"Sign up" in open_service.send("GET", "/account/sign-in/").body
        browser = Browser(open_service)
        new = {"name": "anna", "password": LONG, "again": LONG}
        assert "<strong>anna</strong>" in follow(browser, send(browser, "/account/sign-up/", **new))
        taken = send(Browser(open_service), "/account/sign-up/", **new)
        assert (taken.status, b'<a href="#name">' in taken.body) == (409, True)
        differs = send(Browser(open_service), "/account/sign-up/", **{**new, "again": "x"})
        assert (differs.status, b'<a href="#again">' in differs.body) == (400, True)
        assert LONG.encode() not in differs.body
