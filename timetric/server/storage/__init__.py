"""The storage interface: users, API tokens, series and their points.

Points go in and come out as columns, sorted by timestamp, each timestamp once. Every write is
one transaction: when the call returns it is durable, when it raises nothing has changed.
Times (``now``, ``created``) are Unix seconds, UTC, and come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from timetric.points import Point, Value
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata


class StorageError(Exception):
    """The store can't do what was asked; the text says what to do."""


class Taken(StorageError):
    """The name or key is in use."""


class Missing(StorageError):
    """There is no such user, token or series (any more)."""


class NotNumeric(StorageError):
    """An increment met a word, or its sum is past a double's range."""


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


class Series(NamedTuple):
    """A series without its points. ``key`` is the store's own, never shown; ``id`` is in its URL."""

    key: int
    id: str
    owner: User
    metadata: Metadata
    created: float
    updated: float


class Window(NamedTuple):
    """Which points to read: ``after < t < end``, the first ``limit`` of them; None is no bound."""

    after: float | None = None
    end: float | None = None
    limit: int | None = None


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

    def create(
        self, id: str, owner: User, metadata: Metadata, points: Columns, now: float
    ) -> Series:
        """Make a series with its first points. Raises Taken."""

    def series(self, id: str) -> Series:
        """Raises Missing."""

    def merge(self, series: Series, points: Columns, now: float) -> None:
        """Add points; one at a timestamp that exists replaces it. Raises Missing."""

    def replace(self, series: Series, points: Columns, now: float) -> None:
        """Put these points in the place of the whole history. Raises Missing."""

    def append(self, series: Series, value: Value, now: float) -> Point:
        """Add a value at ``now``, or at the next free instant where a point stands there."""

    def increment(self, series: Series, amount: float, now: float) -> Point:
        """Add latest + amount, stamped after the latest point. Raises NotNumeric, Missing."""

    def latest(self, series: Series) -> Point | None:
        """The last point, or None where there is none."""

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        """The points of the window, oldest first, in pieces.

        Each piece is read in a short transaction of its own, so that a slow reader holds none.
        """

    def close(self) -> None:
        """Give back files and connections."""


def open_storage(directory: str | Path) -> Storage:
    """The store in a directory, made where there is none.

    Raises StorageError where the directory can't be written, or a newer timetric made the store.
    """
    from timetric.server.storage.database import create_directory
    from timetric.server.storage.sqlite import SqliteStorage

    return SqliteStorage(create_directory(Path(directory)))
