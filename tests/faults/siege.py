"""A service under load, and what befalls it meanwhile."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import timetric
from tests.conftest import ROOT, SERVICE_PYTHON
from tests.faults.ledger import End
from tests.faults.workers import Field, Tally, Worker
from tests.test_kills import HANG, Service
from tests.test_service_disk import namespace

#: Seconds that a service gets to answer again in, after what befell it is over.
_RECOVERY = 10


class Plan(NamedTuple):
    """How long a siege is: at least so many disasters and writes, with so many clients.

    After ``seconds`` it ends anyway, with the round. ``rest`` is the longest time between
    disasters, in seconds; ``round`` how many there are between two looks at all that is stored.
    """

    seed: str
    disasters: int
    writes: int
    clients: int
    seconds: float
    rest: float = 1.0
    round: int = 25


class Siege:
    """A ``timetric serve`` on a port that stays the same.

    The store is a directory of its own, or what TIMETRIC_TEST_STORE names, which must be empty.
    """

    def __init__(
        self, home: Path, plan: Plan, flags: Sequence[str] = (), wrapper: Sequence[str] = ()
    ) -> None:
        self.home = home
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.tally = Tally()
        self.disasters = 0
        self.begun = time.monotonic()
        self.writes = dict.fromkeys(End, 0)
        self.checks = 0
        self._wrapper = wrapper
        self._flags = ("--port", str(_free_port()), *flags)
        self.start()
        config = json.loads((home / "config/timetric/config.json").read_text())
        scheme = "https" if "--tls-cert" in flags else "http"
        self.config = {**config, "url": f"{scheme}://{self.service.netloc}/"}

    def start(self) -> None:
        store = os.environ.get("TIMETRIC_TEST_STORE")
        self.service = Service(self.home, self._wrapper, self._flags, store)

    def wrap(self, command: Sequence[str]) -> None:
        """Go on with a service that this command runs."""
        self._wrapper = command
        self.start()

    def stand(
        self,
        disaster: Callable[[Siege], None],
        configs: Sequence[dict[str, Any]] = (),
        is_sure: bool = True,
    ) -> None:
        """Rounds of load and disasters until the plan is fulfilled, and a look after each.

        ``configs`` are those of the clients, in turn; without them they ask the service itself.
        """
        fields = list[Field]()
        while not self._is_fulfilled:
            with timetric.TimetricClient(self.config) as client:
                fields.append(Field(client))
                self._round(fields[-1], disaster, configs or [self.config], is_sure)
                self._look(fields[-1:], is_sure)
        with timetric.TimetricClient(self.config):
            self._look(fields, is_sure)  # nothing was lost later either
        self._check()

    @property
    def _is_fulfilled(self) -> bool:
        if self.seconds > self.plan.seconds:
            return True
        enough = self.writes[End.DONE] >= self.plan.writes
        return enough and self.disasters >= self.plan.disasters

    @property
    def seconds(self) -> float:
        """How long it has stood."""
        return time.monotonic() - self.begun

    def _round(
        self,
        field: Field,
        disaster: Callable[[Siege], None],
        configs: Sequence[dict[str, Any]],
        is_sure: bool,
    ) -> None:
        with self._working(field, configs, is_sure) as over:
            for _ in range(self.plan.round):
                over.wait(self.chance.uniform(0.05, self.plan.rest))
                if over.is_set():  # a worker has failed, which its future tells
                    break
                disaster(self)
                self.disasters += 1
        for end in End:
            self.writes[end] += field.told(end)

    @contextmanager
    def _working(
        self, field: Field, configs: Sequence[dict[str, Any]], is_sure: bool
    ) -> Iterator[threading.Event]:
        over = threading.Event()

        def end_all(future: Future[None]) -> None:
            if future.exception():
                over.set()

        with ThreadPoolExecutor(self.plan.clients) as pool:
            jobs = []
            for number in range(self.plan.clients):
                seed = (self.plan.seed, self.disasters, number)
                config = configs[number % len(configs)]
                worker = Worker(config, field, self.tally, seed, is_sure)
                jobs.append(pool.submit(worker.run, over))
                jobs[-1].add_done_callback(end_all)
            try:
                yield over
            finally:
                over.set()
        for job in jobs:
            job.result()

    def _look(self, fields: Sequence[Field], is_sure: bool) -> None:
        faults = [fault for field in fields for fault in field.faults()]
        assert not (is_sure and faults), faults[:10]
        self.checks += 1

    def _check(self) -> None:
        """What is kept is sound, by the command that tells it."""
        self.service.kill()
        check = ["check", "--data", str(self.service.place)]
        command = [*self._wrapper, SERVICE_PYTHON, "-m", "timetric", *check]
        if not self._wrapper:  # what was mounted for the service is gone with it
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=10 * HANG)

    def close(self) -> None:
        self.service.kill()

    def figures(self) -> dict[str, Any]:
        """What came of it."""
        return {
            "seed": self.plan.seed,
            "seconds": round(self.seconds),
            "clients": self.plan.clients,
            "disasters": self.disasters,
            "writes": {end.value: count for end, count in self.writes.items()},
            "calls": sum(self.tally.ends.values()),
            "ends": dict(self.tally.ends.most_common()),
            "longest call, s": round(self.tally.longest, 2),
            "looks": self.checks,
        }

    def wait_until_well(self) -> None:
        """Until it answers again. Raises AssertionError where it does not."""
        end = time.monotonic() + _RECOVERY
        while not self._answers():
            assert time.monotonic() < end, self.service.log()[-2000:]
            time.sleep(0.05)

    def _answers(self) -> bool:
        with timetric.TimetricClient(self.config, timeout=1, deadline=1, retries=0) as client:
            try:
                client.get("health/")
            except timetric.TimetricClientError:  # not yet
                return False
        return True


def kill(siege: Siege) -> None:
    """SIGKILL, to both processes or only the one that holds the store; then a new start."""
    assert siege.service.process.poll() is None, siege.service.log()[-2000:]
    siege.service.kill(whole=siege.chance.random() < 0.6)
    siege.start()


def nothing(siege: Siege) -> None:
    """What there is befalls it from the network."""
    assert siege.service.process.poll() is None, siege.service.log()[-2000:]


def limit(which: int, most: Callable[[int], int]) -> Callable[[Siege], None]:
    """A limit of the system's on the process with the store, for a while."""

    def befall(siege: Siege) -> None:
        pid = siege.service.worker
        usual = resource.prlimit(pid, which)
        resource.prlimit(pid, which, (most(pid), usual[1]))
        time.sleep(siege.chance.uniform(0.2, siege.plan.rest))
        resource.prlimit(pid, which, usual)
        siege.wait_until_well()
        assert siege.service.worker == pid, "the process did not survive it"

    return befall


#: No file may grow: to the service, a disk that is full.
no_room = limit(resource.RLIMIT_FSIZE, lambda pid: 4096)

#: No file, no socket more can be opened.
no_descriptors = limit(resource.RLIMIT_NOFILE, lambda pid: len(os.listdir(f"/proc/{pid}/fd")))


def small_disk(data: Path, size: str) -> list[str]:
    """What runs the service on a disk of its own."""
    data.mkdir()
    return namespace(f'mount -t tmpfs -o size={size} tmpfs "$0"', data)


def may_mount(home: Path) -> bool:
    """Whether users may mount what only their processes see."""
    if not shutil.which("unshare"):
        return False
    tried = [*namespace('mount -t tmpfs tmpfs "$0"', home), "true"]
    return subprocess.run(tried, capture_output=True).returncode == 0


def full_disk(siege: Siege) -> None:
    """The disk is full to its last page, for a while."""
    pid = str(siege.service.process.pid)
    entered = ["nsenter", "--preserve-credentials", "--user", "--mount", "-t", pid]
    ballast = Path(siege.service.place) / "ballast"
    subprocess.run([*entered, "dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True)
    time.sleep(siege.chance.uniform(0.2, siege.plan.rest))
    subprocess.run([*entered, "rm", str(ballast)], check=True)
    siege.wait_until_well()


def clock_back(siege: Siege) -> None:
    """The service's clock goes back an hour, or forth again; see served.py."""
    path = siege.home / "offset"
    before = float(path.read_text())
    (siege.home / "next").write_text(str(before - 3600 if siege.chance.random() < 0.7 else 0))
    (siege.home / "next").replace(path)
    nothing(siege)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
