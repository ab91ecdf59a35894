"""A spool against a service that misbehaves, and on a disk that does."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs

import pytest

import timetric
from tests.conftest import RunningService
from tests.misbehaving import (
    STORED,
    Service,
    answer,
    answer_and_close,
    http,
    keep_silent,
    misbehaving,
    vanish,
)
from tests.proxy import misbehaving_proxy
from timetric.spool import Spool
from timetric.testing import Clock

ID = "p-DpewL0TO-iBE4nMBCTsQ"
NOON = 1236772800.0
CONFIG = {"authtype": "apitoken", "apitoken_key": "a-key", "apitoken_secret": "a-secret"}


unavailable = answer_and_close(http("503 Service Unavailable"))


def client_of(service: Service) -> timetric.TimetricClient:
    return timetric.TimetricClient({"url": service.url, **CONFIG})


def problem(status: str, **headers: str) -> bytes:
    body = b'{"status": 0, "detail": "The service says no."}'
    return http(status, body, content_type="application/problem+json", **headers)


@contextmanager
def spooling(
    service: Service, path: Path, clock: Clock | None = None, **options: Any
) -> Iterator[tuple[Spool, timetric.Series]]:
    client = client_of(service)
    spool = client.spool(path / "spool", clock=clock or Clock(NOON), **options)
    yield spool, client.series(ID)
    spool.close()
    client.close()


def sent(service: Service) -> list[str]:
    """The values and increments that came, in order."""
    forms = [parse_qs(request.body.decode()) for request in service.requests]
    return [(form.get("value") or form["increment"])[0] for form in forms]


def keys(service: Service) -> list[str]:
    return [request.headers["idempotency-key"] for request in service.requests]


def test_what_is_sent_at_once_waits_no_more(tmp_path: Path) -> None:
    with misbehaving(answer(*[STORED] * 3)) as service, spooling(service, tmp_path) as (q, series):
        q.update(series, 21.4)
        q.increment(series, 2)
        q.update(series, [(NOON, 1)], on_conflict="keep")
        assert (q.pending, q.parked, q.error) == (0, [], None)
        value, increment, pairs = service.requests
        assert value.body == f"value=21.4&timestamp={NOON}".encode()
        assert increment.body == b"increment=2.0"
        assert pairs.body == f"{NOON},1.0\n".encode()
        assert pairs.target == f"/series/{ID}/?on_conflict=keep"


def test_a_lost_answer_is_asked_for_again_with_its_key(tmp_path: Path) -> None:
    with misbehaving(vanish, answer(STORED)) as service, spooling(service, tmp_path) as (q, series):
        q.increment(series, 1)
        assert q.pending == 1
        assert isinstance(q.error, timetric.TimetricClientError)
        q.flush()
        assert (q.pending, q.error) == (0, None)
        assert len(set(keys(service))) == 1
        first, second = service.requests
        assert (first.body, first.target) == (second.body, second.target)


def test_while_the_service_fails_writes_are_kept_in_order_and_it_is_left_in_peace(
    tmp_path: Path,
) -> None:
    failing, working = unavailable, answer(*[STORED] * 4)
    with misbehaving(failing, working) as service, spooling(service, tmp_path) as (q, series):
        for value in range(4):
            q.update(series, value)
        assert (q.pending, len(service.requests)) == (4, 1)  # one attempt, and then a rest
        service.wait_for_close()
        q.flush()
        assert q.pending == 0
        assert [float(value) for value in sent(service)] == [0.0, 0.0, 1.0, 2.0, 3.0]
        assert len(set(keys(service))) == 4


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem("401 Unauthorized"), timetric.NotAuthorized),
        (problem("429 Too Many Requests", retry_after="99"), timetric.RateLimited),
        (problem("500 Internal Server Error"), timetric.ServiceError),
        (problem("503 Service Unavailable", retry_after="99"), timetric.ServiceUnavailable),
        (problem("507 Insufficient Storage"), timetric.ServiceError),
        (problem("409 Conflict", retry_after="1"), timetric.WriteInDoubt),  # it is still at it
        (http("404 Not Found", b"<h1>nginx</h1>", content_type="text/html"), timetric.NotFound),
        (http("200 OK", b"<h1>Buy hours!</h1>"), timetric.BadReply),
        (http("302 Found", location="http://hotel/"), timetric.TimetricClientError),
    ],
)
def test_what_may_pass_keeps_a_write(tmp_path: Path, reply: bytes, kind: type[Exception]) -> None:
    behaviours = answer_and_close(reply), answer_and_close(reply), answer(STORED)
    with misbehaving(*behaviours) as service, spooling(service, tmp_path) as (q, series):
        q.update(series, 1)
        assert isinstance(q.error, timetric.TimetricClientError)
        assert kind in (type(q.error), type(q.error.__cause__))  # a WriteInDoubt names its cause
        service.wait_for_close()
        q.client = q.client.within(retries=0)
        with pytest.raises(type(q.error)):
            q.flush()
        service.wait_for_close()
        assert (q.pending, q.parked) == (1, [])
        q.flush()
        assert (q.pending, q.parked, q.error) == (0, [], None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", "BadRequest"),
        ("403 Forbidden", "Forbidden"),
        ("404 Not Found", "NotFound"),
        ("409 Conflict", "Conflict"),
        ("413 Content Too Large", "TooLarge"),
        ("422 Unprocessable Content", "BadRequest"),
    ],
)
def test_what_is_refused_for_good_is_parked_and_blocks_nothing(
    tmp_path: Path, status: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    working = answer(problem(status), STORED, STORED)
    with misbehaving(working) as service, spooling(service, tmp_path) as (q, series):
        q.update(series, 1)
        q.update(series, 2)
        assert q.pending == 0
        [parked] = q.parked
        assert parked.reason == f"{kind}: The service says no."
        assert parked.queued == NOON
        assert parked.write.path == f"series/{ID}/"
        assert parked.reason in caplog.text

        q.requeue(parked)
        q.flush()
        assert (q.pending, q.parked) == (0, [])
        assert keys(service)[0] == keys(service)[2] != keys(service)[1]


def test_a_parked_write_can_be_discarded(tmp_path: Path) -> None:
    working = answer(problem("404 Not Found"))
    with misbehaving(working) as service, spooling(service, tmp_path) as (q, series):
        q.update(series, 1)
        [parked] = q.parked
        q.discard(parked)
        q.discard(parked)
        q.requeue(parked)
        assert (q.pending, q.parked) == (0, [])


def test_a_write_whose_key_may_be_forgotten_is_parked_unsent(tmp_path: Path) -> None:
    clock = Clock(NOON)
    working = vanish, answer(STORED, STORED)
    with misbehaving(*working) as service, spooling(service, tmp_path, clock) as (q, series):
        q.increment(series, 1)  # perhaps it is stored
        clock.advance("29d")
        clock.advance("1s")
        q.increment(series, 2)
        q.flush()
        assert sent(service) == ["1.0", "2.0"]
        [parked] = q.parked
        assert "its key forgotten" in parked.reason
        q.requeue(parked)  # who does that has looked
        q.flush()
        assert (q.pending, q.parked) == (0, [])
        assert keys(service)[2] == keys(service)[0]


def test_a_write_of_29_days_is_sent(tmp_path: Path) -> None:
    clock = Clock(NOON)
    working = vanish, answer(STORED)
    with misbehaving(*working) as service, spooling(service, tmp_path, clock) as (q, series):
        q.increment(series, 1)
        clock.advance("29d")
        q.flush()
        assert (q.pending, q.parked, len(service.requests)) == (0, [], 2)


def test_a_value_is_stamped_when_it_is_queued(tmp_path: Path) -> None:
    clock = Clock(NOON)
    failing, working = unavailable, answer(*[STORED] * 5)
    with (
        misbehaving(failing, working) as service,
        spooling(service, tmp_path, clock) as (q, series),
    ):
        q.update(series, 1)
        q.update(series, 2)  # by a clock that stands still: not in the place of the first
        clock.advance("1h")
        q.update(series, 3, at="2009-03-10")
        q.update(series, 4)
        clock.advance(-1800)  # set right
        q.update(series, 5)
        clock.advance("1d")
        service.wait_for_close()
        q.flush()
        stamps = [float(parse_qs(r.body.decode())["timestamp"][0]) for r in service.requests[1:]]
        assert stamps[0] == NOON
        assert NOON < stamps[1] < NOON + 0.001
        assert stamps[2:] == [1236643200.0, NOON + 3600, NOON + 1800]


def test_a_peer_that_keeps_silent_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    behaviours = keep_silent, keep_silent
    with misbehaving(*behaviours) as service, spooling(service, tmp_path, deadline=0.1) as (q, s):
        q.update(s, 1)
        assert isinstance(q.error, timetric.TimetricClientError)
        with pytest.raises(timetric.TimetricClientError):
            q.flush(0.1)
        assert q.pending == 1


def test_the_rest_stays_for_the_next_time(tmp_path: Path) -> None:
    """Another program that uses the file later, after one whose service was away to its end."""
    failing = [unavailable] * 2
    with misbehaving(*failing, answer(STORED, STORED)) as service:
        client = client_of(service)
        with client.spool(tmp_path / "spool") as q:
            q.update(client.series(ID), 1)
            q.update(client.series(ID), 2)
            service.wait_for_close()
        assert len(service.requests) == 2  # also when the block ended
        service.wait_for_close()
        with client.spool(tmp_path / "spool") as q:
            assert q.pending == 2
        with client.spool(tmp_path / "spool") as q:
            assert q.pending == 0
        client.close()


def test_a_block_that_fails_sends_no_more_and_loses_nothing(tmp_path: Path) -> None:
    with misbehaving(unavailable) as service:
        client = client_of(service)
        with pytest.raises(ZeroDivisionError), client.spool(tmp_path / "spool") as q:
            q.update(client.series(ID), 1)
            raise ZeroDivisionError
        assert len(service.requests) == 1
        with client.spool(tmp_path / "spool") as q:
            assert q.pending == 1
        client.close()


def test_threads_share_a_spool(tmp_path: Path) -> None:
    with misbehaving(*[answer(*[STORED] * 80)] * 8) as service:
        with spooling(service, tmp_path) as (q, series), ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda value: q.update(series, value), range(80)))
            assert (q.pending, q.parked) == (0, [])
        assert sorted(map(float, sent(service))) == [float(value) for value in range(80)]
        assert len(set(keys(service))) == 80


def test_bad_input_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    with misbehaving() as service, spooling(service, tmp_path) as (q, series):
        with pytest.raises(timetric.InvalidPoint):
            q.update(series, float("nan"))
        with pytest.raises(timetric.InvalidPoint, match="item 1"):
            q.update(series, [(1, 2), ("never", 3)])
        with pytest.raises(timetric.InvalidPoint):
            q.update(series, 1, at="never")
        with pytest.raises(ValueError, match="at"):
            q.update(series, [(1, 2)], at=3)
        with pytest.raises(timetric.InvalidPoint):
            q.increment(series, True)
        with pytest.raises(timetric.BadRequest, match="perhaps"):
            q.update(series, 1, on_conflict="perhaps")
        assert (q.pending, service.connections) == (0, 0)


def test_another_service_gets_nothing_of_it(tmp_path: Path) -> None:
    with misbehaving(vanish) as service, misbehaving() as other:
        with spooling(service, tmp_path) as (q, series):
            q.update(series, 1)
            with pytest.raises(timetric.ConfigError, match="is not of the service"):
                q.update(client_of(other).series(ID), 1)
        with pytest.raises(timetric.SpoolError, match=f"holds writes for {service.url}/"):
            client_of(other).spool(tmp_path / "spool")
        assert other.connections == 0


def test_the_files_are_of_mode_0600_and_hold_no_credential(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with misbehaving(vanish) as service, spooling(service, tmp_path) as (q, series):
            q.update(series, 21.4)
            files = {file: file.read_bytes() for file in tmp_path.iterdir()}
            modes = {stat.S_IMODE(file.stat().st_mode) for file in files}
            assert "a-secret" not in f"{q!r} {q.parked!r}"
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert any(b"21.4" in content for content in files.values())
    assert not any(b"a-secret" in content or b"a-key" in content for content in files.values())


def test_a_full_spool_says_so_and_keeps_nothing_of_what_has_no_room(tmp_path: Path) -> None:
    with misbehaving(vanish, answer(*[STORED] * 5)) as service:
        with spooling(service, tmp_path, max_bytes=1200) as (q, series):
            for value in range(4):
                q.update(series, value)
            for _ in range(3):
                with pytest.raises(timetric.SpoolFull, match="4 writes wait and 0 are parked"):
                    q.update(series, 4)
            assert q.pending == 4
            q.flush()
            with pytest.raises(timetric.SpoolFull):
                q.update(series, [(number, 0) for number in range(1000)])
            q.update(series, 5)
            assert q.pending == 0
        assert [float(value) for value in sent(service)] == [0, 0, 1, 2, 3, 5]


def test_a_full_spool_makes_room_when_the_service_is_back(tmp_path: Path) -> None:
    with misbehaving(vanish, answer(*[STORED] * 5)) as service:
        with spooling(service, tmp_path, max_bytes=1200) as (q, series):
            for value in range(4):
                q.update(series, value)
        with spooling(service, tmp_path, max_bytes=1200) as (q, series):
            q.update(series, 4)
            assert q.pending == 0


@pytest.mark.parametrize("kind", ["directory", "nowhere", "text", "database"])
def test_a_path_that_can_be_no_spool_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "directory":
        path.mkdir()
    if kind == "nowhere":
        path = path / "spool"
    if kind == "text":
        path.write_bytes(b"no database " * 500)
    if kind == "database":
        another = sqlite3.connect(path)
        another.execute("CREATE TABLE mine (it TEXT)")
        another.close()
    with misbehaving() as service, pytest.raises(timetric.SpoolError, match=str(path)):
        client_of(service).spool(path)
    if kind == "database":
        again = sqlite3.connect(path)
        assert again.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        again.close()


def test_a_damaged_file_raises_and_sends_nothing(tmp_path: Path) -> None:
    with misbehaving(vanish) as service:
        with spooling(service, tmp_path) as (q, series):
            for value in range(300):
                q.update(series, value)
        spool = tmp_path / "spool"
        content = spool.read_bytes()
        spool.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
        with (
            pytest.raises(timetric.SpoolError, match="malformed"),
            spooling(service, tmp_path) as (q, series),
        ):
            q.update(series, 1)
        assert len(service.requests) == 1


LIMITED = """
import os, resource, signal, sys
import timetric.spool
path, kind = sys.argv[1:]
config = {"url": "http://127.0.0.1:9/", "authtype": "apitoken"}
config.update(apitoken_key="a-key", apitoken_secret="a-secret")
client = timetric.TimetricClient(config)
series = client.series("p-DpewL0TO-iBE4nMBCTsQ")
kept = 0
if kind == "small":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
elif os.geteuid() == 0:
    os.setuid(65534)
try:
    spool = client.spool(path)
    while True:
        spool.update(series, [(number, kept) for number in range(1000)])
        kept += 1
except timetric.SpoolError as error:
    print(kept, error)
"""


def limited(path: Path, kind: str) -> str:
    """How many writes were kept before the error, and the error."""
    command = [sys.executable, "-c", LIMITED, str(path), kind]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def away() -> timetric.TimetricClient:
    """A client of a service that is not there."""
    return timetric.TimetricClient({"url": "http://127.0.0.1:9/", **CONFIG})


def test_a_full_disk_raises_and_what_was_kept_stays(tmp_path: Path) -> None:
    kept, _, error = limited(tmp_path / "spool", "small").partition(" ")
    assert error.startswith(f"the spool {tmp_path / 'spool'} can't be used: ")
    spool = away().spool(tmp_path / "spool")
    assert spool.pending == int(kept) > 2
    spool.close()


@pytest.mark.parametrize("there", [True, False])
def test_a_spool_that_may_not_be_written_raises(there: bool) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "spool")
        if there:
            away().spool(path).close()
        for file in (*path.parent.iterdir(), path.parent):
            file.chmod(0o555)
        kept, _, error = limited(path, "readonly").partition(" ")
        path.parent.chmod(0o755)
    assert kept == "0"
    assert error.startswith(f"the spool {path} can't be used: ")


def test_a_process_that_forked_off_uses_the_spool_too(tmp_path: Path) -> None:
    with misbehaving(vanish) as service, spooling(service, tmp_path) as (q, series):
        q.update(series, 1)
        child = os.fork()
        if child == 0:  # no test goes on here
            q.update(series, 2)
            os._exit(q.pending)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
        q.update(series, 3)
        assert q.pending == 3


def test_increments_through_a_network_at_its_worst_come_out_exact_and_in_order(
    service: RunningService, series: timetric.Series, tmp_path: Path
) -> None:
    with misbehaving_proxy(service.url, seed=3) as (url, proxy):
        client = timetric.TimetricClient({**service.config, "url": url}, retries=1)
        with client.spool(tmp_path / "spool") as q:
            for _ in range(200):
                q.increment(client.series(series.id), 1)
            while q.pending:
                with suppress(timetric.TimetricClientError):
                    q.flush()
            assert q.parked == []
        client.close()
    assert len(set(proxy.met)) > 4
    assert [value for _, value in series] == [float(number) for number in range(1, 201)]
