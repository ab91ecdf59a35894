"""A spool and a real service that goes away and comes back, in processes that are killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("timetric.server.app")  # the kit runs the service, here, in this Python

import timetric
from tests.test_serve import eventually
from timetric import testing

HANG = 60  # seconds


@pytest.fixture
def kit() -> Iterator[testing.Service]:
    with testing.service() as running:
        yield running


def made(kit: testing.Service) -> timetric.Series:
    return kit.client.create_series(title="Cups", caption="Cups of tea")


def test_what_is_written_while_the_service_is_away_arrives_with_its_times(
    kit: testing.Service, tmp_path: Path
) -> None:
    readings, counter, other = made(kit), made(kit), made(kit)
    clock = testing.Clock(1e9)
    with kit.client.spool(tmp_path / "spool", clock=clock) as q:
        q.update(readings, 1)
        with kit.away():
            for value in (2, None, True):
                clock.advance("1h")
                q.update(readings, value)
                q.increment(counter, 2)
            q.update(other, [("2009-03-10", 1), ("2009-03-11", 2)])
            q.update(other, [("2009-03-11", 3)], on_conflict="keep")
            assert q.pending == 8
            assert isinstance(q.error, timetric.ConnectionFailed)
        q.flush()
        assert (q.pending, q.parked, q.error) == (0, [], None)
    assert list(readings) == [
        (1e9, 1.0),
        (1e9 + 3600, 2.0),
        (1e9 + 7200, None),
        (1e9 + 10800, True),
    ]
    assert [value for _, value in counter] == [2.0, 4.0, 6.0]
    assert [value for _, value in other] == [1.0, 2.0]


def test_what_the_service_refuses_is_parked_with_what_it_says(
    kit: testing.Service, tmp_path: Path
) -> None:
    gone, there = kit.user("ann").create_series(title="a", caption="b"), made(kit)
    mine = kit.client.series(gone.id)
    there.update([("2009-03-10", 1)])
    (tmp_path / "bad.csv").write_text("2009-03-10,1\nnonsense\n")
    with kit.client.spool(tmp_path / "spool") as q:
        q.update(mine, 1)
        q.update(there, 2, at="2009-03-10", on_conflict="error")
        with (tmp_path / "bad.csv").open("rb") as file:
            q.update(there, file)
        q.update(there, 3, at="2009-03-11")
        assert q.pending == 0
        reasons = [parked.reason for parked in q.parked]
    kinds = [reason.partition(":")[0] for reason in reasons]
    assert kinds == ["NotFound", "Conflict", "BadRequest"]
    assert "line 2" in reasons[2]
    assert [value for _, value in there] == [1.0, 3.0]


def test_an_oauth_client_may_spool(kit: testing.Service, tmp_path: Path) -> None:
    client = kit.oauth_client("ann")
    series = client.create_series(title="a", caption="b")
    with client.spool(tmp_path / "spool") as q:
        with kit.away():
            q.increment(series, 1)
        kit.clock.advance("3d")  # signed when it is sent, not when it was queued
        q.flush()
    assert float(series) == 1.0


WORKER = """
import contextlib, json, sys
import timetric
task, path, config, id, count = sys.argv[1:]
client = timetric.TimetricClient(json.loads(config))
series = client.series(id)
spool = client.spool(path)
print("ready", flush=True)
sys.stdin.readline()
if task == "flush":
    spool.flush()
for number in range(1, int(count) + 1):
    print("begun", flush=True)
    if task == "increment":
        spool.increment(series, 1)
    if task == "update":
        spool.update(series, number, at=0)
    print("kept", flush=True)
while task == "update" and spool.pending:
    with contextlib.suppress(timetric.TimetricClientError):  # it is away still
        spool.flush()
"""


class Worker:
    """A process that uses a spool."""

    def __init__(
        self, task: str, path: Path, kit: testing.Service, series: timetric.Series, count: int = 0
    ) -> None:
        config = json.dumps(dict(kit.config))
        command = [sys.executable, "-c", WORKER, task, str(path), config, series.id, str(count)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        assert self._out.readline() == "ready\n"
        self._said: list[str] = []

    def go(self) -> None:
        self._in.write("\n")
        self._in.flush()

    def hear(self, count: int) -> None:
        """Wait until it has said so many words."""
        self._said += [self._out.readline().strip() for _ in range(count)]

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        try:
            return self._process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> tuple[int, int]:
        """By kill -9: how many writes it had begun, and how many were kept."""
        self._process.kill()
        self._said += self._out.read().split()
        self.close()
        return self._said.count("begun"), self._said.count("kept")

    def close(self) -> None:
        self._process.wait(HANG)
        self._in.close()
        self._out.close()


def test_what_was_kept_survives_kill_9_while_writing(kit: testing.Service, tmp_path: Path) -> None:
    series, begun, kept = made(kit), 0, 0
    for _ in range(4):
        worker = Worker("increment", tmp_path / "spool", kit, series, 100_000)
        worker.go()
        worker.hear(20)
        worker.wait(random.uniform(0, 0.1))
        more_begun, more_kept = worker.kill()
        begun, kept = begun + more_begun, kept + more_kept
    with kit.client.spool(tmp_path / "spool") as q:
        q.flush()
        assert (q.pending, q.parked) == (0, [])
    assert 40 <= kept <= float(series) <= begun <= kept + 4


def test_each_write_is_done_once_though_those_who_send_are_killed(
    kit: testing.Service, tmp_path: Path
) -> None:
    series = made(kit)
    with kit.away(), kit.client.spool(tmp_path / "spool") as q:
        for _ in range(400):
            q.increment(series, 1)
    for _ in range(4):
        before = series.latest()[1] or 0
        workers = [Worker("flush", tmp_path / "spool", kit, series) for _ in range(2)]
        for worker in workers:
            worker.go()
        assert eventually(lambda: (series.latest()[1] or 0) > before)  # noqa: B023
        workers[0].wait(random.uniform(0, 0.02))
        for worker in workers:
            worker.kill()
    with kit.client.spool(tmp_path / "spool") as q:
        q.flush()
        assert (q.pending, q.parked) == (0, [])
    assert [value for _, value in series] == [float(number) for number in range(1, 401)]


def test_two_processes_share_a_spool_and_each_keeps_its_order(
    kit: testing.Service, tmp_path: Path
) -> None:
    ours = made(kit), made(kit)
    with kit.away():
        workers = [Worker("update", tmp_path / "spool", kit, series, 60) for series in ours]
        for worker in workers:
            worker.go()
        for worker in workers:
            assert not worker.wait(0.5)
    for worker in workers:
        assert worker.wait(HANG)
        worker.close()
    with kit.client.spool(tmp_path / "spool") as q:
        assert (q.pending, q.parked) == (0, [])
    assert [list(series) for series in ours] == [[(0.0, 60.0)]] * 2  # the last one came last
