"""Passwords: what they may be, what is kept of them, and many at once."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.dancing import FORM, Browser, signed_in
from tests.service import Reply, Service, running_service, send
from tests.test_serve import Machine, machine  # noqa: F401

GOOD = "correct horse battery"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def set_password(service: Service, new: str) -> Reply:
    fields = {"current": "", "new": new, "again": new}
    return signed_in(service).post("/account/password/", urlencode(fields))


def sign_in(service: Service, password: str, name: str = "owner") -> Reply:
    return Browser(service).post(
        "/account/sign-in/", urlencode({"name": name, "password": password})
    )


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("seven77", "8 to 1024"),
        ("x" * 1025, "8 to 1024"),
        ("e\u0301" * 7, "8 to 1024"),
        ("", "8 to 1024"),
    ],
)
def test_a_password_of_another_length_is_refused(
    service: Service, password: str, reason: str
) -> None:
    reply = set_password(service, password)
    assert (reply.status, reason in reply.body.decode()) == (400, True)
    assert service.storage.accounts.password("owner") is None


def test_a_password_is_not_the_name(service: Service) -> None:
    user = service.storage.accounts.add_user("Long-Name", 1.0)
    fields = {"current": "", "new": "long-name", "again": "long-name"}
    reply = signed_in(service, user).post("/account/password/", urlencode(fields))
    assert (reply.status, b"name" in reply.body) == (400, True)


@pytest.mark.parametrize("password", ["x" * 1024, "12345678", "        ", "日本語のパスワード"])
def test_no_characters_are_asked_for(service: Service, password: str) -> None:
    assert set_password(service, password).status == 303
    assert sign_in(service, password).status == 303
    assert sign_in(service, password[:-1]).status == 403


def test_keyboards_may_compose_characters_as_they_like(service: Service) -> None:
    typed = "motörhead-müsli"
    assert set_password(service, unicodedata.normalize("NFD", typed)).status == 303
    assert sign_in(service, unicodedata.normalize("NFC", typed)).status == 303


def test_only_a_salted_scrypt_hash_is_kept(service: Service, tmp_path: Path) -> None:
    other = service.storage.accounts.user("other")
    set_password(service, GOOD)
    fields = {"current": "", "new": GOOD, "again": GOOD}
    signed_in(service, other).post("/account/password/", urlencode(fields))
    one, two = (service.storage.accounts.password(name) for name in ("owner", "other"))
    assert one and two and one != two
    n, r, _, salt, digest = one.split("$")
    assert (int(n) >= 2**15, int(r), len(salt), len(digest)) == (True, 8, 24, 44)
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
        assert GOOD not in "".join(db.iterdump())


def test_without_a_password_none_signs_in(service: Service) -> None:
    for password in ("", GOOD):
        assert sign_in(service, password).status == 403
    assert sign_in(service, GOOD, "nobody").status == 403
    assert sign_in(service, GOOD, "\x00\u2028").status == 403


def test_a_disabled_user_does_not_sign_in(service: Service) -> None:
    set_password(service, GOOD)
    browser = Browser(service)
    body = urlencode({"name": "owner", "password": GOOD})
    assert browser.post("/account/sign-in/", body).status == 303
    service.storage.accounts.set_disabled(service.owner, disabled=True)
    assert sign_in(service, GOOD).status == 403
    assert browser.get("/account/").status == 303
    service.storage.accounts.set_disabled(service.owner, disabled=False)
    assert browser.get("/account/").status == 200


def test_signing_in_changes_the_cookie_and_ends_the_session_before(service: Service) -> None:
    set_password(service, GOOD)
    browser = Browser(service)
    body = urlencode({"name": "owner", "password": GOOD})
    cookies = []
    for _ in range(2):
        assert browser.post("/account/sign-in/", body).status == 303
        cookies.append(browser.cookie)
    assert cookies[0] != cookies[1]
    assert browser.get("/account/").status == 200
    browser.cookie = cookies[0]
    assert browser.get("/account/").status == 303


def test_too_many_at_once_are_told_to_come_again_at_once(
    machine: Machine,  # noqa: F811
) -> None:
    """Others are answered meanwhile, and nobody is refused for good."""
    url = machine.serve().url
    headers = {**FORM, "Sec-Fetch-Site": "same-origin"}

    def try_one(number: int) -> Reply:
        body = urlencode({"name": f"user-{number}", "password": GOOD}).encode()
        return send(url, "POST", "/account/sign-in/", body, headers)

    with ThreadPoolExecutor(60) as pool:
        tried = [pool.submit(try_one, number) for number in range(60)]
        assert send(url, "GET", "/").status == 200
        replies = [future.result() for future in tried]
    busy = [reply for reply in replies if reply.status == 503]
    assert {reply.status for reply in replies} == {403, 503}
    assert len(replies) - len(busy) >= 10
    assert all(int(reply.headers["Retry-After"]) > 0 for reply in busy)
    assert try_one(0).status == 403
