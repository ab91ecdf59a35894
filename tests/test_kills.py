"""The service is killed at random moments under load: what it acknowledged is there, whole.

Each write has an Idempotency-Key. Those that a kill cut off are sent again, and are done once.
The seed is printed; TIMETRIC_TEST_SEED repeats a run's choices, if not its timing. 10 kills, and
200 with ``pytest -m slow``.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT, SERVICE_PYTHON
from timetric.server.storage import open_storage

HANG = 60  # seconds after which a test gives up; nothing here needs more than a few
LANES = 4  # writers to one series, each with instants of its own between those of the others
FORM, CSV = "application/x-www-form-urlencoded", "text/csv"

Points = dict[float, float]


class Service:
    """A ``timetric serve`` in a process group of its own.

    Its data are in a directory, or at the URL ``place``. ``wrapper`` is a command that runs it,
    ``flags`` are those of serve, the options are Popen's.
    """

    def __init__(
        self,
        home: Path,
        wrapper: Sequence[str] = (),
        flags: Sequence[str] = (),
        place: str | None = None,
        **options: Any,
    ) -> None:
        self.home = home
        self.place = place or home / "data"
        key = ["--secret-key-file", home / "secret.key"] if place else []
        environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        environment.pop("TIMETRIC_CONFIG", None)
        command = [SERVICE_PYTHON, "-m", "timetric", "serve", "--port", "0"]
        begun = time.monotonic()
        with open(home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, *command, "--data", self.place, *key, *flags],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                **options,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # printed once it accepts requests
        self.seconds = time.monotonic() - begun
        assert "://" in line, f"the service did not start: {self.log()}"
        self.netloc = urlsplit(line.split()[-1]).netloc
        config = json.loads((home / "config/timetric/config.json").read_text())
        pair = f"{config['apitoken_key']}:{config['apitoken_secret']}"
        self.headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    @property
    def worker(self) -> int:
        """The process that holds the store."""
        return int(subprocess.check_output(["pgrep", "-P", str(self.process.pid)], text=True))

    def log(self) -> str:
        return (self.home / "log").read_text()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.netloc, timeout=HANG)

    def send(
        self, method: str, path: str, body: str = "", kind: str = CSV, **headers: str
    ) -> tuple[int, bytes]:
        """One request of its own connection."""
        connection = self.connect()
        told = {**self.headers, "Content-Type": kind, **headers}
        try:
            return exchange(connection, method, path, body, told)
        finally:
            connection.close()

    def create(self) -> str:
        """The path of a new series."""
        status, url = self.send("POST", "/create/?title=Power&caption=Office+power")
        assert status == 201, url
        return urlsplit(url.decode()).path

    def points(self, path: str) -> Points:
        status, body = self.send("GET", f"{path}csv/")
        assert status == 200, body
        rows = (line.split(",") for line in body.decode().splitlines())
        return {float(t): float(value) for t, value in rows}

    def kill(self, whole: bool = True) -> None:
        """End it by SIGKILL, the supervisor too or only the worker, which holds the store."""
        if self.process.poll() is not None:
            return
        if whole:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            os.kill(self.worker, signal.SIGKILL)
        self.process.communicate(timeout=HANG)  # ends when the worker has closed its end too
        end = time.monotonic() + HANG
        while not self.refuses():
            assert time.monotonic() < end, "the port still takes connections"
            time.sleep(0.01)

    def refuses(self) -> bool:
        host, _, port = self.netloc.rpartition(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) != 0


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: str, headers: Any
) -> tuple[int, bytes]:
    connection.request(method, path, body.encode(), headers)
    response = connection.getresponse()
    return response.status, response.read()


class Writer:
    """Writes one after the other to a series, and knows what must be there after a kill.

    ``sure`` is what was acknowledged, ``hoped`` what is there if the write on its way is stored.
    """

    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self, path: str, chance: random.Random) -> None:
        self.path = path
        self.chance = chance
        self.sure: Points = {}
        self.hoped: Points = {}
        self.acknowledged = 0
        self.cut_off: tuple[str, str, str, str] | None = None

    def run(self, service: Service) -> None:
        """Write until the service is gone."""
        connection = service.connect()
        try:
            while True:
                method, body, kind = self.next_write()
                key = uuid.uuid4().hex
                self.cut_off = method, body, kind, key
                headers = {**service.headers, "Content-Type": kind, "Idempotency-Key": key}
                status, reply = exchange(connection, method, self.path, body, headers)
                self.acknowledge(status, reply)
        except (OSError, http.client.HTTPException):  # it is
            connection.close()

    def acknowledge(self, status: int, reply: bytes) -> None:
        assert status == 204, reply
        self.sure, self.cut_off = self.hoped, None
        self.acknowledged += 1

    def next_write(self) -> tuple[str, str, str]:
        """Method, body and content type of the next write, noted in ``hoped``."""
        raise NotImplementedError

    def repeat(self, service: Service) -> None:
        """Send what was cut off once more, with its key; by then it may be stored, or not."""
        if self.cut_off is not None:
            method, body, kind, key = self.cut_off
            headers = {"Idempotency-Key": key}
            self.acknowledge(*service.send(method, self.path, body, kind, **headers))

    def settle(self, stored: Points) -> None:
        """Compare with what is stored after a kill, or after what was cut off is settled."""
        assert stored in (self.sure, self.hoped), difference(stored, self.sure, self.hoped)

    def a_run(self, size: int, step: int = 1) -> Points:
        """So many points from a random instant on, all with one value that was never used."""
        start, value = self.chance.randrange(20_000), float(next(self.numbers))
        return {float(t): value for t in range(start * step, (start + size) * step, step)}


class Lane(Writer):
    """Single values and uploads, in blocks with those of other writers but not at one instant."""

    def __init__(self, path: str, chance: random.Random, number: int) -> None:
        super().__init__(path, chance)
        self.number = number

    def next_write(self) -> tuple[str, str, str]:
        size = self.chance.choice([1, 1, 1, 1, self.chance.randint(2, 256), 300, 2500, 6000])
        points = {t + self.number: value for t, value in self.a_run(size, LANES).items()}
        self.hoped = self.sure | points
        if size == 1:
            ((t, value),) = points.items()
            return "POST", f"value={value}&timestamp={t}", FORM
        return "POST", rows(points), CSV

    def settle(self, stored: Points) -> None:
        super().settle({t: v for t, v in stored.items() if t % LANES == self.number})


class Rewriter(Writer):
    """Whole histories in the place of others, and uploads over them."""

    def next_write(self) -> tuple[str, str, str]:
        points = self.a_run(self.chance.choice([1, 200, 300, 5000, 9000]))
        if self.chance.random() < 0.1:
            self.hoped = {}
            return "DELETE", "", CSV
        if self.chance.random() < 0.5:
            self.hoped = points
            return "PUT", rows(points), CSV
        self.hoped = self.sure | points
        return "POST", rows(points), CSV


class Counter(Writer):
    """Increments of one, of which several writers send some at a time."""

    def next_write(self) -> tuple[str, str, str]:
        return "POST", "increment=1", FORM

    def settle(self, stored: Points) -> None:
        """All of them together are looked at, by ``check_count``."""


def rows(points: Points) -> str:
    return "".join(f"{t},{value}\n" for t, value in points.items())


def difference(stored: Points, sure: Points, hoped: Points) -> str:
    """What is wrong, told by the points that are in neither."""
    odd = stored.items() - sure.items() - hoped.items()
    lost = sure.items() - stored.items() - (sure.items() - hoped.items())
    half = (hoped.items() - sure.items()) & stored.items()
    return f"lost {sorted(lost)[:5]}, odd {sorted(odd)[:5]}, {len(half)} of the last write there"


def check_count(stored: Points, counters: list[Counter]) -> None:
    """Every acknowledged increment is in the sum once, those on their way at most once."""
    counted = list(stored.values())
    assert counted == [float(n) for n in range(1, len(counted) + 1)]
    acknowledged = sum(counter.acknowledged for counter in counters)
    cut_off = sum(counter.cut_off is not None for counter in counters)
    assert acknowledged <= len(counted) <= acknowledged + cut_off


class Siege:
    """A service that is killed under load and started again, and what it was sent."""

    def __init__(self, home: Path, chance: random.Random, place: str | None) -> None:
        self.home, self.chance, self.place = home, chance, place
        self.service = Service(home, place=place)
        self.lanes, self.histories, self.count = (self.service.create() for _ in range(3))
        seeds = iter(lambda: random.Random(chance.random()), None)
        self.counters = [Counter(self.count, next(seeds)) for _ in range(3)]
        self.writers = [
            *(Lane(self.lanes, next(seeds), number) for number in range(LANES)),
            Rewriter(self.histories, next(seeds)),
            *self.counters,
        ]
        self.kills, self.longest = 0, 0.0

    def kill(self) -> None:
        """Load for a while, a kill, a new start, and a look at everything."""
        threads = [
            threading.Thread(target=writer.run, args=(self.service,)) for writer in self.writers
        ]
        for thread in threads:
            thread.start()
        time.sleep(self.chance.uniform(0.02, 1.5))
        assert self.service.process.poll() is None, self.service.log()
        self.service.kill(whole=self.chance.random() < 0.6)
        for thread in threads:
            thread.join(HANG)
        self.kills += 1
        self.service = Service(self.home, place=self.place)
        self.longest = max(self.longest, self.service.seconds)
        self.look()
        for writer in self.writers:
            writer.repeat(self.service)
        self.look()

    def look(self) -> None:
        """Compare all that is stored with what was sent."""
        for path in (self.lanes, self.histories):
            stored = self.service.points(path)
            for writer in self.writers:
                if writer.path == path:
                    writer.settle(stored)
        check_count(self.service.points(self.count), self.counters)
        store = open_storage(self.service.place)
        assert list(store.check()) == []
        store.close()

    @property
    def acknowledged(self) -> int:
        return sum(writer.acknowledged for writer in self.writers)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_kill_loses_and_halves_no_write(
    tmp_path: Path, place: Path | str, request: pytest.FixtureRequest
) -> None:
    seed = os.environ.get("TIMETRIC_TEST_SEED") or str(random.randrange(10**6))
    print(f"TIMETRIC_TEST_SEED={seed}")
    url = place if isinstance(place, str) else None
    siege = Siege(tmp_path, random.Random(seed), url)
    usual = siege.service.seconds
    try:
        for _ in range(200 if request.config.getoption("markexpr") == "slow" else 10):
            siege.kill()
    finally:
        siege.service.kill()
    print(
        f"{siege.kills} kills, {siege.acknowledged} writes acknowledged, none lost; longest start "
        f"{siege.longest:.2f} s, that of an empty store {usual:.2f} s"
    )
    assert siege.acknowledged > 10 * siege.kills
