"""What the service needs of an engine to know its users, and what lets them in."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class User(NamedTuple):
    """A person who owns series. ``key`` is the store's own, never shown."""

    key: int
    name: str


class Quota(NamedTuple):
    """How many series a user may have, and how many points in all of them; None is any number."""

    series: int | None
    points: int | None


UNLIMITED = Quota(None, None)


class Account(NamedTuple):
    """What is known of a user. One who is disabled is let in by nothing."""

    user: User
    created: float
    disabled: bool
    has_password: bool
    quota: Quota


class Belongings(NamedTuple):
    """How much of each there is that goes with a user."""

    series: int
    points: int
    tokens: int
    applications: int


class Token(NamedTuple):
    """An API token; of its secret only the SHA-256 is kept. ``last_used`` is to the minute."""

    key: str
    name: str
    user: User
    digest: bytes
    created: float
    read_only: bool = False
    expires: float | None = None
    last_used: float | None = None


class Session(NamedTuple):
    """A browser that is signed in. ``key`` tells it from others and lets nobody in.

    ``last_seen`` is to the minute; ``agent`` and ``address`` are what the browser said it is, and
    where it signed in from.
    """

    key: int
    user: User
    created: float
    last_seen: float
    agent: str
    address: str


class Opening(NamedTuple):
    """A session to be opened. ``digest`` is of its cookie, ``old`` of the one that it replaces."""

    digest: bytes
    now: float
    expires: float
    agent: str
    address: str
    old: bytes | None = None


class Accounts(Protocol):
    """Users, their API tokens, links and sessions; of secrets only hashes are known here."""

    def add_user(
        self, name: str, created: float, password: str | None = None, quota: Quota = UNLIMITED
    ) -> User:
        """``password`` is a hash of one. Raises Taken, also where only the case is another."""

    def users(self) -> list[User]:
        """All users, by name."""

    def user(self, name: str) -> User:
        """Raises Missing."""

    def account(self, user: User) -> Account:
        """Raises Missing."""

    def password(self, name: str) -> str | None:
        """The hash of a user's password; None where nobody can sign in with that name and one."""

    def set_password(self, user: User, password: str, keep: bytes | None = None) -> None:
        """Set its hash, and end all sessions but the one to keep. Raises Missing."""

    def set_disabled(self, user: User, disabled: bool) -> None:
        """Let a user in by nothing, or again. Raises Missing."""

    def set_quota(self, user: User, quota: Quota) -> None:
        """What is there already stays, also where it is more. Raises Missing."""

    def belongings(self, user: User) -> Belongings:
        """What ``remove_user`` would remove."""

    def remove_user(self, user: User) -> None:
        """Remove a user with all that is theirs. Raises Missing."""

    # API tokens

    def add_token(
        self,
        user: User,
        name: str,
        key: str,
        digest: bytes,
        created: float,
        *,
        read_only: bool = False,
        expires: float | None = None,
    ) -> Token:
        """Raises Taken where the key, or that name of the user's, is in use."""

    def tokens(self) -> list[Token]:
        """All tokens, by user and name."""

    def tokens_of(self, user: User) -> list[Token]:
        """A user's tokens, by name."""

    def token(self, key: str) -> Token:
        """What it is; ``last_used`` may be old. Raises Missing, also where its user is disabled."""

    def note_use(self, key: str, now: float) -> None:
        """Note that a token was used."""

    def revoke(self, key: str) -> None:
        """Raises Missing."""

    def revoke_own(self, user: User, key: str) -> None:
        """Raises Missing, also where it is someone else's."""

    # browsers

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        """A user's sign-in link, in the place of the one before."""

    def link(self, digest: bytes, now: float) -> User:
        """Raises Missing, also where it has expired or its user is disabled."""

    def sign_in(self, link: bytes, opening: Opening) -> User:
        """Spend a link for a session. Raises Missing, as ``link`` does."""

    def open_session(self, user: User, opening: Opening, password: str) -> None:
        """Raises Missing where the user is disabled or gone, or has another password's hash."""

    def session(self, digest: bytes, now: float) -> Session:
        """Raises Missing, also where it has expired or its user is disabled."""

    def note_visit(self, session: Session, now: float, expires: float) -> None:
        """Note that a session was seen, and when it ends unless it is seen again."""

    def sessions_of(self, user: User, now: float) -> list[Session]:
        """A user's sessions, the one seen last first."""

    def end_session(self, user: User, key: int) -> None:
        """Raises Missing, also where it is someone else's."""

    def end_sessions(self, user: User, keep: bytes | None = None) -> None:
        """End all of a user's sessions but the one to keep."""
