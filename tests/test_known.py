"""Look-ups that are kept in memory: what another process has changed is seen at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from timetric.server.columns import EMPTY
from timetric.server.metadata import Metadata
from timetric.server.storage import Missing, Storage, open_storage

#: Another process that makes a token, and dies in the moment in which it would be revoked.
DYING = """
import os, signal, sys
from pathlib import Path
from timetric.server.storage import open_storage
storage = open_storage(Path(sys.argv[1]))
database = storage._database
def die(db):
    db.execute("DELETE FROM tokens")
    os.kill(os.getpid(), signal.SIGKILL)
database.write(die)
"""


@pytest.fixture
def storages(tmp_path: Path) -> Iterator[tuple[Storage, Storage]]:
    """The same store, opened twice as two processes have it."""
    one, other = open_storage(tmp_path), open_storage(tmp_path)
    yield one, other
    one.close()
    other.close()


def test_a_token_revoked_elsewhere_is_gone_at_once(storages: tuple[Storage, Storage]) -> None:
    one, other = storages
    user, over = one.accounts.add_user("owner", 1.0), threading.Event()

    def look_up() -> None:  # so that the moment of each change is met by a look-up
        while not over.is_set():
            with suppress(Missing):
                other.accounts.token("key")

    threads = [threading.Thread(target=look_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        one.accounts.add_token(user, "name", "key", b"digest", 1.0)
        assert other.accounts.token("key").digest == b"digest"
        one.accounts.revoke("key")
        with pytest.raises(Missing):
            other.accounts.token("key")
    over.set()
    for thread in threads:
        thread.join()


def test_who_is_disabled_or_removed_elsewhere_is_refused_at_once(
    storages: tuple[Storage, Storage],
) -> None:
    one, other = storages
    user = one.accounts.add_user("owner", 1.0)
    token = one.accounts.add_token(user, "name", "key", b"digest", 1.0)
    assert other.accounts.token("key") == token
    one.accounts.set_disabled(user, disabled=True)
    with pytest.raises(Missing):
        other.accounts.token("key")
    one.accounts.set_disabled(user, disabled=False)
    assert other.accounts.token("key") == token
    one.accounts.remove_user(user)
    with pytest.raises(Missing):
        other.accounts.token("key")


def test_a_series_is_known_with_what_no_write_of_points_changes(
    storages: tuple[Storage, Storage],
) -> None:
    one, other = storages
    user = one.accounts.add_user("owner", 1.0)
    with pytest.raises(Missing):
        other.known_series("id")
    one.create("id", user, Metadata("Title", "Caption"), EMPTY, 2.0)
    series = one.series("id")
    assert other.known_series("id") == series
    one.append(series, 1.0, 3.0)
    assert other.known_series("id").metadata == series.metadata
    assert other.series("id").points == 1


def test_one_that_dies_in_a_change_does_not_hide_the_next(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    user = storage.accounts.add_user("owner", 1.0)
    storage.accounts.add_token(user, "name", "key", b"digest", 1.0)
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert storage.accounts.token("key").user == user
    other = open_storage(tmp_path)
    assert storage.accounts.token("key").user == user
    other.accounts.revoke("key")
    with pytest.raises(Missing):
        storage.accounts.token("key")
    other.close()
    storage.close()
