"""Measures of finding series among many."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from benchmarks.clock import milliseconds, timed
from benchmarks.stage import Actor, Stage

#: A word in the titles of half of the series, and one in a single title.
COMMON, RARE = "temperature", "aurora"

_WORDS = 20_000  # that there are


class Searches(NamedTuple):
    """Milliseconds until the first page is there, as thick JSON."""

    newest: float
    common: float
    rare: float


def search(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Searches."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if actor.name != "timetric":
            return None
        found: float = getattr(stage.found(_searches, actor), figure)
        return found

    return take


def _searches(stage: Stage, actor: Actor) -> Searches:
    requests = range(stage.sizes.requests)
    with stage.directory() as directory, actor.contender.running(directory) as running:
        _fill(directory / "data", stage.sizes.searched)
        find = running.connect().find
        queries = ("", f"q={COMMON}", f"q={RARE}")
        return Searches(*(milliseconds(timed(find, q)[0] for _ in requests) for q in queries))


def _fill(directory: Path, series: int) -> None:
    """Make so many public series beside the service, straight in its store.

    By several threads, so that many are committed at once.
    """
    from timetric.server.columns import from_points
    from timetric.server.metadata import Metadata
    from timetric.server.storage import open_storage

    storage, points = open_storage(directory, durability="normal"), from_points([(1e9, 1.0)])
    [owner] = storage.accounts.users()

    def make(number: int, texts: list[str]) -> None:
        title, caption, description, tags = texts
        metadata = Metadata(title, caption, description, tuple(tags.split()), public=True)
        storage.create(f"{number:022}", owner, metadata, points, 1e9 + number)

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(make, range(series), _texts(series)):
            pass
    storage.close()


def _texts(series: int) -> Iterator[list[str]]:
    """Title, caption, description and tags of words as often as in a language (Zipf)."""
    chance = random.Random(1)
    known = [f"{chance.getrandbits(32):x}" for _ in range(_WORDS)]
    weights = list(accumulate(1 / place for place in range(1, _WORDS + 1)))
    for number in range(series):
        words = chance.choices(known, cum_weights=weights, k=50)
        words[0] = RARE if number == series // 3 else COMMON if number % 2 else words[0]
        parts = (words[:5], words[5:15], words[15:47], dict.fromkeys(words[47:]))
        yield [" ".join(part) for part in parts]
