"""One client for many threads, for forked processes and for calls with other limits: each caller
gets its own answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import formatdate

import pytest

import timetric
from tests.conftest import RunningService
from tests.misbehaving import (
    PATIENCE,
    Behaviour,
    Peer,
    Service,
    answer,
    http,
    keep_silent,
    misbehaving,
)

THREADS = 32
ID = "A" * 22
TOKEN = {"authtype": "apitoken", "apitoken_key": "the-key", "apitoken_secret": "hush-hush"}
OAUTH = {"consumer_key": "c", "consumer_secret": "s", "oauth_token": "t", "oauth_secret": "s"}
POINT = http(body=b'{"timestamp": 1, "value": 2}')

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
#: Python 3.12 warns of any fork beside threads; that this one is safe is what is tested.
beside_threads = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture
def shared(service: RunningService) -> Iterator[timetric.TimetricClient]:
    with timetric.TimetricClient(service.config) as client:
        yield client


def writes_and_reads(client: timetric.TimetricClient, name: float, times: int = 8) -> bool:
    """Whether a series of one's own holds all that was written to it, and nothing else."""
    series = client.create_series(title=f"Of {name}", caption="One of many")
    for number in range(times):
        series.update([(number, name + number)])
        if series.latest() != (number, name + number):
            return False
    return list(series) == [(number, name + number) for number in range(times)]


def forked(work: Callable[[], bool]) -> int:
    """Do it in a forked process; the process's ID."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return child


def exit_code(child: int) -> int:
    return os.waitpid(child, 0)[1]


def test_each_of_32_threads_gets_its_own_answers(shared: timetric.TimetricClient) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        done = threads.map(lambda name: writes_and_reads(shared, name * 1000.0), range(THREADS))
        assert list(done) == [True] * THREADS


@forks
@beside_threads
def test_each_forked_process_gets_its_own_answers_and_so_does_the_parent(
    shared: timetric.TimetricClient,
) -> None:
    assert writes_and_reads(shared, 1.0)
    children = [forked(lambda n=n: writes_and_reads(shared, n * 1000.0)) for n in range(2, 6)]
    assert writes_and_reads(shared, 9000.0)
    assert [exit_code(child) for child in children] == [0] * 4


@forks
@beside_threads
def test_a_fork_in_the_middle_of_other_threads_calls_disturbs_nobody(
    shared: timetric.TimetricClient,
) -> None:
    def fork_some(count: int) -> list[int]:
        return [
            exit_code(forked(lambda: writes_and_reads(shared, 5000.0, times=1)))
            for _ in range(count)
        ]

    with ThreadPoolExecutor(8) as threads:
        done = threads.map(lambda name: writes_and_reads(shared, name * 1000.0), range(8))
        assert fork_some(5) == [0] * 5
        assert list(done) == [True] * 8


def test_the_end_of_with_closes_the_connections_of_all_threads() -> None:
    together = threading.Barrier(3, timeout=PATIENCE)

    def answer_together(peer: Peer) -> None:
        peer.request()
        together.wait()
        peer.send(POINT)
        peer.request()

    with misbehaving(*[answer_together] * 3) as service:
        with timetric.TimetricClient({**TOKEN, "url": service.url}) as client:
            series = client.series(ID)
            with ThreadPoolExecutor(3) as threads:
                asked = [threads.submit(series.latest) for _ in range(3)]
                assert [future.result() for future in asked] == [(1.0, 2.0)] * 3
            assert not service.closed.acquire(blocking=False)  # they wait for more
        for _ in range(3):
            service.wait_for_close()


# other limits


@contextmanager
def client_of(
    *behaviours: Behaviour, config: dict[str, str] = TOKEN, **limits: float
) -> Iterator[tuple[timetric.TimetricClient, Service]]:
    """A client of a service that misbehaves so."""
    with (
        misbehaving(*behaviours) as service,
        timetric.TimetricClient({**config, "url": service.url}, **limits) as client,
    ):
        yield client, service


def test_a_call_can_have_a_deadline_of_its_own_over_the_same_connection() -> None:
    with client_of(answer(POINT, POINT, POINT)) as (client, service):
        assert client.series(ID).latest() == (1.0, 2.0)
        assert client.within(5).series(ID).latest() == (1.0, 2.0)
        assert client.series(ID).within(5, timeout=1, retries=0).latest() == (1.0, 2.0)
    assert service.connections == 1


@pytest.mark.parametrize("limits", [{"deadline": 0.3}, {"timeout": 0.3}])
def test_the_limits_of_a_call_are_met(limits: dict[str, float]) -> None:
    began = time.monotonic()
    with misbehaving(keep_silent, keep_silent) as service:
        client = timetric.TimetricClient({**TOKEN, "url": service.url}, retries=0)
        for call in (client.within(**limits).series(ID).latest, _latest(client, limits)):
            with pytest.raises(timetric.DeadlineExceeded, match=r"0\.3 s"):
                call()
        assert time.monotonic() - began < PATIENCE / 2


def _latest(client: timetric.TimetricClient, limits: dict[str, float]) -> Callable[[], object]:
    return client.series(ID).within(**limits).latest


def test_what_is_not_given_stays_as_it_is() -> None:
    client = timetric.TimetricClient(TOKEN, timeout=3, deadline=7, retries=2, max_wait=1)
    assert client.within(5, retries=0).transport.limits == (3, 5, 0, 1)
    assert client.within(5).within(timeout=1, max_wait=0).transport.limits == (1, 5, 2, 0)
    assert client.transport.limits == (3, 7, 2, 1)


@pytest.mark.parametrize(
    "limits",
    [
        {"deadline": 0},
        {"timeout": -1},
        {"deadline": float("nan")},
        {"timeout": float("inf")},
        {"retries": -1},
        {"retries": 1.5},
        {"max_wait": -1},
    ],
)
def test_limits_that_can_not_be_meant_are_refused(limits: dict[str, float]) -> None:
    name = next(iter(limits))
    with pytest.raises(timetric.ConfigError, match=name):
        timetric.TimetricClient(TOKEN).within(**limits)
    with pytest.raises(ValueError, match=name):
        timetric.TimetricClient(TOKEN, **limits)


def test_max_wait_bounds_what_a_service_may_ask_for() -> None:
    busy = http("503 Busy", retry_after="1")
    with client_of(answer(busy, busy, POINT), max_wait=0.5) as (client, _):
        with pytest.raises(timetric.ServiceUnavailable):
            client.series(ID).latest()
        assert client.within(max_wait=2).series(ID).latest() == (1.0, 2.0)


# OAuth


def test_threads_whose_clock_is_wrong_are_all_put_right() -> None:
    """The first correction must not make the others' refusals look final."""
    together = threading.Barrier(4, timeout=PATIENCE)
    refused = http(
        "401 Unauthorized",
        b'{"detail": "timestamp_refused"}',
        content_type="application/problem+json",
        date=formatdate(time.time() + 3600, usegmt=True),
    )

    def refuse_together(peer: Peer) -> None:
        peer.request()
        together.wait()
        peer.send(refused)
        peer.request()
        peer.send(POINT)
        peer.request()

    with client_of(*[refuse_together] * 4, config=OAUTH, retries=0) as (client, _):
        series = client.series(ID)
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(series.latest) for _ in range(4)]
            assert [future.result() for future in asked] == [(1.0, 2.0)] * 4


def test_the_second_attempt_of_a_corrected_clock_is_within_the_same_deadline() -> None:

    def refuse_late(peer: Peer) -> None:
        peer.request()
        peer.over.wait(0.7)
        date = formatdate(time.time() + 3600, usegmt=True)
        peer.send(http("401 No", www_authenticate="timestamp_refused", date=date))
        peer.request()
        peer.over.wait(0.7)
        peer.send(POINT)

    late = client_of(refuse_late, config=OAUTH, deadline=1)
    with late as (client, _), pytest.raises(timetric.DeadlineExceeded, match="deadline of 1 s"):
        client.series(ID).latest()
