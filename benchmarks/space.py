"""Measures of what a contender takes: on the disk, and in memory; and of many series."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.clock import milliseconds, timed
from benchmarks.points import KINDS, Points
from benchmarks.stage import Actor, Stage, new_name
from benchmarks.watch import peak, size, wait_until_quiet

MB = 1 << 20


def disk(kind: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of the bytes a point of one kind takes."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if not actor.contender.keeps_here:
            return None
        points = KINDS[kind](stage.sizes.large)
        return (_size_with(stage, actor, points) - stage.found(_size, actor)) / len(points.t)

    return take


def _size(stage: Stage, actor: Actor) -> int:
    return _size_with(stage, actor, None)


def _size_with(stage: Stage, actor: Actor, points: Points | None) -> int:
    """The bytes that a new instance has on the disk, after it has ended."""
    with stage.directory() as directory:
        with actor.contender.running(directory) as running:
            session, name = running.connect(), new_name()
            if points is not None:
                session.store(name, session.bodies(name, points))
            session.settle()
            wait_until_quiet(directory)
        return size(directory)


class Memory(NamedTuple):
    """The anonymous memory of a new instance, in MB, and how much more it is at the peaks."""

    idle: float
    upload: float
    download: float


def memory(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Memory."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if not (actor.is_server and actor.contender.takes_much):
            return None
        found: float = getattr(stage.found(_memory, actor), figure)
        return found

    return take


def _memory(stage: Stage, actor: Actor) -> Memory:
    with stage.directory() as directory, actor.contender.running(directory) as running:
        assert running.server is not None
        session, names = running.connect(), (new_name(), new_name())
        session.store(names[0], session.bodies(names[0], stage.small))
        bodies = session.bodies(names[1], stage.huge)
        idle = running.server.memory()
        with peak(running.server) as upload:
            session.store(names[1], bodies)
            session.settle()
        with peak(running.server) as download:
            session.read_all(names[1])
    return Memory(idle / MB, (upload.most - idle) / MB, (download.most - idle) / MB)


class Many(NamedTuple):
    """Many short series: seconds to load them, milliseconds to read one, bytes a point."""

    load: float
    read: float
    disk: float


def many(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Many."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if not actor.contender.takes_much or (figure == "disk" and not actor.contender.keeps_here):
            return None
        found: float = getattr(stage.found(_many, actor), figure)
        return found

    return take


def _many(stage: Stage, actor: Actor) -> Many:
    rows, names = stage.sizes.small, [new_name() for _ in range(stage.sizes.series)]
    with stage.directory() as directory:
        with actor.contender.running(directory) as running:
            session = running.connect()
            parts = (_part(stage.huge, number, rows) for number in range(len(names)))
            bodies = list(map(session.bodies, names, parts))
            load, _ = timed(lambda: [*map(session.store, names, bodies)])
            session.settle()
            asked = random.Random(1).choices(names, k=stage.sizes.requests)
            read = milliseconds(timed(session.read_all, name)[0] for name in asked)
            wait_until_quiet(directory)
        taken = size(directory) - stage.found(_size, actor)
    return Many(load, read, taken / (rows * len(names)))


def _part(points: Points, number: int, rows: int) -> Points:
    part = slice(number * rows % len(points.t), number * rows % len(points.t) + rows)
    return Points(points.t[part], points.v[part])
