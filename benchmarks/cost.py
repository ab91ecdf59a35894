"""What requests, points and series cost on a PostgreSQL server: ``python -m benchmarks.cost``."""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import sys
from collections.abc import Callable, Sequence

from benchmarks import machine
from benchmarks.node import running_node
from benchmarks.points import jittered
from benchmarks.processes import Load, held, load
from benchmarks.relations import space
from benchmarks.requests import FULL, QUICK, costs

Options = argparse.Namespace


def main() -> None:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks.cost: told to end"))
    print(machine.described(), flush=True)
    for name in options.only or TABLES:
        TABLES[name](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--only", action="append", choices=TABLES, help="one table; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="of one process, then two; 5")
    parser.add_argument(
        "--hold", type=int, default=100, metavar="PERCENT", help="of a core, to each process"
    )
    return parser


def _requests(options: Options) -> None:
    """Milliseconds of the processors, by part, and of the clock."""
    _line("", "service ms", "database ms", "client ms", "wall ms", "log bytes")
    with running_node(1) as node:
        for title, cost in costs(node, QUICK if options.quick else FULL):
            _line(title, *cost)


def _space(options: Options) -> None:
    points, series = (20_000, 100) if options.quick else (10_000_000, 100_000)
    with running_node(1) as node:
        for taken in space(node, points, series):
            parts = ", ".join(f"{name} {size:.4g}" for name, size in taken.each.items() if size)
            print(f"{taken.title}: {taken.total:.4g} bytes ({parts})", flush=True)


def _processes(options: Options) -> None:
    wanted = ["wrk"] if options.hold == 100 else ["wrk", "cpulimit"]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        print(f"{', '.join(missing)}: missing")
        return
    seconds = 1 if options.quick else 5
    with running_node(2) as node, held(node, options.hold):
        series = node.store(jittered(100_000))
        paths = {"latest point": "value/json/", "1,000 points": "csv/?limit=1000"}
        for title, path in paths.items():
            loads: dict[int, list[Load]] = {1: [], 2: []}
            for _ in range(options.rounds):
                for count, seen in loads.items():
                    seen.append(load(node, series + path, count, seconds))
            _compare(title, loads[1], loads[2])


def _compare(title: str, one: Sequence[Load], two: Sequence[Load]) -> None:
    _line(title, "a second", "service ms", "database ms", "client ms")
    for name, loads in (("one process", one), ("two processes", two)):
        _line(name, *(statistics.median(column) for column in zip(*loads)))
    ratio = statistics.median(b.rate / a.rate for a, b in zip(one, two))
    print(f"two carry {ratio:.3g} times what one does", flush=True)


def _line(title: str, *cells: float | str) -> None:
    texts = [cell if isinstance(cell, str) else f"{cell:,.4g}" for cell in cells]
    print(f"{title:<32}" + "".join(f"{text:>13}" for text in texts), flush=True)


TABLES: dict[str, Callable[[Options], None]] = {
    "requests": _requests,
    "space": _space,
    "processes": _processes,
}

if __name__ == "__main__":
    main()
