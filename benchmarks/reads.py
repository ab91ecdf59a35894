"""Measures of reading: the latest point, a range, everything; and whether a long history costs."""

from __future__ import annotations

import csv
import io
import random
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.clock import milliseconds, timed
from benchmarks.contenders import Session
from benchmarks.points import STEP, Points
from benchmarks.stage import Actor, Stage

BUCKETS = 1000


def latest(stage: Stage, actor: Actor) -> float:
    name, session, t = actor.loaded(stage.large), actor.connect(), float(stage.large.t[-1])
    requests = range(stage.sizes.requests)
    return milliseconds(timed(session.latest, name, t)[0] for _ in requests)


def everything(stage: Stage, actor: Actor) -> float:
    name, session = actor.loaded(stage.large), actor.connect()
    seconds, reply = timed(session.read_all, name)
    _check(actor, session.rows(reply), stage.sizes.large)
    return seconds


def part(stage: Stage, actor: Actor) -> float | None:
    if not actor.contender.takes_much:
        return None
    name, session, t = actor.loaded(stage.huge), actor.connect(), stage.huge.t
    rows, chance, seconds = stage.sizes.small, random.Random(1), []
    for _ in range(stage.sizes.requests):
        first = chance.randrange(len(t) - rows)
        bounds = float(t[first]), float(t[first + rows])
        took, reply = timed(session.read, name, *bounds)
        _check(actor, session.rows(reply), rows)
        seconds.append(took)
    return milliseconds(seconds)


def means(points: Callable[[Stage], Points]) -> Callable[[Stage, Actor], float | None]:
    """The whole series to a thousand means."""

    def take(stage: Stage, actor: Actor) -> float | None:
        whole = points(stage)
        if whole is stage.huge and not actor.contender.takes_much:
            return None
        name, session, width = actor.loaded(whole), actor.connect(), STEP * len(whole.t) // BUCKETS
        start = (whole.t[0] // width + 1) * width
        end = start + (BUCKETS - 1) * width
        seconds = []
        for _ in range(stage.sizes.requests // 10):
            took, found = timed(session.means, name, float(start), float(end), width)
            _check(actor, found, BUCKETS - 1)
            seconds.append(took)
        return milliseconds(seconds)

    return take


def tuples(stage: Stage, actor: Actor) -> float | None:
    """All of them in a list."""
    name, session = actor.loaded(stage.large), actor.connect()
    points = session.tuples(name)
    if points is None:
        return None
    seconds, found = timed(list, points)
    _check(actor, len(found), stage.sizes.large)
    return seconds


def tuples_by_csv(stage: Stage, actor: Actor) -> float | None:
    """The standard library's csv module over the service's reply, once that is there."""
    text = _text(stage, actor)
    if text is None:
        return None
    seconds, points = timed(_parsed, text)
    _check(actor, len(points), stage.sizes.large)
    return seconds


def iteration(stage: Stage, actor: Actor) -> float | None:
    """One tuple after another, none of which is kept."""
    name, session = actor.loaded(stage.large), actor.connect()
    points = session.tuples(name)
    if points is None:
        return None
    seconds, last = timed(_walk, points)
    _check_last(actor, last, stage)
    return seconds


def iteration_by_csv(stage: Stage, actor: Actor) -> float | None:
    text = _text(stage, actor)
    if text is None:
        return None
    seconds, last = timed(_walk_csv, text)
    _check_last(actor, last, stage)
    return seconds


def iteration_memory(stage: Stage, actor: Actor) -> float | None:
    """Megabytes that a client takes at most, beyond what it has when it is idle."""
    if actor.name != "timetric":
        return None
    session: Any = actor.connect()
    return float(session.walk(actor.loaded(stage.huge))) / (1 << 20)


def frame(stage: Stage, actor: Actor) -> float | None:
    """All of them in a Series of pandas."""
    if actor.name != "timetric":
        return None
    import pandas  # noqa: F401  # its import is not what is measured

    session: Any = actor.connect()
    seconds, found = timed(session.frame, actor.loaded(stage.huge))
    _check(actor, len(found), stage.sizes.huge)
    return seconds


def _text(stage: Stage, actor: Actor) -> str | None:
    if actor.name != "timetric":
        return None
    return actor.connect().read_all(actor.loaded(stage.large)).decode()


def _parsed(text: str) -> list[tuple[float, float]]:
    return [(float(t), float(v)) for t, v in csv.reader(io.StringIO(text))]


def _walk(points: Iterator[Any]) -> Any:
    point = None
    for point in points:  # noqa: B007
        pass
    return point


def _walk_csv(text: str) -> Any:
    point = None
    for t, v in csv.reader(io.StringIO(text)):
        point = float(t), float(v)
    return point


def _check_last(actor: Actor, point: Any, stage: Stage) -> None:
    t, v = stage.large
    if abs(point[0] - t[-1]) > 1e-3 or point[1] != v[-1]:
        raise RuntimeError(f"{actor.name} ended with {point}")


def flat_latest(stage: Stage, actor: Actor) -> float | None:
    def ask(session: Session, name: str, points: Points, number: int) -> None:
        session.latest(name, float(points.t[-1]))

    return _flat(stage, actor, ask)


def flat_append(stage: Stage, actor: Actor) -> float | None:
    def ask(session: Session, name: str, points: Points, number: int) -> None:
        session.write(name, float(points.t[-1]) + STEP * (number + 1), 1.0)

    return _flat(stage, actor, ask)


def _flat(
    stage: Stage, actor: Actor, ask: Callable[[Session, str, Points, int], None]
) -> float | None:
    """The median for the longest series over that for the shortest, asked in turn."""
    if not actor.contender.takes_much:
        return None
    session = actor.connect()
    short, long = (
        (actor.loaded(points), points, list[float]()) for points in (stage.small, stage.huge)
    )
    for number in range(stage.sizes.requests):
        for name, points, seconds in (short, long):
            seconds.append(timed(ask, session, name, points, number)[0])
    return statistics.median(long[2]) / statistics.median(short[2])


def _check(actor: Actor, rows: int, expected: int) -> None:
    if rows != expected:
        raise RuntimeError(f"{actor.name} gave {rows} points where there are {expected}")
