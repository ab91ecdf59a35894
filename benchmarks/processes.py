"""What two service processes carry, against one: reads by wrk, each process with one of its own."""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.cpu import used
from benchmarks.node import Node
from benchmarks.server import family

CONNECTIONS = 16  # that all clients have together


class Load(NamedTuple):
    """Requests a second; milliseconds of the processors for each, of all services together."""

    rate: float
    service: float
    database: float
    client: float


def load(node: Node, path: str, processes: int, seconds: int) -> Load:
    """Read a path of the first so many processes, as fast as they answer."""
    pids = [*(service.pid for service in node.services[:processes]), node.postgres.process.pid]
    before, client, start = [*map(used, pids)], _children(), time.perf_counter()
    requests = _read(node, path, processes, seconds)
    took = time.perf_counter() - start
    *services, database = (after - first for first, after in zip(before, map(used, pids)))
    parts = (sum(services), database, _children() - client)
    return Load(requests / took, *(1000 * part / requests for part in parts))


def _read(node: Node, path: str, processes: int, seconds: int) -> int:
    """How many requests were answered, all well. Raises RuntimeError where one was not."""
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "wrk.lua"  # who lists processes need not see the token
        authorization = node.session.headers["Authorization"]
        script.write_text(f'wrk.headers["Authorization"] = "{authorization}"\n')
        each = ["-t", "1", "-c", str(CONNECTIONS // processes), "-d", f"{seconds}s"]
        command = ["wrk", *each, "-s", str(script)]
        clients = [
            subprocess.Popen([*command, f"http://{address}{path}"], stdout=subprocess.PIPE)
            for address in node.addresses[:processes]
        ]
        return sum(_answered(client.communicate()[0].decode()) for client in clients)


def _answered(output: str) -> int:
    found = re.search(r"(\d+) requests in", output)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk says: {output}")
    return int(found[1])


def _children() -> float:
    """Seconds of the processors that processes used that were started here, and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def held(node: Node, percent: int) -> Iterator[None]:
    """The service processes may use so much of a core each; 100 is all that one can.

    So they are what is short, as where the other parts have cores of their own.
    """
    with ExitStack() as stack:
        for pid in _workers(node) if percent < 100 else ():
            command = ["cpulimit", "-q", "-l", str(percent), "-p", str(pid)]
            limiter = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            stack.callback(limiter.wait)
            stack.callback(limiter.terminate)  # it lets the process go on
        yield


def _workers(node: Node) -> list[int]:
    """Those that answer; each has a supervisor above it."""
    return [pid for service in node.services for pid in [*family(service.pid)][-1:]]
