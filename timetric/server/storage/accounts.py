"""What the service needs of an engine to know its users: their API tokens, links and sessions."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class User(NamedTuple):
    """A person who owns series. ``key`` is the store's own, never shown."""

    key: int
    name: str


class Token(NamedTuple):
    """An API token; of its secret only the SHA-256 is kept."""

    key: str
    name: str
    user: User
    digest: bytes
    created: float


class Accounts(Protocol):
    """Users, and what lets them in; of links and sessions only the SHA-256 is known here."""

    def add_user(self, name: str, created: float) -> User:
        """Raises Taken."""

    def users(self) -> list[User]:
        """All users, by name."""

    def user(self, name: str) -> User:
        """Raises Missing."""

    def add_token(self, user: User, name: str, key: str, digest: bytes, created: float) -> Token:
        """Raises Taken where the key, or that name of the user's, is in use."""

    def tokens(self) -> list[Token]:
        """All tokens, by user and name."""

    def token(self, key: str) -> Token:
        """Raises Missing."""

    def revoke(self, key: str) -> None:
        """Raises Missing."""

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        """A user's sign-in link, in the place of the one before."""

    def link(self, digest: bytes, now: float) -> User:
        """Raises Missing, also where it has expired."""

    def sign_in(self, link: bytes, session: bytes, expires: float, now: float) -> User:
        """Spend a link for a session. Raises Missing, also where the link has expired."""

    def session(self, digest: bytes, now: float) -> User:
        """Raises Missing, also where it has expired."""
