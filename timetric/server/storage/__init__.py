"""The storage interface: users, what lets somebody in, series and their points.

Points go in and come out as columns, sorted by timestamp, each timestamp once. Every write is
one transaction: when the call returns it is durable, when it raises nothing has changed.
Times (``now``, ``created``) are Unix seconds, UTC, and come from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from timetric.points import Point, Value
from timetric.server.aggregates import Aggregation
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata


class StorageError(Exception):
    """The store can't do what was asked; the text says what to do."""


class Taken(StorageError):
    """The name or key is in use."""


class Missing(StorageError):
    """There is no such user, token, application, link, session or series (any more)."""


class NotNumeric(StorageError):
    """An increment met a word, or its sum is past a double's range."""


class Full(StorageError):
    """There is no room on the disk."""


class Unavailable(StorageError):
    """The store can't be written or read just now."""


class Damaged(StorageError):
    """What is stored of a series is not what was written."""


class Rewritten(StorageError):
    """The history was replaced or cleared while it was being read."""


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


class Application(NamedTuple):
    """A program that users may authorize by OAuth; its secret is derived, never stored.

    ``callback`` is what the callbacks it asks for begin with, beside those on loopback. One that
    ``predates_1_0a`` may leave out the verifier.
    """

    key: str
    name: str
    owner: User
    callback: str | None
    predates_1_0a: bool
    created: float


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
    """What lets an application act for a user, until it is revoked."""

    key: str
    application: Application
    user: User
    created: float


class Series(NamedTuple):
    """A series without its points. ``key`` is the store's own, never shown; ``id`` is in its URL.

    ``points`` counts them. ``version`` goes up with each change of the points, ``generation`` with
    each that takes some away.
    """

    key: int
    id: str
    owner: User
    metadata: Metadata
    created: float
    updated: float
    points: int = 0
    version: int = 0
    generation: int = 0


class Window(NamedTuple):
    """Which points to read: ``start <= t < end``, the first ``limit`` of them in reading order."""

    start: float = -math.inf
    end: float = math.inf
    limit: int | None = None
    descending: bool = False


class Storage(Protocol):
    """What the service needs of an engine. All methods may be called from any thread."""

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

    # OAuth

    def add_application(self, application: Application) -> None:
        """Raises Taken where the key, or that name of the owner's, is in use."""

    def applications(self) -> list[Application]:
        """All applications, by owner and name."""

    def application(self, key: str) -> Application:
        """Raises Missing."""

    def remove_application(self, key: str) -> None:
        """Remove it with all its tokens. Raises Missing."""

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

    def access_token(self, key: str) -> AccessToken:
        """Raises Missing."""

    def revoke_access_token(self, key: str) -> None:
        """Raises Missing."""

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

    # browsers; of links and sessions only the SHA-256 is known here

    def put_link(self, user: User, digest: bytes, expires: float) -> None:
        """A user's sign-in link, in the place of the one before."""

    def link(self, digest: bytes, now: float) -> User:
        """Raises Missing, also where it has expired."""

    def sign_in(self, link: bytes, session: bytes, expires: float, now: float) -> User:
        """Spend a link for a session. Raises Missing, also where the link has expired."""

    def session(self, digest: bytes, now: float) -> User:
        """Raises Missing, also where it has expired."""

    # series

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float
    ) -> Series:
        """Make a series with its first points. Raises Taken."""

    def series(self, id: str) -> Series:
        """Raises Missing."""

    def known_series(self, id: str) -> Series:
        """Whose it is and what it is, as it stands; what each write changes may be old.

        That is ``updated``, ``points``, ``version`` and ``generation``. Raises Missing.
        """

    def merge(self, series: Series, points: Columns, now: float) -> None:
        """Add points; one at a timestamp that exists replaces it. Raises Missing."""

    def replace(self, series: Series, points: Columns, now: float) -> None:
        """Put these points in the place of the whole history. Raises Missing."""

    def clear(self, series: Series, start: float, end: float, now: float) -> None:
        """Take away the points with ``start <= t < end``. Raises Missing."""

    def append(self, series: Series, value: Value, now: float) -> Point:
        """Add a value at ``now``, or at the next free instant where a point stands there."""

    def increment(self, series: Series, amount: float, now: float) -> Point:
        """Add latest + amount, stamped after the latest point. Raises NotNumeric, Missing."""

    def latest(self, series: Series) -> Point | None:
        """The last point, or None where there is none."""

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        """The points of the window, in pieces; each piece is in reading order too.

        Each piece is read in a short transaction of its own, so that a slow reader holds none.
        Points added behind the reader are not seen. Raises Rewritten, Damaged.
        """

    def aggregate(
        self, series: Series, window: Window, aggregation: Aggregation
    ) -> Iterator[Columns]:
        """What the buckets of a window come to, in reading order; its limit counts buckets.

        Read as by ``read``, in pieces and short transactions. Raises Rewritten, Damaged.
        """

    def backup(self, path: Path) -> None:
        """Write a consistent copy, while others read and write, to a file that must not exist."""

    def check(self) -> Iterator[str]:
        """Look at every block and count; each fault in one sentence."""

    def close(self) -> None:
        """Give back files and connections."""


def open_storage(directory: str | Path, durability: str = "full") -> Storage:
    """The store in a directory, made where there is none.

    With ``durability`` "full" a write that was acknowledged is on the disk; with "normal" it
    survives the end of the process, but the last moments may be lost with the machine's power.
    Raises StorageError where the directory can't be written, or a newer timetric made the store.
    """
    from timetric.server.storage.database import Database, create_file
    from timetric.server.storage.sqlite import SqliteStorage

    return SqliteStorage(Database(create_file(Path(directory)), durability))
