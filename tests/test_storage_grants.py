"""The storage contract of what lets somebody in: applications, tokens, links, sessions."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_storage import IDS, read
from timetric.server.storage import (
    AccessToken,
    Application,
    Missing,
    RequestToken,
    Storage,
    Taken,
    User,
    open_storage,
)


@pytest.fixture
def storage(place: Path | str) -> Iterator[Storage]:
    store = open_storage(place)
    yield store
    store.close()


@pytest.fixture
def owner(storage: Storage) -> User:
    return storage.accounts.add_user("owner", 1.0)


@pytest.fixture
def other(storage: Storage) -> User:
    return storage.accounts.add_user("other", 1.0)


@pytest.fixture
def application(storage: Storage, owner: User) -> Application:
    made = Application("app", "Plotter", owner, "https://plotter.example/", False, 2.0)
    storage.grants.add_application(made)
    return made


@pytest.fixture
def token(storage: Storage, application: Application) -> RequestToken:
    made = RequestToken("request", application, "oob", True, expires=100.0)
    storage.grants.add_request_token(made, 50.0)
    return made


def test_applications_come_and_go(
    storage: Storage, owner: User, other: User, application: Application
) -> None:
    old = Application("old", "Plotter", other, None, True, 3.0)
    storage.grants.add_application(old)
    assert storage.grants.application("app") == application
    assert storage.grants.applications() == [old, application]
    for taken in (old._replace(name="New"), application._replace(key="new")):
        with pytest.raises(Taken, match="already"):
            storage.grants.add_application(taken)
    storage.grants.remove_application("old")
    assert storage.grants.applications() == [application]
    for call in (storage.grants.application, storage.grants.remove_application):
        with pytest.raises(Missing):
            call("old")


def test_a_request_token_is_known_until_it_expires(storage: Storage, token: RequestToken) -> None:
    assert storage.grants.request_token("request", 99.9) == token
    for key, now in (("request", 100.0), ("another", 50.0)):
        with pytest.raises(Missing):
            storage.grants.request_token(key, now)


def test_the_first_user_to_decide_binds_a_request_token(
    storage: Storage, owner: User, other: User, token: RequestToken
) -> None:
    bound = storage.grants.authorize("request", owner, 60.0)
    assert bound == token._replace(user=owner)
    assert storage.grants.authorize("request", owner, 61.0) == bound
    for call in (storage.grants.authorize, storage.grants.deny):
        with pytest.raises(Missing):
            call("request", other, 62.0)
        with pytest.raises(Missing):
            call("request", owner, 100.0)
    storage.grants.deny("request", owner, 63.0)
    with pytest.raises(Missing):
        storage.grants.request_token("request", 64.0)


def test_a_request_token_is_exchanged_once_and_only_when_authorized(
    storage: Storage, owner: User, application: Application, token: RequestToken
) -> None:
    with pytest.raises(Missing):
        storage.grants.exchange("request", "access", 60.0)
    storage.grants.authorize("request", owner, 60.0)
    with pytest.raises(Missing):
        storage.grants.exchange("request", "access", 100.0)
    access = storage.grants.exchange("request", "access", 61.0)
    assert access == AccessToken("access", application, owner, 61.0)
    assert storage.grants.access_token("access") == access
    with pytest.raises(Missing):
        storage.grants.exchange("request", "access 2", 62.0)
    assert storage.grants.access_tokens() == [access]


def test_of_many_exchanges_at_once_one_succeeds(
    storage: Storage, owner: User, token: RequestToken
) -> None:
    storage.grants.authorize("request", owner, 60.0)
    won = []

    def exchange(number: int) -> None:
        with suppress(Missing):
            won.append(storage.grants.exchange("request", f"access {number}", 61.0))

    threads = [threading.Thread(target=exchange, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.grants.access_tokens() == won


def test_wrong_verifiers_end_a_request_token(storage: Storage, token: RequestToken) -> None:
    for _ in range(4):
        storage.grants.count_wrong_verifier("request", 5)
        assert storage.grants.request_token("request", 60.0) == token
    storage.grants.count_wrong_verifier("request", 5)
    with pytest.raises(Missing):
        storage.grants.request_token("request", 60.0)


def test_an_application_goes_with_all_its_tokens(
    storage: Storage, owner: User, application: Application, token: RequestToken
) -> None:
    storage.grants.add_access_token(AccessToken("access", application, owner, 3.0))
    storage.grants.remove_application("app")
    with pytest.raises(Missing):
        storage.grants.request_token("request", 60.0)
    with pytest.raises(Missing):
        storage.grants.access_token("access")
    with pytest.raises(Missing):
        storage.grants.add_request_token(token, 60.0)
    with pytest.raises(Missing):
        storage.grants.add_access_token(AccessToken("late", application, owner, 3.0))


def test_an_access_token_is_revoked_alone(
    storage: Storage, owner: User, other: User, application: Application
) -> None:
    tokens = [AccessToken(user.name, application, user, 3.0) for user in (other, owner)]
    for made in tokens:
        storage.grants.add_access_token(made)
    storage.grants.revoke_access_token("owner")
    assert storage.grants.access_tokens() == tokens[:1]
    for call in (storage.grants.access_token, storage.grants.revoke_access_token):
        with pytest.raises(Missing):
            call("owner")


def test_a_nonce_is_spent_once(storage: Storage) -> None:
    assert not storage.grants.is_spent(b"nonce")
    storage.grants.spend(b"nonce", 100.0, 50.0)
    assert storage.grants.is_spent(b"nonce")
    with pytest.raises(Taken):
        storage.grants.spend(b"nonce", 100.0, 60.0)
    storage.grants.spend(b"other", 100.0, 60.0)


def test_what_has_expired_is_dropped_as_more_comes_in(
    storage: Storage, application: Application
) -> None:
    for number in range(150):
        storage.grants.spend(b"old %d" % number, 10.0, 1.0)
    storage.grants.spend(b"new", 100.0, 9.9)
    assert storage.grants.is_spent(b"old 0")
    for number in range(2):
        storage.grants.spend(b"newer %d" % number, 100.0, 10.0)
    assert not any(storage.grants.is_spent(b"old %d" % number) for number in range(150))
    assert storage.grants.is_spent(b"new")


def test_the_first_fingerprint_is_kept(storage: Storage) -> None:
    assert storage.grants.fingerprint() is None
    assert storage.grants.keep_fingerprint(b"first") == b"first"
    assert storage.grants.keep_fingerprint(b"second") == b"first"
    assert storage.grants.fingerprint() == b"first"


def test_a_fingerprint_is_forgotten_while_there_are_no_applications(
    storage: Storage, owner: User
) -> None:
    storage.grants.keep_fingerprint(b"first")
    storage.grants.forget_fingerprint()
    assert storage.grants.keep_fingerprint(b"second") == b"second"
    storage.grants.add_application(Application("app", "Plotter", owner, None, False, 2.0))
    storage.grants.forget_fingerprint()
    assert storage.grants.fingerprint() == b"second"


def test_a_store_of_version_2_is_brought_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/stores/version-2.sqlite3", tmp_path / "timetric.sqlite3")
    with sqlite3.connect(tmp_path / "timetric.sqlite3") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM blocks").fetchone() == (2,)
    db.close()
    store = open_storage(tmp_path)
    assert [user.name for user in store.accounts.users()] == ["anna", "owner"]
    assert store.accounts.token("k" * 22).digest == bytes(range(32))
    assert store.accounts.token("p" * 22).user == store.accounts.user("anna")
    long = store.series(IDS[0])
    assert (long.metadata.tags, long.metadata.latitude) == (("power", "é"), 51.5)
    words = [(None, True, False, 1.5)[n % 4] for n in range(7)]
    values = [-1.0, *(float(n % 50) for n in range(1, 5000)), *words]
    assert read(store, long) == [(1236735000.0 + 60 * n, v) for n, v in enumerate(values)]
    assert read(store, store.series(IDS[1])) == [(-1.5, True), (0, 0), (1, False), (2, 5e-324)]
    assert store.latest(store.series(IDS[2])) is None
    assert list(store.check()) == []
    made = Application("app", "Plotter", store.accounts.user("anna"), None, False, 2.0)
    store.grants.add_application(made)
    assert store.grants.applications() == [made]
    store.close()
