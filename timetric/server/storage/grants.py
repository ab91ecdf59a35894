"""What the service needs of an engine for OAuth: applications, and what users grant to them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from timetric.server.storage.accounts import User


class Application(NamedTuple):
    """A program that users may authorize by OAuth; its secret is derived, never stored.

    ``callback`` is what the callbacks it asks for begin with, beside those on loopback. One that
    ``predates_1_0a`` may leave out the verifier. When it ``expires``, so do all its tokens.
    """

    key: str
    name: str
    owner: User
    callback: str | None
    predates_1_0a: bool
    created: float
    read_only: bool = False
    expires: float | None = None


class RequestToken(NamedTuple):
    """What an application shows its user, who authorizes it or does not.

    ``callback`` is ``oob``, a URL, or None in the flow of 2009. ``user`` is who authorized it.
    """

    key: str
    application: Application
    callback: str | None
    needs_verifier: bool
    expires: float
    user: User | None = None


class AccessToken(NamedTuple):
    """What lets an application act for a user, as far as the application may, until revoked.

    ``last_used`` is to the minute.
    """

    key: str
    application: Application
    user: User
    created: float
    last_used: float | None = None

    @property
    def read_only(self) -> bool:
        return self.application.read_only

    @property
    def expires(self) -> float | None:
        return self.application.expires


class Grants(Protocol):
    """Applications, their tokens, and the nonces that were spent.

    Whatever belongs to a user who is disabled, or to such a user's application, is Missing when
    it is looked up by its key.
    """

    def add_application(self, application: Application) -> None:
        """Raises Taken where the key, or that name of the owner's, is in use."""

    def applications(self) -> list[Application]:
        """All applications, by owner and name."""

    def applications_of(self, user: User) -> list[Application]:
        """Those that a user registered, by name."""

    def application(self, key: str) -> Application:
        """Raises Missing."""

    def remove_application(self, key: str) -> None:
        """Remove it with all its tokens. Raises Missing."""

    def remove_own_application(self, user: User, key: str) -> None:
        """Raises Missing, also where it is someone else's."""

    def add_request_token(self, token: RequestToken, now: float) -> None:
        """Raises Missing where the application is gone."""

    def request_token(self, key: str, now: float) -> RequestToken:
        """Raises Missing, also for one that has expired or ended."""

    def authorize(self, key: str, user: User, now: float) -> RequestToken:
        """Bind it to the first user who does. Raises Missing, also where it is someone else's."""

    def deny(self, key: str, user: User, now: float) -> None:
        """End it. Raises Missing, also where it is someone else's."""

    def count_wrong_verifier(self, key: str, most: int) -> None:
        """Note one; so many end the request token."""

    def exchange(self, key: str, access_key: str, now: float) -> AccessToken:
        """Spend an authorized request token for an access token. Raises Missing."""

    def add_access_token(self, token: AccessToken) -> None:
        """Raises Missing where the application is gone."""

    def access_tokens(self) -> list[AccessToken]:
        """All access tokens, by application and user."""

    def access_tokens_of(self, user: User) -> list[AccessToken]:
        """Those that a user granted, by application."""

    def access_token(self, key: str) -> AccessToken:
        """Raises Missing."""

    def revoke_access_token(self, key: str) -> None:
        """Raises Missing."""

    def revoke_own_access_token(self, user: User, key: str) -> None:
        """Raises Missing, also where someone else granted it."""

    def note_use(self, key: str, now: float) -> None:
        """Note that an access token was used."""

    def spend(self, nonce: bytes, expires: float, now: float) -> None:
        """Raises Taken where it was spent already; it is kept until it expires at least."""

    def is_spent(self, nonce: bytes) -> bool:
        """Whether it was spent, and is kept still."""

    def keep_fingerprint(self, fingerprint: bytes) -> bytes:
        """The secret key's fingerprint: the first that was ever given here."""

    def fingerprint(self) -> bytes | None:
        """The one that is kept, if any."""

    def forget_fingerprint(self) -> None:
        """Keep none any more, unless there are applications, whose secrets come from that key."""
