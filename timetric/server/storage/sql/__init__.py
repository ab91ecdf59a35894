"""What accounts and grants need of a database, so that they speak to each engine alike.

Their statements are in the SQL that all engines have: ``?`` stands for a value, and a column is
called "user" in quotes, since without them it is another thing in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Rows(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """The first row, or the next one; None where there is no more."""

    def fetchall(self) -> list[Any]:
        """All that there are still."""


class Sql(Protocol):
    """A transaction."""

    @property
    def IntegrityError(self) -> type[Exception]:
        """Raised for a name or key that is in use, or a reference to nothing."""

    def execute(self, statement: str, values: tuple[Any, ...] = ..., /) -> Rows:
        """Do a statement."""


class Epoch(Protocol):
    """Tells when what was read is old."""

    def now(self) -> int | None:
        """The same number for as long as nothing changes; None where that can't be told."""


class SqlDatabase(Protocol):
    """Statements, and transactions that are retried until they are done."""

    @property
    def epoch(self) -> Epoch:
        """Tells when accounts, or series aside from their points, were changed."""

    def row(self, statement: str, values: tuple[Any, ...], /) -> Any:
        """The first row of one statement; None without one."""

    def rows(self, statement: str, values: tuple[Any, ...], /) -> list[Any]:
        """All rows of one statement."""

    def write(self, job: Callable[[Any], T], /) -> T:
        """Do a job with a ``Sql`` as if it were alone, and commit it to the disk."""

    def note(self, job: Callable[[Any], T], /) -> T:
        """Do a job that leaves alone what ``epoch`` tells of, and waits for no disk if it need not.

        What it does may be lost with the machine's power; each of its statements stands beside
        those of others.
        """
