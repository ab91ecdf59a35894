"""Who is asking."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode

from falcon import Request

from timetric.server.credentials import digest
from timetric.server.problem import Problem
from timetric.server.storage import Missing, Storage, User

_WRONG = "The credentials are wrong, or the token was revoked."


class Identity:
    """The user behind a request, by what it carries: an API token (HTTP Basic, RFC 7617)."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def user(self, req: Request) -> User | None:
        """Who asks; None without credentials. Raises Problem: 401 wrong ones, 400 broken ones."""
        header = req.get_header("Authorization")
        if header is None:
            return None
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() != "basic":
            raise Problem(401, "Only API tokens are known here, sent by HTTP Basic.")
        return self._token_user(credentials.strip())

    def required(self, req: Request) -> User:
        """Who asks. Raises Problem, also without credentials."""
        user = self.user(req)
        if user is None:
            raise Problem(401, "This needs an API token: its key and secret by HTTP Basic.")
        return user

    def _token_user(self, credentials: str) -> User:
        key, secret = _split(credentials)
        try:
            token = self._storage.token(key)
        except Missing as error:  # answered as a wrong secret is
            raise Problem(401, _WRONG) from error
        if not hmac.compare_digest(token.digest, digest(secret)):
            raise Problem(401, _WRONG)
        return token.user


def _split(credentials: str) -> tuple[str, str]:
    """Key and secret. Servers join two Authorization headers by a comma, which is no base64."""
    try:
        text = b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:  # no base64, no ASCII, no UTF-8
        raise Problem(400, "The Authorization header is broken, or there are two.") from error
    key, colon, secret = text.partition(":")
    if not colon:
        raise Problem(400, "The Authorization header holds no key:secret.")
    return key, secret
