"""Measures of reading: the latest point, a range, everything; and whether a long history costs."""

from __future__ import annotations

import csv
import io
import random
import statistics
from collections.abc import Callable

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
    name, session = actor.loaded(stage.large), actor.connect()
    seconds, points = timed(session.tuples, name)
    if points is None:
        return None
    _check(actor, len(points), stage.sizes.large)
    return seconds


def tuples_by_csv(stage: Stage, actor: Actor) -> float | None:
    """The standard library's csv module over the service's reply, once that is there."""
    if actor.name != "timetric":
        return None
    text = actor.connect().read_all(actor.loaded(stage.large)).decode()
    seconds, points = timed(_parsed, text)
    _check(actor, len(points), stage.sizes.large)
    return seconds


def _parsed(text: str) -> list[tuple[float, float]]:
    return [(float(t), float(v)) for t, v in csv.reader(io.StringIO(text))]


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
