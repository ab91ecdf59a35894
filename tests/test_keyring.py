"""The service's secret key: made once, kept, and told from a wrong one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from timetric.server.credentials import make_application
from timetric.server.keyring import ACCESS_TOKEN, REQUEST_TOKEN, Keyring, open_keyring
from timetric.server.storage import Storage, StorageError, open_storage


@pytest.fixture
def storage(place: Path | str) -> Iterator[Storage]:
    store = open_storage(place)
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


def test_the_key_is_made_once_for_its_owner_only(path: Path, storage: Storage) -> None:
    first = open_keyring(path, storage).derive(ACCESS_TOKEN, "key")
    assert open_keyring(path, storage).derive(ACCESS_TOKEN, "key") == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["secret.key"]


def test_each_kind_and_key_has_a_secret_of_its_own() -> None:
    rings = [Keyring(bytes(32)), Keyring(bytes(31) + b"\1")]
    kinds, keys = (REQUEST_TOKEN, ACCESS_TOKEN), ("", "a", "b")
    derived = {ring.derive(kind, key) for ring in rings for kind in kinds for key in keys}
    assert len(derived) == 12
    assert all(secret.isalnum() and len(secret) == 64 for secret in derived)


def test_a_wrong_key_is_refused(tmp_path: Path, path: Path, storage: Storage) -> None:
    open_keyring(path, storage)
    (tmp_path / "other.key").write_bytes(bytes(32))
    with pytest.raises(StorageError, match="is not the secret key"):
        open_keyring(tmp_path / "other.key", storage)
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="32 bytes"):
        open_keyring(path, storage)


def test_a_lost_key_that_secrets_came_from_is_not_replaced(path: Path, storage: Storage) -> None:
    open_keyring(path, storage)
    make_application(storage.grants, storage.accounts.add_user("owner", 1.0), "Plotter")
    path.unlink()
    with pytest.raises(StorageError, match="missing; bring it back from a backup"):
        open_keyring(path, storage)
    assert not path.exists()


def test_a_key_that_nothing_came_from_is_made_anew(path: Path, storage: Storage) -> None:
    lost = open_keyring(path, storage).fingerprint
    path.unlink()
    found = open_keyring(path, storage).fingerprint
    assert found != lost
    assert open_keyring(path, storage).fingerprint == storage.grants.fingerprint() == found


def test_a_key_that_is_given_is_used(path: Path, storage: Storage) -> None:
    path.write_bytes(bytes(range(32)))
    given = Keyring(bytes(range(32)))
    assert open_keyring(path, storage).fingerprint == given.fingerprint


def test_many_that_start_at_once_share_one_key(path: Path, storage: Storage) -> None:
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(open_keyring(path, storage).fingerprint))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [storage.grants.fingerprint()] * 8


def test_where_no_key_can_be_made_it_is_told(tmp_path: Path, storage: Storage) -> None:
    with pytest.raises(StorageError, match="can't make the secret key file"):
        open_keyring(tmp_path / "nowhere" / "secret.key", storage)
