"""Requests are counted by token, by user and by address, and each reply says what is left."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.dancing import entrusted, signed_in
from tests.service import Headers, Reply, Service, basic, running_service
from timetric.server.attempts import Allowance, Attempts, TooMany

HERE, THERE = "192.0.2.1", "198.51.100.7"

#: An Item of a structured field (RFC 9651): a string and parameters that are whole numbers.
ITEM = re.compile(r'"(?P<of>[a-z]+)"(?P<parameters>(;[a-z]+=\d+)+)')

LIMITED = {"rate": "3/min", "anonymous_rate": "2/min"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Behind a proxy that it believes, so that requests can come from anywhere."""
    with running_service(tmp_path, trust_proxy=[], **LIMITED) as running:
        yield running


def get(
    service: Service, path: str = "/search/results.thin.json", *, address: str = HERE, **more: str
) -> Reply:
    return service.send("GET", path, headers={"X-Forwarded-For": address, **more})


def item(text: str) -> dict[str, Any]:
    match = ITEM.fullmatch(text)
    assert match, text
    pairs = (part.split("=") for part in match["parameters"][1:].split(";"))
    return {"of": match["of"], **{name: int(number) for name, number in pairs}}


def left(reply: Reply) -> tuple[str, int]:
    """Which limit a reply tells, and how much of it is left."""
    told = item(reply.headers["RateLimit"])
    assert item(reply.headers["RateLimit-Policy"])["of"] == told["of"]
    return told["of"], told["r"]


def test_a_token_makes_so_many_requests_and_each_reply_says_what_is_left(service: Service) -> None:
    replies = [get(service, **basic(service.config)) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [left(reply) for reply in replies] == [("token", n) for n in (2, 1, 0, 0)]
    assert item(replies[0].headers["RateLimit-Policy"]) == {"of": "token", "q": 3, "w": 60}
    assert [item(reply.headers["RateLimit"])["t"] for reply in replies] == [20, 40, 60, 60]
    assert replies[3].headers["Retry-After"] == "20"
    assert replies[3].headers["Content-Type"] == "application/problem+json"
    problem = json.loads(replies[3].body)
    assert (problem["status"], problem["retry_after"]) == (429, 20)
    assert "3 are answered in 60 s" in problem["detail"]


def test_requests_come_back_one_by_one(service: Service) -> None:
    own = basic(service.config)
    for _ in range(3):
        get(service, **own)
    service.clock.advance(19)
    assert get(service, **own).status == 429
    service.clock.advance(1)
    assert [get(service, **own).status for _ in range(2)] == [200, 429]
    service.clock.advance(600)
    assert left(get(service, **own)) == ("token", 2)


def test_what_is_refused_is_not_done(service: Service) -> None:
    path = service.create(b"1,1\n")
    statuses = [service.owner_sends("POST", f"{path}?value={n}").status for n in range(4)]
    assert statuses == [204, 204, 429, 429]
    service.clock.advance(60)
    assert service.csv(path).count(b"\n") == 3


def test_each_token_has_its_own(service: Service) -> None:
    for _ in range(4):
        get(service, **basic(service.config))
    assert left(get(service, **basic(service.other_config))) == ("token", 2)
    plotter = entrusted(service)
    replies = [plotter.send("GET", "/search/results.thin.json") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert left(replies[0]) == ("token", 2)


def test_signed_in_users_have_theirs_whatever_the_browser(service: Service) -> None:
    first = signed_in(service)
    service.clock.advance(600)
    second = signed_in(service)
    service.clock.advance(600)
    person = {"Accept": "application/xhtml+xml"}
    replies = [browser.get("/account/", person) for browser in (first, second, first, second)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert left(replies[0]) == ("user", 2)
    assert replies[3].headers["Content-Type"].startswith("text/html")
    assert replies[3].headers["Retry-After"] == "20"
    assert b"too many requests by you" in replies[3].body
    assert get(service, **basic(service.config)).status == 200


def test_all_others_count_by_address(service: Service) -> None:
    assert [get(service).status for _ in range(3)] == [200, 200, 429]
    assert left(get(service, address=THERE)) == ("address", 1)
    assert get(service, "/", Cookie="timetric=nobody").status == 429
    for last in ("1", "2"):
        assert get(service, address=f"2001:db8::{last}").status == 200
    assert get(service, address="2001:db8::3").status == 429
    assert get(service, address="2001:db8:0:1::1").status == 200


@pytest.mark.parametrize("kind", ["secret", "key", "signature"])
def test_wrong_credentials_use_up_nothing_of_the_owners(service: Service, kind: str) -> None:
    """And the owner is answered where a stranger with wrong ones is answered no more."""
    plotter = entrusted(service)
    config, wrong = service.config, {"secret": "apitoken_secret", "key": "apitoken_key"}
    stolen = basic({**config, wrong.get(kind, "apitoken_secret"): "x" * 22})

    def guess() -> Reply:
        if kind == "signature":
            return plotter.send("GET", "/search/results.thin.json", client_secret="x" * 22)
        return service.send("GET", "/search/results.thin.json", headers=stolen)

    replies = [guess() for _ in range(4)]
    assert [reply.status for reply in replies] == [401, 401, 429, 429]
    assert left(replies[0]) == ("address", 1)
    owners = service.owner_sends("GET", "/search/results.thin.json")
    assert (owners.status, left(owners)) == (200, ("token", 2))
    assert left(plotter.send("GET", "/search/results.thin.json")) == ("token", 2)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("HEAD", "/", {}, 200),
        ("OPTIONS", "/create/", {}, 204),
        ("GET", "/nowhere/", {}, 404),
        ("PUT", "/create/", {}, 405),
        ("POST", "/create/", {}, 401),
        ("GET", "/account/", {}, 303),
        ("GET", "/oauth/request_token/", {}, 400),
        ("GET", "/search/", {"Authorization": "Basic ???"}, 400),
        ("GET", "/search/?n=101", {}, 400),
    ],
)
def test_every_reply_tells_what_is_left(
    service: Service, method: str, path: str, headers: Headers, status: int
) -> None:
    reply = service.send(method, path, headers=headers)
    assert (reply.status, left(reply)) == (status, ("address", 1))


def test_what_fails_tells_it_too(service: Service, tmp_path: Path) -> None:
    path = service.create(b"".join(b"%d,1\n" % t for t in range(300)), public=True)
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db, db:
        db.execute("UPDATE bodies SET vals = x'00'")
    reply = service.send("GET", f"{path}csv/")
    assert (reply.status, left(reply)) == (500, ("address", 1))


def test_scripts_of_other_sites_may_read_what_is_left(service: Service) -> None:
    exposed = get(service).headers["Access-Control-Expose-Headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)


def test_health_is_answered_however_often(service: Service) -> None:
    replies = [get(service, "/health/") for _ in range(5)]
    assert {reply.status for reply in replies} == {replies[0].status} != {429}
    assert "RateLimit" not in replies[0].headers


# on and off


def policies(path: Path, **options: Any) -> list[str | None]:
    """What a service of such options tells the owner and a stranger of its limits."""
    with running_service(path, **options) as service:
        replies = [service.owner_sends("GET", "/"), service.send("GET", "/")]
    assert {reply.status for reply in replies} == {200}
    return [reply.headers["RateLimit-Policy"] for reply in replies]


@pytest.mark.parametrize(
    ("options", "limited"),
    [
        ({}, False),
        ({"hosts": ["127.0.0.1", "::1"]}, False),
        ({"hosts": ["192.0.2.1"]}, True),
        ({"base_url": "http://127.0.0.1:8000/"}, True),
        ({"trust_proxy": []}, True),
    ],
)
def test_limits_are_off_only_where_nobody_else_can_ask(
    tmp_path: Path, options: dict[str, Any], limited: bool
) -> None:
    usual = ['"token";q=6000;w=60', '"address";q=600;w=60']
    assert policies(tmp_path, **options) == (usual if limited else [None, None])


def test_each_limit_is_set_by_itself(tmp_path: Path) -> None:
    base = {"base_url": "https://ts.example/"}
    assert policies(tmp_path / "1", rate="off", anonymous_rate="5/s", **base) == [
        None,
        '"address";q=5;w=1',
    ]
    assert policies(tmp_path / "2", rate="10/h", anonymous_rate="off", **base) == [
        '"token";q=10;w=3600',
        None,
    ]
    assert policies(tmp_path / "3", rate="10/d") == ['"token";q=10;w=86400', None]


@pytest.mark.parametrize("rate", ["10", "0/min", "-1/s", "10/m", "10/min ", "on", "1e3/s"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    with pytest.raises(ValueError, match="neither a rate"), running_service(tmp_path, rate=rate):
        pass


# what is kept


def test_a_crowd_makes_no_room_for_those_who_are_still_counted() -> None:
    attempts, allowance = Attempts(lambda: 0.0), Allowance("address", 1, 60)
    for number in range(100_500):
        attempts.count(allowance, str(number))
    with pytest.raises(TooMany):
        attempts.count(allowance, "100499")
    attempts.count(allowance, "0")  # who came first is forgotten first
