"""Where measures are taken: the contenders that run, and what has been loaded into them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks.contenders import Contender, Running, Session
from benchmarks.points import Points, jittered

T = TypeVar("T")


class Sizes(NamedTuple):
    """How much is measured: rows, series, requests a median, seconds of writing.

    ``searched`` is the series among which some are found.
    """

    large: int
    huge: int
    small: int
    series: int
    requests: int
    seconds: float
    searched: int


FULL = Sizes(1_000_000, 10_000_000, 1000, 10_000, 300, 3.0, 100_000)
QUICK = Sizes(20_000, 50_000, 1000, 20, 20, 0.3, 300)

_names = (f"s{number}" for number in itertools.count())


class Actor:
    """A contender on the stage, its sessions, and the series that it holds by now."""

    def __init__(self, contender: Contender, running: Running) -> None:
        self.contender = contender
        self.name = contender.name
        self._running = running
        self._loaded: dict[int, str] = {}

    @property
    def connect(self) -> Callable[[], Session]:
        return self._running.connect

    @property
    def is_server(self) -> bool:
        return self._running.server is not None

    def freeze(self) -> None:
        """Hold its server still."""
        if self._running.server:
            self._running.server.freeze()

    def thaw(self) -> None:
        if self._running.server:
            self._running.server.thaw()

    def loaded(self, points: Points) -> str:
        """The name of the latest series with these points, which is made where there is none."""
        if len(points.t) not in self._loaded:
            session, name = self.connect(), new_name()
            session.store(name, session.bodies(name, points))
            session.settle()
            self.note(name, points)
        return self._loaded[len(points.t)]

    def note(self, name: str, points: Points) -> None:
        """These points are in that series now."""
        self._loaded[len(points.t)] = name

    def forget(self, points: Points) -> None:
        """The series with these points holds others by now."""
        del self._loaded[len(points.t)]


class Stage:
    """The sizes, the points of each size, and what has been found and will be asked for again."""

    def __init__(self, sizes: Sizes, scratch: Path) -> None:
        self.sizes = sizes
        self._scratch = scratch
        self._found: dict[tuple[Callable[..., Any], str], Any] = {}

    @property
    def large(self) -> Points:
        return _jittered(self.sizes.large)

    @property
    def huge(self) -> Points:
        return _jittered(self.sizes.huge)

    @property
    def small(self) -> Points:
        return _jittered(self.sizes.small)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """An empty one, for another instance of a contender."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as directory:
            yield Path(directory)

    def found(self, take: Callable[[Stage, Actor], T], actor: Actor) -> T:
        """What ``take`` finds, done once a round for each contender: several figures come of it."""
        key = (take, actor.name)
        if key not in self._found:
            self._found[key] = take(self, actor)
        found: T = self._found[key]
        return found

    def next_round(self) -> None:
        self._found.clear()


def new_name() -> str:
    """A name that no series has yet."""
    return next(_names)


_jittered = cache(jittered)
