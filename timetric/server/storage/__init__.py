"""The storage interface: accounts, grants, series and their points.

Points go in and come out as columns, sorted by timestamp, each timestamp once. Every write is
one transaction: when the call returns it is durable, when it raises nothing has changed.
Times (``now``, ``created``) are Unix seconds, UTC, and come from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from timetric.points import Point, Value
from timetric.server.aggregates import Aggregation
from timetric.server.attempts import Share
from timetric.server.columns import Columns
from timetric.server.metadata import Metadata
from timetric.server.receipt import PLAIN, Receipt, Terms
from timetric.server.storage.accounts import (
    Account,
    Accounts,
    Belongings,
    Opening,
    Quota,
    Session,
    Token,
    User,
)
from timetric.server.storage.errors import (
    Busy,
    Changed,
    Conflict,
    Damaged,
    Full,
    Missing,
    NotNumeric,
    OverQuota,
    Reused,
    Rewritten,
    SlugTaken,
    StorageError,
    Taken,
    Unavailable,
)
from timetric.server.storage.grants import AccessToken, Application, Grants, RequestToken
from timetric.server.storage.transfer import TABLES, Transfer

if TYPE_CHECKING:
    from timetric.server.storage.postgres.database import PostgresDatabase

__all__ = [
    "TABLES",
    "AccessToken",
    "Account",
    "Accounts",
    "Application",
    "Belongings",
    "Busy",
    "Changed",
    "Condition",
    "Conflict",
    "Damaged",
    "Found",
    "Full",
    "Grants",
    "Missing",
    "NotNumeric",
    "Opening",
    "OverQuota",
    "Quota",
    "RequestToken",
    "Reused",
    "Rewritten",
    "Search",
    "Series",
    "Session",
    "SlugTaken",
    "Storage",
    "StorageError",
    "Taken",
    "Token",
    "Transfer",
    "Unavailable",
    "User",
    "Window",
    "is_url",
    "look_at",
    "open_storage",
    "spread",
]

_SCHEMES = ("postgresql://", "postgres://")


class Series(NamedTuple):
    """A series without its points. ``key`` is the store's own, never shown; ``id`` is in its URL.

    ``points`` counts them. ``version`` goes up with each change, of points or metadata,
    ``generation`` with each that takes points away.
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


class Search(NamedTuple):
    """Which series to find: public ones, and the viewer's own, that have all of ``words`` and tags.

    A word is letters and digits; it stands in title, caption, description or tags, whatever its
    case and accents. The last one may be the beginning of a word. ``owner`` is a user's name,
    ``slug`` the whole of one.
    """

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owner: str | None = None
    viewer: User | None = None
    limit: int = 20
    offset: int = 0
    slug: str | None = None


class Found(NamedTuple):
    """How many series a search finds, and those from its offset on, as many as its limit."""

    total: int
    series: list[Series]


class Condition(NamedTuple):
    """How a store is: of which ``version``, where this timetric makes ``ours``.

    Whether a process has it ``in_use``, and whether one has kept all others from writing
    (``stuck``) for seconds.
    """

    version: int
    ours: int
    in_use: bool
    stuck: bool


class Storage(Protocol):
    """What the service needs of an engine. All methods may be called from any thread."""

    accounts: Accounts
    grants: Grants
    transfer: Transfer
    attempts: Share | None  # counts those of all processes; None where one has the store to itself

    # series; each write is done on its terms, and so raises Changed, Reused and Busy; Missing where
    # the series is gone, OverQuota where its owner may have no more

    def create(
        self,
        id: str,
        owner: User,
        metadata: Metadata,
        points: Columns,
        now: float,
        terms: Terms = PLAIN,
    ) -> Receipt:
        """Make a series with its first points. Raises Taken, SlugTaken."""

    def series(self, id: str) -> Series:
        """Raises Missing."""

    def known_series(self, id: str) -> Series:
        """Whose it is and what it is, as it stands; what each write changes may be old.

        That is ``updated``, ``points``, ``version`` and ``generation``. Raises Missing.
        """

    def search(self, search: Search) -> Found:
        """Those that fit the words best come first; without words, the newest."""

    def tags(self, viewer: User | None, limit: int) -> list[tuple[str, int]]:
        """The tags of series that the viewer may find, each with their number, the most used first.

        Like ``known_series``, as it stands.
        """

    def amend(
        self, series: Series, changes: Mapping[str, Any], now: float, terms: Terms = PLAIN
    ) -> Series:
        """Change fields of its metadata. Keys and dry runs are not for this. Raises SlugTaken."""

    def remove(self, series: Series, now: float, terms: Terms = PLAIN) -> Receipt:
        """Take away the series itself, with all its points."""

    def receipt(self, owner: User, series: str, key: str, now: float) -> Receipt:
        """What the write with this Idempotency-Key did to a series, or ("") made.

        Raises Missing where it is not stored, or was 30 days ago.
        """

    def merge(self, series: Series, points: Columns, now: float, terms: Terms = PLAIN) -> Receipt:
        """Add points; one at a timestamp that exists replaces it, if the terms don't differ.

        Raises Conflict.
        """

    def replace(self, series: Series, points: Columns, now: float, terms: Terms = PLAIN) -> Receipt:
        """Put these points in the place of the whole history."""

    def clear(
        self, series: Series, start: float, end: float, now: float, terms: Terms = PLAIN
    ) -> Receipt:
        """Take away the points with ``start <= t < end``."""

    def append(self, series: Series, value: Value, now: float, terms: Terms = PLAIN) -> Receipt:
        """Add a value at ``now``, or at the next free instant where a point stands there."""

    def increment(self, series: Series, amount: float, now: float, terms: Terms = PLAIN) -> Receipt:
        """Add latest + amount, stamped after the latest point. Raises NotNumeric."""

    def put(self, series: Series, point: Point, now: float, terms: Terms = PLAIN) -> Receipt:
        """Add a point at its own timestamp, like ``merge``."""

    def latest(self, series: Series) -> Point | None:
        """The last point, or None where there is none."""

    def read(self, series: Series, window: Window) -> Iterator[Columns]:
        """The points of the window, in pieces; each piece is in reading order too.

        Each piece is read in a short transaction of its own, so that a slow reader holds none.
        Points added behind the reader are not seen. Raises Rewritten, Damaged.
        """

    def cut(self, series: Series, window: Window) -> float | None:
        """The instant of the last point within the window's limit, where it leaves some out.

        Last in reading order. Found without reading the points before it. Raises Damaged.
        """

    def may_hold_words(self, series: Series, window: Window) -> bool:
        """Whether a value in the window, its limit aside, may be a word; False is certain."""

    def aggregate(
        self, series: Series, window: Window, aggregation: Aggregation
    ) -> Iterator[Columns]:
        """What the buckets of a window come to, in reading order; its limit counts buckets.

        It is read in short transactions, as by ``read``. Raises Rewritten, Damaged.
        """

    def ping(self) -> None:
        """Look whether the store can be read at all. Raises Unavailable."""

    def backup(self, path: Path) -> None:
        """Write a consistent copy, while others read and write, to a file that must not exist."""

    def check(self) -> Iterator[str]:
        """Look at every block and count; each fault in one sentence."""

    def close(self) -> None:
        """Give back files and connections."""


def is_url(place: str | Path) -> bool:
    """Whether a store is in a PostgreSQL database, and not in a directory."""
    return str(place).startswith(_SCHEMES)


def open_storage(place: str | Path, durability: str = "full", *, make: bool = True) -> Storage:
    """The store in a directory, or at a PostgreSQL URL; ``make`` one where there is none.

    With ``durability`` "full" a write that was acknowledged is on the disk; with "normal" it
    survives the end of the process, but the last moments may be lost with the machine's power.
    Raises StorageError where the directory can't be written, the database can't be used, or a newer
    timetric made the store; in a database also where there is none to be made.
    """
    if is_url(place):
        return _open_database(str(place), durability, make)
    from timetric.server.storage.sqlite import SqliteStorage
    from timetric.server.storage.sqlite.database import Database, create_file

    return SqliteStorage(Database(create_file(Path(place)), durability))


def spread(url: str) -> Iterator[str]:
    """Spread the series of a store at a URL over the nodes of a Citus cluster.

    Tells what was done, a line at a time. Raises StorageError.
    """
    open_storage(url, make=False).close()  # brought up to this version, or refused
    from timetric.server.storage.postgres.cluster import spread_tables
    from timetric.server.storage.postgres.database import PostgresDatabase

    with closing(PostgresDatabase(url)) as database:
        yield from spread_tables(database)


def look_at(place: str | Path) -> Condition:
    """How the store in a directory, or at a URL, is; nothing is changed. Raises StorageError."""
    if is_url(place):
        with closing(_database(str(place))) as database:
            from timetric.server.storage.postgres.condition import condition as condition_there

            return condition_there(database)
    from timetric.server.storage.sqlite.condition import condition

    return condition(Path(place))


def _open_database(url: str, durability: str, make: bool) -> Storage:
    with ExitStack() as undo:
        database = _database(url, durability)
        undo.callback(database.close)
        from timetric.server.storage.postgres import PostgresStorage

        storage = PostgresStorage(database, make)
        undo.pop_all()
    return storage


def _database(url: str, durability: str = "full") -> PostgresDatabase:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:  # the extra is not installed, or not the whole of it
        raise StorageError(
            "PostgreSQL needs the package psycopg; run: pip install 'timetric[postgres]'"
        ) from error
    from timetric.server.storage.postgres.database import PostgresDatabase

    return PostgresDatabase(url, durability)
