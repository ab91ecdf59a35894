"""Accounts and grants where several processes do the same at the same moment, on any engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from tests.test_storage import IDS, METADATA, columns
from tests.test_storage_accounts import opening
from timetric.server.storage import (
    AccessToken,
    Application,
    Missing,
    RequestToken,
    Search,
    Storage,
    StorageError,
    Taken,
    User,
    open_storage,
)

HANG = 60  # seconds after which a test gives up
AT_ONCE = 6


@pytest.fixture
def stores(place: Path | str) -> Iterator[list[Storage]]:
    """One store, as each of three processes has it open."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(open_storage(place))) for _ in range(3)]


@pytest.fixture
def owner(stores: list[Storage]) -> User:
    return stores[0].accounts.add_user("owner", 1.0, "old hash")


@pytest.fixture
def application(stores: list[Storage], owner: User) -> Application:
    made = Application("app", "Plotter", owner, None, False, 2.0)
    stores[0].grants.add_application(made)
    return made


def outcomes(stores: list[Storage], job: Callable[[Storage, int], object]) -> Counter[str]:
    """What came of a job that so many threads do at the same moment: "done", or what it raised."""
    start = Barrier(AT_ONCE, timeout=HANG)

    def attempt(n: int) -> str:
        start.wait()
        try:
            job(stores[n % len(stores)], n)
        except StorageError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(attempt, range(AT_ONCE)))


def test_a_link_signs_in_once(stores: list[Storage], owner: User) -> None:
    for n in range(3):
        stores[0].accounts.put_link(owner, b"link", 100.0)
        came = outcomes(
            stores,
            lambda store, i, n=n: store.accounts.sign_in(b"link", opening(b"%d %d" % (n, i))),
        )
        assert came == {"done": 1, "Missing": AT_ONCE - 1}
    assert len(stores[1].accounts.sessions_of(owner, 50.0)) == 3


def test_a_request_token_is_exchanged_once(
    stores: list[Storage], owner: User, application: Application
) -> None:
    token = RequestToken("request", application, "oob", True, 100.0, owner)
    stores[0].grants.add_request_token(token, 50.0)
    came = outcomes(stores, lambda store, i: store.grants.exchange("request", f"access {i}", 60.0))
    assert came == {"done": 1, "Missing": AT_ONCE - 1}
    assert len(stores[1].grants.access_tokens()) == 1


def test_a_request_token_is_bound_to_one_user(
    stores: list[Storage], application: Application
) -> None:
    stores[0].grants.add_request_token(RequestToken("r", application, "oob", True, 100.0), 50.0)
    users = [stores[0].accounts.add_user(f"user{n}", 1.0) for n in range(AT_ONCE)]
    came = outcomes(stores, lambda store, i: store.grants.authorize("r", users[i], 60.0))
    assert came == {"done": 1, "Missing": AT_ONCE - 1}


def test_a_nonce_is_taken_once(stores: list[Storage]) -> None:
    for n in range(5):
        stores[0].grants.spend(b"old %d" % n, 10.0, 5.0)
    for n in range(5):
        nonce = b"nonce %d" % n
        came = outcomes(stores, lambda store, _, nonce=nonce: store.grants.spend(nonce, 99.0, 50.0))
        assert came == {"done": 1, "Taken": AT_ONCE - 1}
    assert [stores[2].grants.is_spent(b"nonce %d" % n) for n in range(5)] == [True] * 5


def test_a_name_is_given_once_whatever_its_case(stores: list[Storage]) -> None:
    names = ["ada", "Ada", "ADA", "adA", "aDa", "ADa"]
    came = outcomes(stores, lambda store, i: store.accounts.add_user(names[i], 1.0))
    assert came == {"done": 1, "Taken": AT_ONCE - 1}
    assert len(stores[1].accounts.users()) == 1


def test_all_keep_the_same_fingerprint(stores: list[Storage]) -> None:
    kept: list[bytes] = []
    outcomes(stores, lambda store, i: kept.append(store.grants.keep_fingerprint(b"%d" % i)))
    assert kept == [stores[0].grants.fingerprint()] * AT_ONCE


def test_no_session_outlives_the_password_it_was_opened_with(
    stores: list[Storage], owner: User
) -> None:
    def job(store: Storage, i: int) -> None:
        if i == 0:
            store.accounts.set_password(owner, "new hash")
        else:
            store.accounts.open_session(owner, opening(b"%d" % i), "old hash")

    came = outcomes(stores, job)
    assert set(came) <= {"done", "Missing"}
    assert stores[1].accounts.sessions_of(owner, 50.0) == []
    with pytest.raises(Missing):
        stores[2].accounts.open_session(owner, opening(b"late"), "old hash")


def test_a_user_is_removed_with_all_that_is_made_at_the_same_moment(
    stores: list[Storage], owner: User, application: Application
) -> None:
    other = stores[0].accounts.add_user("other", 1.0)
    points = columns((1.0, 2.0), (2.0, 3.0))
    stores[0].create(IDS[0], owner, METADATA, points, 2.0)

    def job(store: Storage, i: int) -> object:
        return [
            lambda: store.accounts.remove_user(owner),
            lambda: store.create(IDS[1], owner, METADATA, points, 3.0),
            lambda: store.accounts.add_token(owner, "mine", "key", b"digest", 3.0),
            lambda: store.grants.add_access_token(AccessToken("access", application, other, 3.0)),
            lambda: store.append(store.series(IDS[0]), 4.0, 5.0),
            lambda: store.create(IDS[2], owner, METADATA, points, 3.0),
        ][i]()

    came = outcomes(stores, job)
    assert set(came) <= {"done", "Missing", "Taken"}
    store = stores[1]
    assert [user.name for user in store.accounts.users()] == ["other"]
    assert (store.accounts.tokens(), store.grants.applications()) == ([], [])
    assert store.grants.access_tokens() == []
    assert store.search(Search(viewer=owner)).total == 0
    for id in IDS:
        with pytest.raises(Missing):
            store.series(id)
    assert list(store.check()) == []


def test_what_one_changes_the_others_know_at_once(stores: list[Storage], owner: User) -> None:
    first, second, third = (store.accounts for store in stores)
    first.add_token(owner, "mine", "key", b"digest", 2.0)
    assert second.token("key") == third.token("key")
    second.set_disabled(owner, True)
    for accounts in (first, third):
        with pytest.raises(Missing):
            accounts.token("key")
    second.set_disabled(owner, False)
    assert third.token("key").name == "mine"
    third.revoke("key")
    with pytest.raises(Missing):
        first.token("key")
    with pytest.raises(Taken):
        second.add_user("owner", 3.0)
