"""Clients that write one point after another, in processes of their own.

Several clients in one process would share one interpreter lock, and be what is measured.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.contenders import Session
from benchmarks.points import STEP, regular
from benchmarks.stage import new_name

_spawn = multiprocessing.get_context("spawn")


class Task(NamedTuple):
    """What one client writes: points at ``t``, ``t + step``, and so on."""

    series: str
    t: float
    step: float = STEP


class Waits(NamedTuple):
    """What clients saw: how many writes were acknowledged, in how long, and the longest wait."""

    writes: int
    seconds: float
    longest: float


def _together(seen: list[Waits]) -> Waits:
    writes, seconds, longest = zip(*seen)
    return Waits(sum(writes), max(seconds), max(longest))


class Crew:
    """Clients at work, until they are told to stop."""

    def __init__(self, processes: list[Any], stop: Any, results: Any) -> None:
        self._processes = processes
        self._stop = stop
        self._results = results

    def stop(self) -> Waits:
        """Have them finish, and say what they saw."""
        self._stop.set()
        seen = [self._results.get(timeout=120) for _ in self._processes]
        for process in self._processes:
            process.join(120)
        return _together(seen)


@contextmanager
def writing(connect: Callable[[], Session], tasks: list[list[Task]]) -> Iterator[Crew]:
    """Clients that have begun to write: a process for each list, a thread for each of its tasks."""
    ready, results = _spawn.Barrier(len(tasks) + 1), _spawn.Queue()
    stop = _spawn.Event()
    processes = [
        _spawn.Process(target=_work, args=(connect, mine, ready, stop, results), daemon=True)
        for mine in tasks
    ]
    for process in processes:
        process.start()
    try:  # no client is left behind
        ready.wait(120)
        yield Crew(processes, stop, results)
    finally:
        for process in processes:
            process.terminate()


def writes_in(seconds: float, connect: Callable[[], Session], tasks: list[list[Task]]) -> Waits:
    """Let clients write for so long."""
    with writing(connect, tasks) as crew:
        time.sleep(seconds)
        return crew.stop()


def own_task(session: Session) -> Task:
    """Writing to a new series, whose first point is stored here."""
    name, first = new_name(), regular(1)
    session.store(name, session.bodies(name, first))
    return Task(name, float(first.t[0]) + STEP)


def _work(
    connect: Callable[[], Session], tasks: list[Task], ready: Any, stop: Any, results: Any
) -> None:
    seen: list[Waits] = []
    lines = [
        threading.Thread(target=_write, args=(connect(), task, stop, seen), daemon=True)
        for task in tasks
    ]
    ready.wait(120)
    for line in lines:
        line.start()
    for line in lines:
        line.join()
    assert len(seen) == len(tasks), "a client has failed; it says why above"
    results.put(_together(seen))


def _write(session: Session, task: Task, stop: Any, seen: list[Waits]) -> None:
    writes, longest, t = 0, 0.0, task.t
    start = now = time.perf_counter()
    while not stop.is_set():
        before = now
        session.write(task.series, t, writes % 1000 / 8)
        now = time.perf_counter()
        longest = max(longest, now - before)
        writes, t = writes + 1, t + task.step
    seen.append(Waits(writes, now - start, longest))
