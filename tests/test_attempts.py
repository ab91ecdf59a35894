"""Guessing is limited: sign-ins, links, passwords and new accounts, by who tries from where."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.dancing import Browser, link, signed_in
from tests.service import Headers, Reply, Service, running_service
from timetric.server.storage import Quota

GOOD, WRONG = "correct horse battery", "incorrect horse"
QUARTER = 15 * 60

HERE, THERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Behind a proxy that it believes, so that requests can come from anywhere."""
    with running_service(tmp_path, trust_proxy=[], signup=Quota(10, 1000)) as running:
        set_password(signed_in(running), "", GOOD)
        yield running


def coming_from(address: str) -> Headers:
    return {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": address}


def sign_in(service: Service, name: str, password: str, address: str = HERE) -> Reply:
    body = urlencode({"name": name, "password": password})
    return Browser(service).post("/account/sign-in/", body, coming_from(address))


def set_password(browser: Browser, current: str, new: str) -> Reply:
    fields = {"current": current, "new": new, "again": new}
    return browser.post("/account/password/", urlencode(fields), coming_from(HERE))


def sign_up(service: Service, name: str, address: str = HERE) -> Reply:
    body = urlencode({"name": name, "password": GOOD, "again": GOOD})
    return Browser(service).post("/account/sign-up/", body, coming_from(address))


def test_nobody_locks_the_owner_out_from_elsewhere(service: Service) -> None:
    statuses = [sign_in(service, "owner", WRONG, THERE).status for _ in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert sign_in(service, "owner", GOOD, THERE).status == 429
    assert sign_in(service, "owner", GOOD, HERE).status == 303
    assert sign_in(service, "other", WRONG, THERE).status == 403


def test_attempts_come_back_one_by_one(service: Service) -> None:
    for _ in range(10):
        sign_in(service, "owner", WRONG)
    refused = sign_in(service, "owner", GOOD)
    wait = int(refused.headers["Retry-After"])
    assert (refused.status, wait) == (429, QUARTER / 10)
    service.clock.advance(wait - 1)
    assert sign_in(service, "owner", GOOD).status == 429
    service.clock.advance(1)
    assert sign_in(service, "owner", WRONG).status == 403
    assert sign_in(service, "owner", GOOD).status == 429
    service.clock.advance(QUARTER)
    assert sign_in(service, "owner", GOOD).status == 303


def test_signing_in_rightly_is_not_limited(service: Service) -> None:
    assert {sign_in(service, "owner", GOOD).status for _ in range(12)} == {303}


def test_an_address_may_not_try_one_account_after_the_other(service: Service) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = [f"user-{number}" for number in range(50)]
        replies = list(pool.map(lambda name: sign_in(service, name, WRONG), names))
    assert {reply.status for reply in replies} == {403}
    assert sign_in(service, "owner", GOOD).status == 429
    assert sign_in(service, "owner", GOOD, THERE).status == 303


def test_an_ipv6_network_counts_as_one_address(service: Service) -> None:
    for number in range(10):
        assert sign_in(service, "owner", WRONG, f"2001:db8::{number}:1").status == 403
    assert sign_in(service, "owner", GOOD, "2001:db8::ffff").status == 429
    assert sign_in(service, "owner", GOOD, "2001:db8:0:1::1").status == 303


def test_an_ipv4_address_in_ipv6_is_one_by_itself(service: Service) -> None:
    for _ in range(10):
        assert sign_in(service, "owner", WRONG, f"::ffff:{HERE}").status == 403
    assert sign_in(service, "owner", GOOD, HERE).status == 429
    assert sign_in(service, "owner", GOOD, f"::ffff:{THERE}").status == 303


def test_wrong_links_are_limited_by_address(service: Service) -> None:
    browser, right = Browser(service), link(service)
    statuses = [
        browser.get(f"/account/sign-in/{number:022}/", coming_from(HERE)).status
        for number in range(21)
    ]
    assert statuses == [404] * 20 + [429]
    assert browser.post(right, "", coming_from(HERE)).status == 429
    assert browser.post(right, "", coming_from(THERE)).status == 200


def test_guessing_the_current_password_is_limited(service: Service) -> None:
    browser = signed_in(service)
    statuses = [set_password(browser, WRONG, "something new").status for _ in range(11)]
    assert statuses == [403] * 10 + [429]
    service.clock.advance(QUARTER)
    assert set_password(browser, GOOD, "something new").status == 303
    assert sign_in(service, "owner", "something new").status == 303


def test_an_address_makes_five_accounts_a_day(service: Service) -> None:
    assert [sign_up(service, f"new-{number}").status for number in range(6)] == [303] * 5 + [429]
    assert sign_up(service, "new-6", THERE).status == 303
    service.clock.advance(86400 / 5)
    assert sign_up(service, "new-7").status == 303
    assert sign_up(service, "new-8").status == 429


def test_a_name_that_is_taken_costs_no_account(service: Service) -> None:
    assert [sign_up(service, "Owner").status for _ in range(7)] == [409] * 7
    assert sign_up(service, "new").status == 303


# whose address it is


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1, 10.0.0.5, 127.0.0.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("192.0.2.1, unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("10.0.0.5", "10.0.0.5"),
    ],
)
def test_the_address_is_the_nearest_that_no_proxy_of_ours_has(
    tmp_path: Path, forwarded: str, address: str
) -> None:
    with running_service(tmp_path, trust_proxy=["10.0.0.5"]) as service:
        headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": forwarded}
        assert Browser(service).post(link(service), "", headers).status == 200
        accounts = service.storage.accounts
        [session] = accounts.sessions_of(service.owner, service.clock())
        assert session.address == address


def test_nobody_but_a_trusted_proxy_is_believed(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        assert Browser(service).post(link(service), "", coming_from(HERE)).status == 200
        accounts = service.storage.accounts
        [session] = accounts.sessions_of(service.owner, service.clock())
        assert session.address == "127.0.0.1"
