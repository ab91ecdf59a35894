"""Names that nobody can guess: series IDs, token keys and secrets, each 22 characters."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from uuid import UUID

from timetric.server.storage import Accounts, Application, Grants, Token, User

Random = Callable[[int], bytes]


def make_id(random: Random) -> str:
    """A new series ID: a random (version 4) UUID."""
    return _drawn(lambda: UUID(bytes=random(16), version=4).bytes)


def make_secret(random: Random) -> str:
    """A new token key or secret: 128 random bits."""
    return _drawn(lambda: random(16))


def _drawn(draw: Callable[[], bytes]) -> str:
    """Drawn until it begins with a letter or digit, so that nothing takes it for an option."""
    while not (text := urlsafe_b64encode(draw()).rstrip(b"=").decode("ascii"))[0].isalnum():
        pass
    return text


def digest(secret: str) -> bytes:
    """What the store keeps of a secret; a plain SHA-256 does, as 128 bits can't be tried out."""
    return hashlib.sha256(secret.encode("utf-8")).digest()


def make_token(
    accounts: Accounts,
    user: User,
    name: str,
    *,
    read_only: bool = False,
    expires: float | None = None,
    clock: Callable[[], float] = time.time,
    random: Random = secrets.token_bytes,
) -> tuple[Token, str]:
    """A new API token of the user's and its secret, which can't be had again later.

    Raises Taken where the user has a token of that name.
    """
    secret = make_secret(random)
    token = accounts.add_token(
        user,
        name,
        make_secret(random),
        digest(secret),
        clock(),
        read_only=read_only,
        expires=expires,
    )
    return token, secret


def make_application(
    grants: Grants,
    owner: User,
    name: str,
    *,
    callback: str | None = None,
    predates_1_0a: bool = False,
    read_only: bool = False,
    expires: float | None = None,
    clock: Callable[[], float] = time.time,
    random: Random = secrets.token_bytes,
) -> Application:
    """A new application of the user's. Raises Taken where the user has one of that name."""
    key = make_secret(random)
    application = Application(
        key, name, owner, callback, predates_1_0a, clock(), read_only, expires
    )
    grants.add_application(application)
    return application
