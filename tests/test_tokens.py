"""What tokens may, until when, when they were used; and what a quota allows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dancing import Program, authorized, pin, program, signed_in
from tests.service import NOON, Reply, Service, basic, running_service
from timetric.server.credentials import make_token
from timetric.server.storage import Quota

Send = Callable[..., Reply]

DAY = 24 * 60 * 60


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def detail(reply: Reply) -> str:
    return str(json.loads(reply.body)["detail"])


def api_token(service: Service, **limits: Any) -> Send:
    """Sends requests with a new API token of the owner's."""
    accounts = service.storage.accounts
    token, secret = make_token(accounts, service.owner, "new", clock=service.clock, **limits)
    headers = basic({"apitoken_key": token.key, "apitoken_secret": secret})

    def send(method: str, path: str, body: bytes | None = None, **more: str) -> Reply:
        return service.send(method, path, body, {**headers, **more})

    return send


def limited(service: Service, **limits: Any) -> Program:
    """An application of such limits."""
    made, grants = program(service), service.storage.grants
    application = grants.application(made.key)
    grants.remove_application(made.key)
    grants.add_application(application._replace(**limits))
    return made


def oauth_token(service: Service, **limits: Any) -> Send:
    """Sends requests with what the owner has granted to an application of such limits."""
    begun = limited(service, **limits).begins()
    return begun.finishes(pin(signed_in(service).decides(begun))).send


KINDS = pytest.mark.parametrize("token", [api_token, oauth_token], ids=["api", "oauth"])


@KINDS
def test_a_read_only_token_reads_and_writes_nothing(
    service: Service, token: Callable[..., Send]
) -> None:
    path, public = service.create(b"0,1"), service.create(b"0,1", public=True)
    send = token(service, read_only=True)
    for address in (path, f"{path}csv/", f"{path}value/json/", f"{public}csv/"):
        assert send("GET", address).status == 200
    csv = {"Content-Type": "text/csv"}
    writes = [
        send("POST", f"{path}?value=14"),
        send("POST", f"{path}?increment=1"),
        send("POST", path, b"1,1", **csv) if token is api_token else None,
        send("PUT", path, b"1,1", **csv) if token is api_token else None,
        send("DELETE", path),
        send("POST", "/create/?title=a&caption=b"),
        send("DELETE", public),
        send("DELETE", "/series/A0000000000000000000-_/"),
    ]
    for reply in filter(None, writes):
        assert (reply.status, "read-only" in detail(reply)) == (403, True)
    assert service.csv(path) == service.csv(public) == b"0.0,1.0\n"


@KINDS
def test_a_token_works_until_it_expires_and_then_says_so(
    service: Service, token: Callable[..., Send]
) -> None:
    path = service.create(b"0,1")
    send = token(service, expires=NOON + DAY)
    service.clock.advance(DAY - 1)
    assert send("GET", path).status == 200
    service.clock.advance(1)
    for reply in (send("GET", path), send("POST", f"{path}?value=1"), send("GET", "/series/x/")):
        assert reply.status == 401
        assert "expired at 2009-03-12T12:00:00 UTC" in detail(reply)
        assert reply.headers["WWW-Authenticate"]


def test_only_the_right_secret_learns_that_a_token_expired(service: Service) -> None:
    path = service.create(b"0,1")
    accounts = service.storage.accounts
    token, _ = make_token(accounts, service.owner, "old", clock=service.clock, expires=NOON - 1)
    guessed = basic({"apitoken_key": token.key, "apitoken_secret": "x" * 22})
    reply = service.send("GET", path, headers=guessed)
    assert (reply.status, "expired" in detail(reply)) == (401, False)


def test_an_application_that_expired_gets_no_further_tokens(service: Service) -> None:
    reply = limited(service, expires=NOON).send("POST", "/oauth/request_token/", callback_uri="oob")
    assert (reply.status, "expired" in detail(reply)) == (401, True)


@KINDS
def test_who_is_disabled_is_refused_until_enabled(
    service: Service, token: Callable[..., Send]
) -> None:
    path, public = service.create(b"0,1"), service.create(b"0,1", public=True)
    send = token(service)
    accounts = service.storage.accounts
    for disabled, status in ((True, 401), (False, 200)):
        accounts.set_disabled(service.owner, disabled)
        assert send("GET", path).status == status
        assert service.send("GET", public).status == 200


# when it was used


def last_used(service: Service) -> float | None:
    [token] = [t for t in service.storage.accounts.tokens() if t.name == "new"]
    return token.last_used


def test_the_last_use_is_noted_to_the_minute(service: Service) -> None:
    path = service.create(b"0,1")
    send = api_token(service)
    assert last_used(service) is None
    service.clock.advance(59)
    for seconds, expected in ((0, NOON), (30, NOON + 60), (30, NOON + 60), (1, NOON + 120)):
        service.clock.advance(seconds)
        send("GET", path)
        assert last_used(service) == expected


def test_the_last_use_of_a_grant_is_noted(service: Service) -> None:
    path, granted = service.create(b"0,1"), authorized(service)
    service.clock.advance(61)
    assert granted.send("GET", path).status == 200
    [token] = service.storage.grants.access_tokens_of(service.owner)
    assert token.last_used == NOON + 60


def test_a_refused_request_is_no_use(service: Service) -> None:
    path = service.create(b"0,1")
    send = api_token(service, expires=NOON)
    assert send("GET", path).status == 401
    assert last_used(service) is None


def test_a_store_that_can_not_be_written_still_lets_readers_in(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = service.create(b"0,1")
    send = api_token(service)
    assert send("GET", f"{path}csv/").status == 200
    service.storage._database.write(refuse_writes)  # type: ignore[attr-defined]
    service.clock.advance(60)
    with caplog.at_level(logging.WARNING):
        assert send("GET", f"{path}csv/").body == b"0.0,1.0\n"
    assert "not noted" in caplog.text


def refuse_writes(db: Any) -> None:
    """From now on the table is as on a disk that is full."""
    db.execute(
        "CREATE TRIGGER full BEFORE UPDATE OF last_used ON tokens"
        " BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
    )


# quotas


def test_a_quota_is_told_and_nothing_is_stored(service: Service) -> None:
    accounts = service.storage.accounts
    user = accounts.add_user("new", NOON, None, Quota(series=1, points=3))
    token, secret = make_token(accounts, user, "new", clock=service.clock)
    headers = basic({"apitoken_key": token.key, "apitoken_secret": secret})
    csv = {**headers, "Content-Type": "text/csv"}
    create = "/create/?title=a&caption=b"
    assert service.send("POST", create, b"0,1\n1,1\n2,1\n3,1\n", csv).status == 403
    made = service.send("POST", create, b"0,1\n1,1\n", csv)
    assert made.status == 201
    path = made.headers["Location"].removeprefix(service.url.rstrip("/"))
    for method, target, body, words in (
        ("POST", create, b"", "1 series"),
        ("POST", path, b"1,2\n2,2\n3,2\n", "3 points"),
        ("PUT", path, b"1,2\n2,2\n3,2\n4,2\n", "3 points"),
    ):
        for dry in ("", f"{'&' if '?' in target else '?'}dry_run=true"):
            reply = service.send(method, target + dry, body, csv)
            assert (reply.status, words in detail(reply)) == (403, True)
        assert service.send("GET", f"{path}csv/", headers=headers).body == b"0.0,1.0\n1.0,1.0\n"
    assert service.send("POST", path, b"1,2\n2,2\n", csv).status == 204
    assert service.send("POST", f"{path}?value=1", headers=headers).status == 403
    assert service.send("PUT", path, b"1,2\n", csv).status == 204
    assert service.send("POST", f"{path}?value=1", headers=headers).status == 204
    assert service.create(b"\n".join(b"%d,1" % t for t in range(10)))
