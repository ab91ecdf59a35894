"""Measures of single points, each written by a request of its own."""

from __future__ import annotations

from benchmarks.stage import Actor, Stage
from benchmarks.writers import own_task, writes_in


def alone(stage: Stage, actor: Actor) -> float:
    return _writes(stage, actor, 1)


def eight(stage: Stage, actor: Actor) -> float:
    return _writes(stage, actor, 8)


def _writes(stage: Stage, actor: Actor, clients: int) -> float:
    """Acknowledged writes a second; each client has a process and a series of its own."""
    tasks = [[own_task(actor.connect())] for _ in range(clients)]
    waits = writes_in(stage.sizes.seconds, actor.connect, tasks)
    return waits.writes / waits.seconds
