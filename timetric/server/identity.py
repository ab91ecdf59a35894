"""Who is asking, and whether they may write."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable
from typing import Protocol

from falcon import Request

from timetric.server.credentials import digest
from timetric.server.keyring import ACCESS_TOKEN
from timetric.server.problem import Problem
from timetric.server.signature import Signatures, is_signed
from timetric.server.storage import AccessToken, Accounts, Missing, Token, User
from timetric.server.usage import Usage
from timetric.timestamps import format_iso

_WRONG = "The credentials are wrong, or the token was revoked, or its user is disabled."


class Scheme(Protocol):
    """A way to tell who asks."""

    def claims(self, req: Request) -> bool:
        """Whether the request carries credentials of this kind."""

    def token(self, req: Request) -> Token | AccessToken:
        """The token that it comes with. Raises Problem: 401 wrong ones, 400 broken ones."""


class ApiToken:
    """A key and a secret by HTTP Basic (RFC 7617). ``clock`` gives Unix seconds."""

    def __init__(self, accounts: Accounts, usage: Usage, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._usage = usage
        self._clock = clock

    def claims(self, req: Request) -> bool:
        return (req.get_header("Authorization") or "").partition(" ")[0].lower() == "basic"

    def token(self, req: Request) -> Token:
        key, secret = _split((req.get_header("Authorization") or "").partition(" ")[2].strip())
        try:
            token = self._accounts.token(key)
        except Missing as error:  # answered as a wrong secret is
            raise Problem(401, _WRONG) from error
        if not hmac.compare_digest(token.digest, digest(secret)):
            raise Problem(401, _WRONG)
        if token.expires is not None and self._clock() >= token.expires:
            raise Problem(401, f"The token expired at {format_iso(token.expires)} UTC.")
        self._usage.note(key, lambda minute: self._accounts.note_use(key, minute))
        return token


class OAuthSignature:
    """A signature with an access token (RFC 5849)."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    def claims(self, req: Request) -> bool:
        return is_signed(req)

    def token(self, req: Request) -> AccessToken:
        token = self._signatures.check(req, ACCESS_TOKEN).token
        assert isinstance(token, AccessToken), "that kind was asked for"
        return token


class Identity:
    """The user behind a request, by the one scheme whose credentials it carries.

    They are looked at once a request: a signature is good once.
    """

    def __init__(self, *schemes: Scheme) -> None:
        self._schemes = schemes

    def user(self, req: Request) -> User | None:
        """Who asks; None without credentials. Raises Problem: 401 wrong ones, 400 broken ones."""
        token = self._token(req)
        return token and token.user

    def writer(self, req: Request) -> User:
        """Who asks, and may write. Raises Problem, also without credentials."""
        token = self._token(req)
        if token is None:
            raise Problem(401, "This needs an API token by HTTP Basic, or an OAuth signature.")
        if token.read_only:
            raise Problem(403, "The token is read-only; nothing can be written with it.")
        return token.user

    def proven(self, req: Request) -> Token | AccessToken | None:
        """The token that a request surely comes with; a Problem is raised by whoever needs one."""
        try:
            req.context.token = self._find(req)
        except Problem as problem:
            req.context.token = problem
            return None
        token: Token | AccessToken | None = req.context.token
        return token

    def _token(self, req: Request) -> Token | AccessToken | None:
        if not hasattr(req.context, "token"):
            self.proven(req)
        found: Token | AccessToken | Problem | None = req.context.token
        if isinstance(found, Problem):
            raise found
        return found

    def _find(self, req: Request) -> Token | AccessToken | None:
        claimed = [scheme for scheme in self._schemes if scheme.claims(req)]
        if len(claimed) > 1:
            raise Problem(400, "The request carries both an API token and an OAuth signature.")
        if claimed:
            return claimed[0].token(req)
        if req.get_header("Authorization") is not None:
            raise Problem(401, "Only API tokens, sent by HTTP Basic, and OAuth are known here.")
        return None


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
