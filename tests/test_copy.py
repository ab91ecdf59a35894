"""timetric copy: all that a store holds comes to another one, of any engine, and is compared."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.test_storage import IDS, columns, make
from timetric.server.columns import EMPTY, Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import Key, Terms
from timetric.server.storage import (
    AccessToken,
    Application,
    Missing,
    Opening,
    Quota,
    Search,
    Series,
    Storage,
    Window,
    open_storage,
)

POINTS = 1_500_000  # more than are written at once
KEY = Key("once", b"meaning")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Storage]:
    """A store with something of everything."""
    with closing(open_storage(tmp_path / "old")) as store:
        anna = store.accounts.add_user("anna", 1.5, "a hash", Quota(10, 5_000_000))
        bob = store.accounts.add_user("bob", 2.5)
        store.accounts.set_disabled(bob, True)
        store.accounts.add_token(anna, "t", "k" * 22, b"d" * 32, 3.0, read_only=True, expires=9e9)
        store.accounts.open_session(anna, Opening(b"s" * 32, 4.0, 9e9, "agent", "::1"), "a hash")
        application = Application("c" * 22, "app", anna, "http://localhost/", True, 5.0)
        store.grants.add_application(application)
        store.grants.add_access_token(AccessToken("a" * 22, application, anna, 6.0))
        store.grants.keep_fingerprint(b"f" * 32)
        store.grants.spend(b"n" * 32, 9e9, 1.0)
        about = Metadata("Größe", "c", "d", ("a", "b/c"), "kW", slug="size", public=True)
        t = np.arange(float(POINTS))
        receipt = store.create(IDS[0], anna, about, Columns(t, t % 7), 7.0, Terms(key=KEY))
        assert receipt.made == IDS[0]
        series = store.series(IDS[0])
        words = [(0.25, True), (0.5, None), (0.75, False), (1.0, -0.0), (9.5e9, 5e-324)]
        store.merge(series, columns(*words), 8.0)
        store.append(series, 14.0, 20.5, Terms(key=KEY))
        make(store, IDS[1], anna, EMPTY)
        yield store


def bits(store: Storage, series: Series) -> bytes:
    """All that is read, to the bit."""
    pieces = list(store.read(series, Window()))
    return b"".join(t.tobytes() for t, _ in pieces) + b"".join(v.tobytes() for _, v in pieces)


def copy(old: Path | str, new: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "timetric", "copy", "--from", str(old), "--to", str(new)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("back", [False, True], ids=["there", "and back"])
def test_all_that_a_store_holds_is_in_the_new_one(
    old: Storage, tmp_path: Path, place: Path | str, back: bool
) -> None:
    done = copy(tmp_path / "old", place)
    assert (done.returncode, done.stderr) == (0, "")
    counts = "2 series with 1,500,005 points, 2 users, 1 tokens and 1 applications"
    assert done.stdout.startswith(f"Copied and compared {counts}\n")
    assert "secret key file" in done.stdout
    if back:
        assert copy(place, tmp_path / "back").returncode == 0
        place = tmp_path / "back"
    with closing(open_storage(place)) as new:
        for user in old.accounts.users():
            assert new.accounts.account(user) == old.accounts.account(user)
            assert new.accounts.password(user.name) == old.accounts.password(user.name)
        [anna, _] = new.accounts.users()
        assert new.accounts.tokens() == old.accounts.tokens()
        assert new.accounts.session(b"s" * 32, 10.0).user == anna
        assert new.grants.access_tokens() == old.grants.access_tokens()
        assert new.grants.fingerprint() == b"f" * 32
        assert new.grants.is_spent(b"n" * 32)
        for id in IDS[:2]:
            series, like = new.series(id), old.series(id)
            assert series._replace(key=like.key) == like
            assert bits(new, series) == bits(old, like)
            assert new.latest(series) == old.latest(like)
        assert new.receipt(anna, IDS[0], "once", 30.0) == old.receipt(anna, IDS[0], "once", 30.0)
        assert new.receipt(anna, "", "once", 30.0) == old.receipt(anna, "", "once", 30.0)
        assert new.search(Search(("große",))).series == [new.series(IDS[0])]
        assert list(new.check()) == []
        # and it can be used
        new.accounts.open_session(anna, Opening(b"o" * 32, 4.0, 9e9, "agent", "::1"), "a hash")
        make(new, IDS[2], anna, columns((1.0, 1.0)))


#: A copy that ends by SIGKILL as soon as it has written a part of the points.
CUT_SHORT = """
import os, signal, sys
from timetric.server import move
from timetric.server.storage import open_storage

def tell(done):
    if done:
        os.kill(os.getpid(), signal.SIGKILL)

move.move(open_storage(sys.argv[1]), open_storage(sys.argv[2]), 10.0, tell)
"""


def test_a_copy_that_was_cut_short_is_gone_on_with(
    old: Storage, tmp_path: Path, place: Path | str
) -> None:
    command = [sys.executable, "-c", CUT_SHORT, str(tmp_path / "old"), str(place)]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    with closing(open_storage(place)) as new:
        assert 0 < new.series(IDS[0]).points < POINTS
    assert copy(tmp_path / "old", place).returncode == 0
    with closing(open_storage(place)) as new:
        assert bits(new, new.series(IDS[0])) == bits(old, old.series(IDS[0]))


def test_what_changed_since_is_copied_anew(old: Storage, tmp_path: Path, place: Path | str) -> None:
    assert copy(tmp_path / "old", place).returncode == 0
    series = old.series(IDS[0])
    old.put(series, (100.0, -1.0), 10.0)  # in the midst
    old.amend(series, {"title": "Other"}, 11.0)
    old.accounts.revoke("k" * 22)
    assert copy(tmp_path / "old", place).returncode == 0
    with closing(open_storage(place)) as new:
        series, like = new.series(IDS[0]), old.series(IDS[0])
        assert series._replace(key=like.key) == like
        assert bits(new, series) == bits(old, like)
        with pytest.raises(Missing):
            new.accounts.token("k" * 22)


def test_a_store_of_its_own_is_not_copied_over(
    old: Storage, tmp_path: Path, place: Path | str
) -> None:
    with closing(open_storage(place)) as new:
        new.accounts.add_user("carla", 1.0)
    done = copy(tmp_path / "old", place)
    assert (done.returncode, done.stdout) == (1, "")
    assert "user 'carla' of its own" in done.stderr
    with closing(open_storage(place)) as new:
        assert [user.name for user in new.accounts.users()] == ["carla"]


def test_a_series_that_was_removed_since_is_told(
    old: Storage, tmp_path: Path, place: Path | str
) -> None:
    assert copy(tmp_path / "old", place).returncode == 0
    old.remove(old.series(IDS[1]), 10.0)
    done = copy(tmp_path / "old", place)
    assert done.returncode == 1
    assert f"still has the series {IDS[1]}" in done.stderr


def test_a_mistyped_store_is_not_made(tmp_path: Path) -> None:
    done = copy(tmp_path / "none", tmp_path / "new")
    assert done.returncode == 1
    assert "there is no data directory" in done.stderr
    assert not (tmp_path / "new").exists()
