"""What a request costs each part, in time of the processors."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks.contenders.timetric import CSV, FORM
from benchmarks.cpu import used
from benchmarks.node import Node
from benchmarks.points import STEP, Points, jittered, seconds_csv
from benchmarks.relations import fill
from benchmarks.wire import Wire


class Cost(NamedTuple):
    """Milliseconds of the processors for a request; and of the clock, from asking to having it.

    ``log`` is the bytes of PostgreSQL's log (WAL), those of what else it does meanwhile included.
    """

    service: float
    database: float
    client: float
    wall: float
    log: float


class Sizes(NamedTuple):
    """Rows of the long series, and series among which some are found.

    Then how often is asked what is small, what is middling, and what is big.
    """

    large: int
    found: int
    often: int
    some: int
    few: int


FULL = Sizes(1_000_000, 10_000, 1000, 200, 6)
QUICK = Sizes(20_000, 100, 20, 5, 1)


class Task(NamedTuple):
    """A request: what to say of it, how often it is made, and how."""

    title: str
    times: int
    ask: Callable[[], object]


def costs(node: Node, sizes: Sizes) -> Iterator[tuple[str, Cost]]:
    fill(node.postgres.url(), sizes.found)
    for task in (*_reads(node, sizes), *_writes(node, sizes)):
        task.ask()  # what is loaded or prepared once is none of a request's
        yield task.title, _cost(node, task)


def _cost(node: Node, task: Task) -> Cost:
    pids = (node.services[0].pid, node.postgres.process.pid)
    logged = node.logged()
    before, mine, start = [*map(used, pids)], time.process_time(), time.perf_counter()
    for _ in range(task.times):
        task.ask()
    wall, mine = time.perf_counter() - start, time.process_time() - mine
    service, database = (after - first for first, after in zip(before, map(used, pids)))
    times = (1000 * part / task.times for part in (service, database, mine, wall))
    return Cost(*times, (node.logged() - logged) / task.times)


def _reads(node: Node, sizes: Sizes) -> list[Task]:
    points = jittered(sizes.large)
    wire, series = Wire(node.addresses[0], node.session.headers), node.store(points)
    wire.send(
        "PATCH", f"{series}metadata/", b'{"public": true}', {"Content-Type": "application/json"}
    )
    widths = itertools.count(600)  # pixels; none is drawn twice
    found = "/search/results.thick.json?q=s7"  # or what begins so; a fifth of 10,000
    get, rows = wire.get, f"{sizes.large:,}"
    return [
        Task("latest point", sizes.often, lambda: get(f"{series}value/json/")),
        Task("1,000 points as CSV", sizes.some, lambda: get(_window(series, points))),
        Task(f"all {rows} points as CSV", sizes.few, lambda: get(f"{series}csv/")),
        Task(f"PNG chart of {rows}", sizes.few, lambda: get(_chart(series, next(widths)))),
        Task(
            f"search among {sizes.found:,}",
            sizes.some,
            lambda: get(found),
        ),
    ]


def _writes(node: Node, sizes: Sizes) -> list[Task]:
    """Each adds points at the end of a series of its own, but the upload, which makes one."""
    wire = Wire(node.addresses[0], node.session.headers)
    single, instants = node.store(jittered(1)), itertools.count(2_000_000_000, STEP)
    body = seconds_csv(jittered(sizes.large))

    def write() -> object:
        form = urlencode({"value": 20.25, "timestamp": next(instants)})
        return wire.send("POST", single, form.encode(), FORM)

    return [
        Task("write of a point", sizes.often, write),
        _write_of(60, node, wire, sizes.some),
        _write_of(1000, node, wire, sizes.some),
        Task(
            f"upload of {sizes.large:,} points",
            sizes.few,
            lambda: wire.send("POST", "/create/?title=a&caption=b", body, CSV),
        ),
    ]


def _write_of(rows: int, node: Node, wire: Wire, times: int) -> Task:
    """One after another at the end of a series, as a collector's are."""
    series, points = node.store(jittered(1)), jittered(rows * (times + 2))
    starts = range(rows, rows * (times + 2), rows)
    parts = (Points(*(column[start : start + rows] for column in points)) for start in starts)
    bodies = iter([seconds_csv(part) for part in parts])
    return Task(
        f"write of {rows:,} points", times, lambda: wire.send("POST", series, next(bodies), CSV)
    )


def _window(series: str, points: Points) -> str:
    at = random.randrange(len(points.t) - 1000)
    fields = {"start": repr(float(points.t[at])), "limit": 1000}
    return f"{series}csv/?{urlencode(fields)}"


def _chart(series: str, width: int) -> str:
    return f"{series}chart.png?width={width}"
