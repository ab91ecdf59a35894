"""The storage contract of accounts: users, their API tokens, links and sessions."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_storage import IDS, METADATA, columns, read
from timetric.server.columns import EMPTY
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import (
    AccessToken,
    Account,
    Accounts,
    Application,
    Belongings,
    Missing,
    Opening,
    OverQuota,
    Quota,
    RequestToken,
    Series,
    Storage,
    Taken,
    Token,
    User,
    open_storage,
)
from timetric.server.storage.accounts import UNLIMITED


@pytest.fixture
def storage(place: Path | str) -> Iterator[Storage]:
    store = open_storage(place)
    yield store
    assert list(store.check()) == []
    store.close()


@pytest.fixture
def owner(storage: Storage) -> User:
    return storage.accounts.add_user("owner", 1.0)


@pytest.fixture
def other(storage: Storage) -> User:
    return storage.accounts.add_user("other", 1.0)


def opening(digest: bytes, now: float = 50.0, old: bytes | None = None) -> Opening:
    return Opening(digest, now, now + 100.0, "Some browser", "192.0.2.1", old)


def open_session(accounts: Accounts, user: User, opened: Opening) -> None:
    """As by a link."""
    accounts.put_link(user, b"a link", opened.now + 1)
    accounts.sign_in(b"a link", opened)


# users


def test_users_are_known_by_their_name(storage: Storage, owner: User) -> None:
    other = storage.accounts.add_user("anna", 2.0)
    assert storage.accounts.users() == [other, owner]
    assert storage.accounts.user("anna") == other
    with pytest.raises(Taken, match="anna"):
        storage.accounts.add_user("anna", 3.0)
    with pytest.raises(Missing, match="bob"):
        storage.accounts.user("bob")


def test_a_name_that_differs_only_in_case_is_taken(storage: Storage, owner: User) -> None:
    with pytest.raises(Taken, match="'owner'"):
        storage.accounts.add_user("OWNER", 2.0)
    with pytest.raises(Missing):
        storage.accounts.user("Owner")


def test_an_account_tells_what_is_known_of_a_user(storage: Storage, owner: User) -> None:
    assert storage.accounts.account(owner) == Account(owner, 1.0, False, False, UNLIMITED)
    quota = Quota(2, 10)
    new = storage.accounts.add_user("new", 2.0, "a hash", quota)
    assert storage.accounts.account(new) == Account(new, 2.0, False, True, quota)
    storage.accounts.set_disabled(new, disabled=True)
    assert storage.accounts.account(new).disabled
    with pytest.raises(Missing):
        storage.accounts.account(User(5, "nobody"))


def test_a_password_is_set_and_ends_the_other_sessions(
    storage: Storage, owner: User, other: User
) -> None:
    accounts = storage.accounts
    for digest, user in ((b"one", owner), (b"two", owner), (b"theirs", other)):
        open_session(accounts, user, opening(digest))
    assert accounts.password("owner") is None
    accounts.set_password(owner, "a hash", keep=b"two")
    assert accounts.password("owner") == "a hash"
    assert accounts.password("nobody") is None
    assert accounts.session(b"two", 60.0).user == owner
    assert accounts.session(b"theirs", 60.0).user == other
    with pytest.raises(Missing):
        accounts.session(b"one", 60.0)
    accounts.set_password(owner, "another")
    assert accounts.sessions_of(owner, 60.0) == []


def test_who_is_disabled_is_let_in_by_nothing_until_enabled(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    accounts.set_password(owner, "a hash")
    accounts.add_token(owner, "laptop", "key", b"digest", 2.0)
    open_session(accounts, owner, opening(b"session"))
    accounts.put_link(owner, b"link", 100.0)
    accounts.set_disabled(owner, disabled=True)
    assert accounts.password("owner") is None
    for refused in (
        lambda: accounts.token("key"),
        lambda: accounts.link(b"link", 60.0),
        lambda: accounts.sign_in(b"link", opening(b"new")),
        lambda: accounts.open_session(owner, opening(b"new"), "a hash"),
        lambda: accounts.session(b"session", 60.0),
    ):
        with pytest.raises(Missing):
            refused()
    assert [token.key for token in accounts.tokens()] == ["key"]
    accounts.set_disabled(owner, disabled=False)
    assert accounts.password("owner") == "a hash"
    assert accounts.token("key").user == accounts.session(b"session", 60.0).user == owner
    assert accounts.sign_in(b"link", opening(b"new")) == owner


def test_grants_of_who_is_disabled_are_missing(storage: Storage, owner: User, other: User) -> None:
    grants = storage.grants
    application = Application("app", "Plotter", owner, None, False, 2.0)
    grants.add_application(application)
    grants.add_access_token(AccessToken("theirs", application, other, 3.0))
    grants.add_request_token(RequestToken("request", application, "oob", True, 100.0), 3.0)
    grants.authorize("request", other, 4.0)
    for disabled in (other, owner):
        storage.accounts.set_disabled(disabled, disabled=True)
        for refused in (
            lambda: grants.access_token("theirs"),
            lambda: grants.request_token("request", 5.0),
            lambda: grants.exchange("request", "new", 5.0),
        ):
            with pytest.raises(Missing):
                refused()
        assert len(grants.access_tokens()) == 1
        storage.accounts.set_disabled(disabled, disabled=False)
        assert grants.access_token("theirs").user == other
    storage.accounts.set_disabled(owner, disabled=True)
    with pytest.raises(Missing):
        grants.application("app")


def test_a_user_is_removed_with_all_that_is_theirs_and_no_more(
    storage: Storage, owner: User, other: User
) -> None:
    accounts, grants = storage.accounts, storage.grants
    for user, id in ((owner, IDS[0]), (other, IDS[1])):
        many = columns(*((float(t), float(t % 7)) for t in range(5000)))
        storage.create(id, user, METADATA, many, 2.0)
        storage.append(storage.series(id), 1.0, 9000.0)
        accounts.add_token(user, "laptop", f"key of {user.name}", b"digest", 2.0)
        open_session(accounts, user, opening(b"session of " + user.name.encode()))
        accounts.put_link(user, user.name.encode(), 100.0)
        application = Application(f"app of {user.name}", "Plotter", user, None, False, 2.0)
        grants.add_application(application)
        for grantor in (owner, other):
            token = f"{application.key} for {grantor.name}"
            grants.add_access_token(AccessToken(token, application, grantor, 3.0))
            request = RequestToken(f"request {token}", application, "oob", True, 100.0, grantor)
            grants.add_request_token(request, 3.0)
    assert accounts.belongings(owner) == Belongings(1, 5001, 1, 1)
    accounts.remove_user(owner)
    assert accounts.users() == [other]
    assert [token.user for token in accounts.tokens()] == [other]
    assert [application.owner for application in grants.applications()] == [other]
    assert [token.key for token in grants.access_tokens()] == ["app of other for other"]
    for refused in (
        lambda: accounts.account(owner),
        lambda: accounts.session(b"session of owner", 60.0),
        lambda: accounts.link(b"owner", 60.0),
        lambda: storage.known_series(IDS[0]),
        lambda: grants.request_token("request app of other for owner", 60.0),
        lambda: storage.create(IDS[2], owner, METADATA, EMPTY, 2.0),
        lambda: accounts.remove_user(owner),
        lambda: accounts.set_password(owner, "a hash"),
        lambda: accounts.set_disabled(owner, disabled=True),
    ):
        with pytest.raises(Missing):
            refused()
    assert storage.series(IDS[1]).points == 5001
    assert len(read(storage, storage.series(IDS[1]))) == 5001
    assert accounts.belongings(other) == Belongings(1, 5001, 1, 1)
    assert accounts.add_user("owner", 3.0).key != owner.key


def test_the_room_of_a_removed_user_is_used_again(tmp_path: Path) -> None:
    store = open_storage(tmp_path)
    owner = store.accounts.add_user("owner", 1.0)
    store.create(IDS[0], owner, METADATA, columns(*((t + 0.5, t / 7) for t in range(9000))), 2.0)
    store.accounts.remove_user(owner)
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
        for table in ("bodies", "blocks", "tail", "series", "loose"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    store.close()


# quotas


@pytest.fixture
def limited(storage: Storage) -> User:
    return storage.accounts.add_user("limited", 1.0, None, Quota(series=2, points=300))


@pytest.fixture
def narrow(storage: Storage, limited: User) -> Series:
    """A series of 290 points, beside one with five: five more may be stored."""
    storage.create(IDS[0], limited, METADATA, columns(*((-t, 1.0) for t in range(5))), 2.0)
    points = columns(*((float(t), 1.0) for t in range(290)))
    storage.create(IDS[1], limited, METADATA, points, 2.0)
    return storage.series(IDS[1])


def test_a_quota_of_series_is_held(storage: Storage, limited: User, narrow: Series) -> None:
    with pytest.raises(OverQuota, match="2 series"):
        storage.create(IDS[2], limited, METADATA, EMPTY, 2.0)


@pytest.mark.parametrize("size", [6, 400, 9000], ids=["few", "packed", "blocks"])
def test_a_quota_of_points_is_held_whole(storage: Storage, narrow: Series, size: int) -> None:
    before = read(storage, narrow)
    more = columns(*((1000.0 + t, 2.0) for t in range(size)))
    writes = [
        lambda: storage.merge(narrow, more, 3.0),
        lambda: storage.replace(
            narrow, columns(*before, *((1e3 + t, 2.0) for t in range(size))), 3
        ),
    ]
    for write in writes:
        with pytest.raises(OverQuota, match="300 points"):
            write()
    assert read(storage, narrow) == before
    assert storage.series(narrow.id).points == 290


@pytest.mark.parametrize("size", [1, 4, 5, 6, 400, 9000])
def test_a_dry_run_says_what_the_quota_would(storage: Storage, narrow: Series, size: int) -> None:
    """Of each write, which starts anew with 295 points that the owner has."""
    standing = read(storage, narrow)
    more = columns(*((1000.0 + t, 2.0) for t in range(size)))
    whole = columns(*standing, *((1000.0 + t, 2.0) for t in range(size)))
    for write in (
        lambda terms: storage.merge(narrow, more, 3.0, terms),
        lambda terms: storage.merge(narrow, whole, 3.0, terms),
        lambda terms: storage.replace(narrow, whole, 3.0, terms),
    ):
        tried, done = outcome(write, Terms(dry_run=True)), outcome(write, Terms())
        assert tried == done == ("over" if size > 5 else size)
        storage.replace(narrow, columns(*standing), 4.0)


def test_a_dry_run_of_making_a_series_heeds_the_quota(storage: Storage, limited: User) -> None:
    dry = Terms(dry_run=True)
    for size, over in ((300, False), (301, True), (9000, True)):
        points = columns(*((float(t), 1.0) for t in range(size)))
        make = partial(storage.create, IDS[0], limited, METADATA, points, 2.0)
        assert outcome(make, dry) == ("over" if over else size)
    for id in IDS[:2]:
        storage.create(id, limited, METADATA, EMPTY, 2.0)
    with pytest.raises(OverQuota, match="2 series"):
        storage.create(IDS[2], limited, METADATA, EMPTY, 2.0, dry)


def outcome(write: Callable[[Terms], Receipt], terms: Terms) -> object:
    """How many points a write adds, or that it is over the quota."""
    try:
        return write(terms).added
    except OverQuota:
        return "over"


def test_a_quota_is_set_and_what_is_there_stays(
    storage: Storage, limited: User, narrow: Series
) -> None:
    storage.accounts.set_quota(limited, Quota(series=None, points=10))
    storage.create(IDS[2], limited, METADATA, EMPTY, 2.0)
    before = read(storage, narrow)
    with pytest.raises(OverQuota, match="10 points"):
        storage.append(narrow, 1.0, 1e6)
    storage.merge(narrow, columns((0.0, 7.0)), 3.0)
    assert read(storage, narrow) == [(0.0, 7.0), *before[1:]]
    storage.accounts.set_quota(limited, Quota(None, None))
    assert storage.append(narrow, 1.0, 1e6).added == 1
    with pytest.raises(Missing):
        storage.accounts.set_quota(User(1, "nobody"), Quota(1, 1))


def test_a_quota_of_points_counts_no_replaced_ones(storage: Storage, narrow: Series) -> None:
    storage.merge(narrow, columns(*((float(t), 2.0) for t in range(295))), 3.0)
    kept = storage.merge(
        narrow, columns(*((float(t), 3.0) for t in range(295))), 3.0, Terms(on_conflict="keep")
    )
    assert kept[:4] == (295, 0, 0, 295)
    for write in (
        lambda: storage.append(narrow, 1.0, 1e6),
        lambda: storage.increment(narrow, 1.0, 1e6),
    ):
        with pytest.raises(OverQuota):
            write()
    storage.merge(narrow, columns((294.0, 3.0)), 4.0)
    assert storage.latest(narrow) == (294.0, 3.0)
    storage.clear(narrow, 0.0, 1.0, 5.0)
    assert storage.append(narrow, 1.0, 1e6).point == (1e6, 1.0)
    with pytest.raises(OverQuota):
        storage.append(narrow, 1.0, 2e6)
    storage.replace(narrow, columns((1.0, 1.0)), 6.0)
    assert read(storage, narrow) == [(1.0, 1.0)]


def test_a_new_series_with_too_many_points_is_not_made(storage: Storage, limited: User) -> None:
    for size in (301, 9000):
        with pytest.raises(OverQuota):
            points = columns(*((float(t), 1.0) for t in range(size)))
            storage.create(IDS[0], limited, METADATA, points, 2.0)
    with pytest.raises(Missing):
        storage.series(IDS[0])


# API tokens


def test_tokens_come_and_go(storage: Storage, owner: User) -> None:
    token = storage.accounts.add_token(owner, "laptop", "key", b"digest", 2.0)
    assert storage.accounts.token("key") == token
    assert storage.accounts.tokens() == [token]
    with pytest.raises(Taken, match="laptop"):
        storage.accounts.add_token(owner, "laptop", "other key", b"digest", 2.0)
    storage.accounts.revoke("key")
    with pytest.raises(Missing):
        storage.accounts.token("key")
    with pytest.raises(Missing):
        storage.accounts.revoke("key")


def test_a_token_keeps_what_it_may_and_when_it_was_used(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    made = accounts.add_token(owner, "n", "key", b"digest", 2.0, read_only=True, expires=9.0)
    assert made == Token("key", "n", owner, b"digest", 2.0, True, 9.0, None)
    assert accounts.token("key") == made
    accounts.note_use("key", 60.0)
    assert accounts.tokens() == [made._replace(last_used=60.0)]


def test_a_user_has_their_own_tokens_only(storage: Storage, owner: User, other: User) -> None:
    accounts = storage.accounts
    mine = [accounts.add_token(owner, name, name, b"digest", 2.0) for name in ("a", "b")]
    theirs = accounts.add_token(other, "a", "theirs", b"digest", 2.0)
    assert accounts.tokens_of(owner) == mine
    with pytest.raises(Missing):
        accounts.revoke_own(other, "a")
    accounts.revoke_own(owner, "a")
    assert (accounts.tokens_of(owner), accounts.tokens_of(other)) == (mine[1:], [theirs])


def test_a_user_has_their_own_grants_only(storage: Storage, owner: User, other: User) -> None:
    grants = storage.grants
    mine = Application("mine", "Plotter", owner, None, False, 2.0, True, 9.0)
    grants.add_application(mine)
    granted = AccessToken("granted", mine, other, 3.0)
    grants.add_access_token(granted)
    assert (grants.applications_of(owner), grants.applications_of(other)) == ([mine], [])
    assert (grants.access_tokens_of(owner), grants.access_tokens_of(other)) == ([], [granted])
    assert (granted.read_only, granted.expires) == (True, 9.0)
    for refused in (
        lambda: grants.remove_own_application(other, "mine"),
        lambda: grants.revoke_own_access_token(owner, "granted"),
    ):
        with pytest.raises(Missing):
            refused()
    grants.note_use("granted", 60.0)
    assert grants.access_token("granted") == granted._replace(last_used=60.0)
    grants.revoke_own_access_token(other, "granted")
    assert grants.access_tokens() == []
    grants.remove_own_application(owner, "mine")
    assert grants.applications() == []


# browsers


def test_a_sign_in_link_is_spent_for_a_session(storage: Storage, owner: User, other: User) -> None:
    accounts = storage.accounts
    accounts.put_link(owner, b"link", 100.0)
    accounts.put_link(other, b"theirs", 100.0)
    assert accounts.link(b"link", 99.0) == owner
    assert accounts.sign_in(b"link", opening(b"session", 99.0)) == owner
    assert accounts.session(b"session", 198.0).user == owner
    for digest, now in ((b"session", 199.0), (b"unknown", 50.0), (b"link", 50.0)):
        with pytest.raises(Missing):
            accounts.session(digest, now)
    with pytest.raises(Missing):
        accounts.link(b"link", 99.0)
    with pytest.raises(Missing):
        accounts.sign_in(b"link", opening(b"session 2", 99.0))
    assert accounts.link(b"theirs", 99.0) == other


def test_a_link_expires_and_the_next_one_replaces_it(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    accounts.put_link(owner, b"first", 100.0)
    accounts.put_link(owner, b"second", 100.0)
    for digest, now in ((b"first", 50.0), (b"second", 100.0)):
        with pytest.raises(Missing):
            accounts.link(digest, now)
        with pytest.raises(Missing):
            accounts.sign_in(digest, opening(b"session", now))
    assert accounts.sign_in(b"second", opening(b"session", 99.0)) == owner


def test_a_session_by_a_password_needs_it_to_be_so_still(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    accounts.set_password(owner, "a hash")
    accounts.open_session(owner, opening(b"first"), "a hash")
    accounts.set_password(owner, "another")
    with pytest.raises(Missing):
        accounts.open_session(owner, opening(b"late"), "a hash")
    assert accounts.sessions_of(owner, 60.0) == []


def test_a_new_session_ends_the_one_that_it_replaces(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    open_session(accounts, owner, opening(b"first"))
    open_session(accounts, owner, opening(b"second", 51.0, old=b"first"))
    with pytest.raises(Missing):
        accounts.session(b"first", 52.0)
    [session] = accounts.sessions_of(owner, 52.0)
    assert session[1:] == (owner, 51.0, 51.0, "Some browser", "192.0.2.1")


def test_a_session_that_is_seen_lives_on(storage: Storage, owner: User) -> None:
    accounts = storage.accounts
    for digest, now in ((b"first", 50.0), (b"second", 51.0)):
        open_session(accounts, owner, opening(digest, now))
    first = accounts.session(b"first", 60.0)
    accounts.note_visit(first, 120.0, 220.0)
    assert accounts.session(b"first", 219.0).last_seen == 120.0
    assert [session.created for session in accounts.sessions_of(owner, 150.0)] == [50.0, 51.0]
    assert [session.created for session in accounts.sessions_of(owner, 151.0)] == [50.0]


def test_sessions_are_ended_by_their_user_only(storage: Storage, owner: User, other: User) -> None:
    accounts = storage.accounts
    for digest, user in ((b"a", owner), (b"b", owner), (b"c", owner), (b"theirs", other)):
        open_session(accounts, user, opening(digest))
    key = accounts.session(b"a", 60.0).key
    with pytest.raises(Missing):
        accounts.end_session(other, key)
    accounts.end_session(owner, key)
    assert len(accounts.sessions_of(owner, 60.0)) == 2
    accounts.end_sessions(owner, keep=b"b")
    [left] = accounts.sessions_of(owner, 60.0)
    assert left == accounts.session(b"b", 60.0)
    accounts.end_sessions(owner, keep=b"theirs")
    assert accounts.sessions_of(owner, 60.0) == []
    assert len(accounts.sessions_of(other, 60.0)) == 1


# an older store


def test_a_store_of_version_4_is_brought_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/stores/version-4.sqlite3", tmp_path / "timetric.sqlite3")
    store, noon = open_storage(tmp_path), 1236772800.0
    accounts, grants = store.accounts, store.grants
    anna, owner = accounts.users()
    assert (anna.name, owner.name) == ("anna", "owner")
    assert accounts.account(owner) == Account(owner, noon, False, False, UNLIMITED)
    token = accounts.token("k" * 22)
    assert token == Token("k" * 22, "laptop", owner, bytes(range(32)), noon + 2)
    plotter, old = grants.application("a" * 22), grants.application("o" * 22)
    assert (plotter.read_only, plotter.expires, old.predates_1_0a) == (False, None, True)
    assert grants.access_tokens_of(anna) == [AccessToken("t" * 22, plotter, anna, noon + 6)]
    assert grants.request_token("r" * 22, noon + 10).application == plotter
    assert accounts.link(b"m" * 32, noon + 10) == anna
    session = accounts.session(b"s" * 32, noon + 10)
    assert session[1:] == (owner, noon + 8, noon + 8, "", "")
    assert accounts.sessions_of(owner, noon + 10) == [session]
    assert grants.fingerprint() == b"f" * 32
    assert store.series(IDS[0]).points == 5001
    assert list(store.check()) == []
    accounts.remove_user(owner)
    assert (accounts.users(), list(store.check())) == ([anna], [])
    store.close()
