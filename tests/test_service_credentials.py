"""IDs, tokens and their secrets."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from pathlib import Path

import pytest

from timetric.server.credentials import digest, make_id, make_secret, make_token
from timetric.server.storage import Taken, open_storage

DASHES = b"\xf8" + bytes(15)  # begins with "-" in URL-safe base64
PLAIN = bytes(range(16))


@pytest.mark.parametrize("make", [make_id, make_secret])
def test_one_that_would_begin_with_a_dash_is_drawn_again(make: object) -> None:
    draws = [DASHES, b"\xfc" + bytes(15), PLAIN]
    text = make(lambda size: draws.pop(0)[:size])  # type: ignore[operator]
    assert not draws
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{21}", text)


def test_an_id_is_a_uuid_of_version_4() -> None:
    id = make_id(secrets.token_bytes)
    assert uuid.UUID(bytes=base64.urlsafe_b64decode(id + "==")).version == 4


def test_a_token_is_stored_without_its_secret(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    user = storage.accounts.add_user("ann", 0.0)
    token, secret = make_token(storage.accounts, user, "laptop", clock=lambda: 5.0)
    assert storage.accounts.token(token.key) == token
    assert (token.name, token.user, token.created) == ("laptop", user, 5.0)
    assert token.digest == digest(secret)
    assert len(token.key) == len(secret) == 22
    with pytest.raises(Taken):
        make_token(storage.accounts, user, "laptop", clock=lambda: 6.0)
    storage.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert token.key.encode() in kept
    assert secret.encode() not in kept
