"""What a store gives and takes beyond its daily use when all it holds moves to another store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from timetric.server.storage.accounts import User

if TYPE_CHECKING:
    from timetric.server.storage import Series

#: A row of a table, in the order of its columns.
Row = tuple[Any, ...]

#: Users and what lets them in, in an order in which each row finds those that it refers to. Quotas
#: are set when all is there. The key of a session is drawn by each store for itself.
TABLES = {
    "users": ("key", "name", "created", "password", "disabled"),
    "tokens": ("key", "name", "owner", "digest", "created", "read_only", "expires", "last_used"),
    "applications": (
        *("key", "name", "owner", "callback", "predates_1_0a", "created", "read_only", "expires"),
    ),
    "request_tokens": (
        *("key", "application", "callback", "needs_verifier", "expires", '"user"', "wrong"),
    ),
    "access_tokens": ("key", "application", '"user"', "created", "last_used"),
    "nonces": ("digest", "expires"),
    "links": ('"user"', "digest", "expires"),
    "sessions": ("digest", '"user"', "created", "last_seen", "expires", "agent", "address"),
    "fingerprint": ("key", "digest"),
}

#: The columns of truth values, which SQLite keeps as 0 and 1.
TRUTHS = {"disabled", "read_only", "predates_1_0a", "needs_verifier"}


class Kept(NamedTuple):
    """A receipt as it is stored, with the key and the meaning of its write."""

    key: str
    meaning: bytes
    receipt: str
    expires: float


class Transfer(Protocol):
    """What a store does only when it moves. ``table`` is one of TABLES."""

    def rows(self, table: str) -> list[Row]:
        """All rows of a table."""

    def put_rows(self, tables: Mapping[str, list[Row]]) -> None:
        """Put these rows of all TABLES in the place of what is there; but no user is taken out."""

    def series(self, after: str, most: int) -> list[Series]:
        """Up to so many series of all users, sorted by ID, whose IDs come after this one."""

    def settle(self, series: Series, like: Series) -> None:
        """Give a series the versions and times of another, which it is a copy of."""

    def receipts(self, owner: User, series: str) -> list[Kept]:
        """Those of a user's writes to the series with this ID, or ("") of series that were made."""

    def put_receipts(self, owner: User, series: str, receipts: Iterable[Kept]) -> None:
        """Put in those that are not there yet."""
