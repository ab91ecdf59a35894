"""Who is measured, and the little that each must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.points import Points
from benchmarks.server import Server


class Session(Protocol):
    """What one thread does with a contender, over one connection that is kept open."""

    def bodies(self, series: str, points: Points) -> list[bytes]:
        """Points as this contender likes to be sent many; made before the clock runs."""

    def store(self, series: str, bodies: list[bytes]) -> None:
        """Add points to a series, which is made where it is not there yet."""

    def write(self, series: str, t: float, v: float) -> None:
        """Add one point."""

    def latest(self, series: str, t: float) -> bytes:
        """The latest point, which is at ``t`` (who needs to be told) or shortly before."""

    def read(self, series: str, start: float, end: float) -> bytes:
        """The points with ``start <= timestamp < end`` as CSV."""

    def read_all(self, series: str) -> bytes:
        """The whole series as CSV."""

    def means(self, series: str, start: float, end: float, width: int) -> int:
        """Ask for the mean of each ``width`` seconds, counted from 1970; how many there are.

        ``start`` and ``end`` are where two of them begin.
        """

    def rows(self, csv: bytes) -> int:
        """How many points a CSV holds."""

    def tuples(self, series: str) -> Iterator[Any] | None:
        """The whole series as ``(timestamp, value)``, by the Python client that is made for it."""

    def settle(self) -> None:
        """Wait until what was acknowledged can be read."""


class Running(NamedTuple):
    """A contender that runs. ``connect`` can be pickled, for clients in other processes.

    A contender that is no server is measured without a network.
    """

    name: str
    connect: Callable[[], Session]
    server: Server | None = None


class Contender(Protocol):
    name: str
    #: Whether to load ten million points and ten thousand series into it as well.
    takes_much: bool
    #: Whether its data are in the directory that it is given.
    keeps_here: bool
    #: What is to be said of it beside the table.
    remark: str

    def is_installed(self) -> bool: ...

    def running(self, directory: Path) -> AbstractContextManager[Running]:
        """Started with its data in an empty directory."""
