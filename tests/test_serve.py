"""The service's processes, run as a user runs them: signals, kills, several at once."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import timetric

ROOT = Path(timetric.__file__).parent.parent

HANG = 30  # seconds after which a test gives up; nothing here needs more than a few


class Service:
    """A running ``timetric serve``, and the lines it has printed when it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.lines = [process.stdout.readline().rstrip("\n") for _ in range(3)]
        found = re.fullmatch(r"Listening on (https?://\S+/)", self.lines[0])
        assert found, (self.lines, process.stderr and process.stderr.read())
        self.url = found[1]

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    @property
    def worker(self) -> int:
        """The process that holds the store."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        (pid,) = found.stdout.split()
        return int(pid)

    def refuses(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(HANG)
            return probe.connect_ex(self.address) != 0

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(HANG)


class Machine:
    """A user's account: a home of its own, and the command line in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "timetric-data"
        self.config_path = home / ".config" / "timetric" / "config.json"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIMETRIC_", "XDG_"))
        }
        self.environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)}
        self.services: list[Service] = []

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "timetric", *map(str, arguments)]

    def run(self, *arguments: object, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=HANG,
        )

    def serve(self, *arguments: object) -> Service:
        """Start a service on a free port."""
        process = subprocess.Popen(
            self.command("serve", "--port", "0", "--no-access-log", *arguments),
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as at a terminal
        )
        service = Service(process)
        self.services.append(service)
        return service

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.config_path.read_text())
        return config

    def client(self, service: Service) -> timetric.TimetricClient:
        """The owner's, without retries: what fails has failed."""
        return timetric.TimetricClient({**self.config, "url": service.url}, retries=0)

    def close(self) -> None:
        for service in self.services:
            service.process.kill()
            service.process.communicate(timeout=HANG)  # ends when the worker has closed it too


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true before one would say that it hangs."""
    end = time.monotonic() + HANG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class SlowCreate:
    """A request to create a series whose body comes in two parts."""

    BODY = b"1,10\n2,20\n"

    def __init__(self, machine: Machine, service: Service) -> None:
        config = machine.config
        login = base64.b64encode(
            f"{config['apitoken_key']}:{config['apitoken_secret']}".encode()
        ).decode()
        self._socket = socket.create_connection(service.address, timeout=HANG)
        head = (
            "POST /create/?title=Slow&caption=In+two+parts HTTP/1.1\r\n"
            f"Host: {urlsplit(service.url).netloc}\r\n"
            f"Authorization: Basic {login}\r\n"
            "Content-Type: text/csv\r\n"
            f"Content-Length: {len(self.BODY)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + self.BODY[:3])

    def finish(self) -> str:
        """Send the rest; the reply's head, or "" where the connection was cut."""
        with self._socket, self._socket.makefile("rb") as reply:
            self._socket.sendall(self.BODY[3:])
            return b"".join(takewhile(b"\r\n".__ne__, reply)).decode()


def new_series(client: timetric.TimetricClient) -> timetric.Series:
    return client.create_series(title="Writes", caption="One after the other")


def test_the_service_answers_as_soon_as_it_says_that_it_listens(machine: Machine) -> None:
    client = machine.client(machine.serve())
    assert new_series(client).latest() == (None, None)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_in_flight_is_answered_before_the_service_ends(
    machine: Machine, ending: signal.Signals
) -> None:
    service = machine.serve()
    request = SlowCreate(machine, service)
    time.sleep(0.3)  # so that the service has begun to read it
    service.process.send_signal(ending)
    assert eventually(service.refuses)
    head = request.finish()
    assert head.startswith("HTTP/1.1 201 ")
    assert service.process.wait(HANG) == 0
    assert service.process.stderr is not None and service.process.stderr.read() == ""

    found = re.search(r"/series/(\S+)/", head)
    assert found
    series = machine.client(machine.serve()).series(found[1])
    assert list(series) == [(1.0, 10.0), (2.0, 20.0)]


def test_an_interrupt_from_the_terminal_reaches_both_processes_and_ends_them_cleanly(
    machine: Machine,
) -> None:
    service = machine.serve()
    os.killpg(service.process.pid, signal.SIGINT)
    assert service.process.wait(HANG) == 0
    assert service.process.stderr is not None and service.process.stderr.read() == ""


def test_a_service_under_nohup_outlives_its_terminal(machine: Machine) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited by what we start, as nohup's
    try:
        service = machine.serve()
    finally:
        signal.signal(signal.SIGHUP, before)
    service.process.send_signal(signal.SIGHUP)
    assert new_series(machine.client(service)).latest() == (None, None)
    assert service.stop() == 0


def test_the_worker_ends_when_the_supervisor_is_killed(machine: Machine) -> None:
    service = machine.serve()
    service.process.kill()
    assert eventually(service.refuses)
    assert service.process.stdout is not None
    # comes when nobody holds the pipe: it has ended
    assert service.process.stdout.read().startswith("To sign in")


def test_a_request_in_flight_is_answered_though_the_supervisor_is_killed(machine: Machine) -> None:
    service = machine.serve()
    request = SlowCreate(machine, service)
    time.sleep(0.3)  # so that the service has begun to read it
    service.process.kill()
    assert eventually(service.refuses)
    assert request.finish().startswith("HTTP/1.1 201 ")


def test_the_supervisor_ends_when_the_worker_is_killed_and_says_so(machine: Machine) -> None:
    service = machine.serve()
    os.kill(service.worker, signal.SIGKILL)
    assert service.process.wait(HANG) == 1
    assert service.refuses()
    assert service.process.stderr is not None
    assert service.process.stderr.read() == (
        "timetric: the worker process ended by itself, so the service stops\n"
    )


def test_every_acknowledged_write_survives_kill_9_of_the_process_that_holds_the_store(
    machine: Machine,
) -> None:
    service = machine.serve()
    series = new_series(machine.client(service))
    acknowledged: list[int] = []
    enough = threading.Event()

    def write() -> None:
        for number in range(100_000):
            series.update([(number, number)])
            acknowledged.append(number)
            if number == 40:
                enough.set()

    def write_until_killed() -> None:
        with pytest.raises((timetric.ConnectionFailed, timetric.WriteInDoubt)):
            write()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write_until_killed)
        assert enough.wait(HANG)
        os.kill(service.worker, signal.SIGKILL)
        writer.result(HANG)
    assert service.process.wait(HANG) == 1
    assert eventually(service.refuses)

    stored = [t for t, _ in machine.client(machine.serve()).series(series.id)]
    # one more may be there: stored, and killed before it was acknowledged
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) <= len(acknowledged) + 1


def test_increments_are_atomic_over_threads_and_two_services_on_one_data_directory(
    machine: Machine,
) -> None:
    services = [machine.serve(), machine.serve()]
    clients = [machine.client(service) for service in services]
    id = new_series(clients[0]).id

    def count(worker: int) -> None:
        series = clients[worker % 2].series(id)
        for _ in range(15):
            series.increment(1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(6)))
    values = [value for _, value in clients[1].series(id)]
    assert values == [float(n) for n in range(1, 91)]


def test_links_begin_with_the_base_url(machine: Machine) -> None:
    service = machine.serve("--base-url", "https://ts.example/at")
    assert service.lines[1] == "Known as https://ts.example/at/"
    head = SlowCreate(machine, service).finish()
    assert re.search(r"(?m)^location: https://ts\.example/at/series/[\w-]{22}/\r$", head.lower())
