"""Measures of uploads: of one, of many, and of those who write beside one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.clock import timed
from benchmarks.points import STEP, Points, shifted
from benchmarks.stage import Actor, Stage, new_name
from benchmarks.writers import Task, own_task, writing

#: The client processes that write beside an upload, and the threads in each.
PROCESSES, THREADS = 4, 8


class Upload(NamedTuple):
    """Seconds until all rows are acknowledged, and until they can be read."""

    acknowledged: float
    readable: float


def large(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Upload."""
    return lambda stage, actor: getattr(stage.found(_large, actor), figure)


def huge(stage: Stage, actor: Actor) -> float | None:
    return _upload(actor, stage.huge).readable if actor.contender.takes_much else None


def _large(stage: Stage, actor: Actor) -> Upload:
    return _upload(actor, stage.large)


def _upload(actor: Actor, points: Points) -> Upload:
    """Of a new series."""
    session, name = actor.connect(), new_name()
    bodies = session.bodies(name, points)
    acknowledged, _ = timed(session.store, name, bodies)
    settled, _ = timed(session.settle)
    actor.note(name, points)
    return Upload(acknowledged, acknowledged + settled)


def longest_wait(stage: Stage, actor: Actor) -> float | None:
    return stage.found(_beside, actor)[0]


def upload_beside(stage: Stage, actor: Actor) -> float | None:
    return stage.found(_beside, actor)[1]


def _beside(stage: Stage, actor: Actor) -> tuple[float | None, float | None]:
    """The longest wait for a single point, and the time of the upload that overlaps what is there.

    Every other thread writes to the series that is uploaded to, the rest to series of their own.
    """
    if not actor.contender.takes_much:
        return None, None
    session, name = actor.connect(), actor.loaded(stage.huge)
    bodies = session.bodies(name, shifted(stage.huge))
    end, threads = float(stage.huge.t[-1]), PROCESSES * THREADS
    shared = [Task(name, end + STEP * n, STEP * threads) for n in range(1, threads, 2)]
    own = [own_task(actor.connect()) for _ in range(0, threads, 2)]
    tasks = [*shared, *own]
    with writing(actor.connect, [tasks[n::PROCESSES] for n in range(PROCESSES)]) as crew:
        seconds, _ = timed(session.store, name, bodies)
        waits = crew.stop()
    actor.forget(stage.huge)
    return waits.longest, seconds
