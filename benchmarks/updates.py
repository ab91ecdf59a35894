"""Measures of the Python client's ``update`` against curl, which sends the same points as CSV."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.clock import timed
from benchmarks.contenders.timetric import TimetricSession
from benchmarks.points import seconds_csv
from benchmarks.stage import Actor, Stage, new_name


class Updates(NamedTuple):
    """Seconds until all points are acknowledged: pairs by the client, and a file by curl."""

    client: float
    curl: float

    @property
    def ratio(self) -> float:
        return self.client / self.curl


def update(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Updates."""

    def take(stage: Stage, actor: Actor) -> float | None:
        found = stage.found(_updates, actor)
        return None if found is None else getattr(found, figure)

    return take


def _updates(stage: Stage, actor: Actor) -> Updates | None:
    """Each to a new series."""
    session = actor.connect()
    if not isinstance(session, TimetricSession):
        return None
    names = new_name(), new_name()
    for name in names:
        session.store(name, [b""])
    pairs = list(zip(stage.large.t.tolist(), stage.large.v.tolist()))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "points.csv"
        file.write_bytes(seconds_csv(stage.large))
        curl, _ = timed(session.curl, names[0], file)
    client, _ = timed(session.update, names[1], pairs)
    if session.read_all(names[0]) != session.read_all(names[1]):
        raise RuntimeError("the client and curl stored different points")
    return Updates(client, curl)
