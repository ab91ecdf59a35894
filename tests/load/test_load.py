"""A crowd of slow clients, and many uploads at once; small ones but under ``pytest -m slow``.

TIMETRIC_LOAD_CONNECTIONS and _SECONDS set the size of the crowd, and how long it stays.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import timetric
from tests.load.crowd import Crowd, Target, percentile
from tests.test_kills import Service, exchange, rows

pytestmark = pytest.mark.slow

#: What 99 of 100 requests of those who are not slow take at most, in seconds.
P99 = 0.25

UPLOADS = 64


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    yield running
    running.kill()


@pytest.fixture
def is_slow(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("markexpr") == "slow")


def resident(service: Service) -> int:
    """MB of memory that the process with the store holds."""
    lines = Path(f"/proc/{service.worker}/status").read_text().splitlines()
    [line] = [one for one in lines if "VmRSS" in one]
    return int(line.split()[1]) >> 10


def let_open(files: int) -> None:
    """Let this process open so many, which the crowd needs at its end. Skips where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        pytest.skip(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def asked(name: str, usual: int) -> int:
    return int(os.environ.get(f"TIMETRIC_LOAD_{name}", usual))


def test_a_crowd_of_slow_clients_keeps_nobody_waiting(service: Service, is_slow: bool) -> None:
    connections = asked("CONNECTIONS", 2000) if is_slow else 200
    let_open(connections + 500)
    small, large = service.create(), service.create()
    assert service.send("POST", small, "1,2\n")[0] == 204
    assert service.send("PUT", large, rows({float(t): t / 7 for t in range(140_000)}))[0] == 204
    before = resident(service)
    target = Target(service.netloc, service.headers, small, large)
    crowd = Crowd(target, connections // 4, connections // 4, connections // 2)
    crowd.stand(*((asked("SECONDS", 60), 30) if is_slow else (3, 1)))
    waits = crowd.waits
    figures: dict[str, Any] = {
        "connections": crowd.most,
        "requests of others": len(waits),
        "p50, ms": round(1000 * percentile(waits, 0.5), 1),
        "p99, ms": round(1000 * percentile(waits, 0.99), 1),
        "longest, ms": round(1000 * max(waits), 1),
        "statuses": dict(crowd.statuses),
        "memory, MB": [before, resident(service)],
    }
    print(json.dumps(figures, indent=2))
    assert crowd.most == connections
    assert {status.split()[-1] for status in crowd.statuses} <= {"200", "204"}
    assert not is_slow or percentile(waits, 0.99) < P99


def test_long_downloads_keep_nobody_waiting(service: Service, is_slow: bool) -> None:
    small, large = service.create(), service.create()
    assert service.send("POST", small, "1,2\n")[0] == 204
    assert service.send("PUT", large, rows({float(t): t / 7 for t in range(300_000)}))[0] == 204
    downloads, seconds = (100, asked("SECONDS", 60)) if is_slow else (10, 2)
    over = threading.Event()

    def download() -> int:
        sizes = set()
        while not over.is_set():
            status, body = service.send("GET", f"{large}csv/")
            assert status == 200
            sizes.add(len(body))
        [size] = sizes
        return size

    connection, waits = service.connect(), []
    with ThreadPoolExecutor(downloads) as pool:
        jobs = [pool.submit(download) for _ in range(downloads)]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            path = f"{small}value/json/"
            assert exchange(connection, "GET", path, "", service.headers)[0] == 200
            waits.append(time.monotonic() - begun)
            over.wait(0.02)
        over.set()
        assert len({job.result() for job in jobs}) == 1
    connection.close()
    print(
        f"beside {downloads} downloads: {len(waits)} requests, p50 "
        f"{1000 * percentile(waits, 0.5):.0f} ms, p99 {1000 * percentile(waits, 0.99):.0f} ms"
    )
    assert not is_slow or percentile(waits, 0.99) < 4 * P99  # on a machine that is busy anyway


def few_files() -> None:
    """As a shell often has it, though fewer still."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def test_more_clients_than_a_shell_lets_a_process_have_files(tmp_path: Path) -> None:
    service = Service(tmp_path, preexec_fn=few_files)
    connections = [service.connect() for _ in range(300)]
    for connection in connections:
        assert exchange(connection, "GET", "/health/", "", {})[0] == 200
    for connection in connections:  # which all have stayed open
        assert exchange(connection, "GET", "/health/", "", {})[0] == 200
        connection.close()
    service.kill()


def heaps(pid: int) -> int:
    """Those that glibc made for threads: 64 MiB each, of which the first part is in use."""
    size, ends, begun = 64 << 20, set[int](), list[int]()
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        start, end = (int(text, 16) for text in place.split("-"))
        if rights == "---p":
            ends.add(end)
        elif start % size == 0:
            begun.append(start)
    return sum(start + size in ends for start in begun)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other heaps")
def test_threads_share_their_heaps(service: Service) -> None:
    """What one thread has freed another one can use; else the memory grows for hours."""
    path = service.create()
    body = rows({float(t): t / 7 for t in range(30_000)})
    with ThreadPoolExecutor(16) as pool:
        sent = [pool.submit(service.send, "POST", path, body) for _ in range(64)]
        assert {job.result()[0] for job in sent} == {204}
    assert heaps(service.worker) <= 2


def test_uploads_at_once_are_all_stored(service: Service, tmp_path: Path, is_slow: bool) -> None:
    """Those past 64 are asked to come again, which the client does."""
    config = json.loads((tmp_path / "config/timetric/config.json").read_text())
    size = 200_000 if is_slow else 10_000
    points = [(float(t), float(t)) for t in range(size)]
    before, begun = resident(service), time.monotonic()
    with timetric.TimetricClient(config, deadline=600, timeout=120, retries=50) as client:
        made = [client.create_series(title="T", caption="C") for _ in range(2 * UPLOADS)]
        with ThreadPoolExecutor(2 * UPLOADS) as pool:
            receipts = list(pool.map(lambda series: series.update(points), made))
        seconds = time.monotonic() - begun
        assert {receipt.added for receipt in receipts} == {size}
        assert {series.count() for series in made} == {size}
    print(
        f"{2 * UPLOADS} uploads of {size:,} points at once, of which {UPLOADS} are taken in at a "
        f"time: {seconds:.1f} s, memory {before} to {resident(service)} MB"
    )
