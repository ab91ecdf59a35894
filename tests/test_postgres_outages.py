"""The service while its database is killed, away, slow, full, or has too few connections."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from tests.postgres import Databases, NoServer, Server, running_server
from tests.test_kills import CSV, FORM, Counter, Lane, Service, Writer, check_count
from tests.test_storage import IDS, make, read
from timetric.server.columns import Columns
from timetric.server.receipt import Receipt
from timetric.server.storage import Full, Storage, Unavailable, Window, open_storage
from timetric.server.storage.postgres import PostgresStorage
from timetric.server.storage.postgres.database import PostgresDatabase

DURABLE = {"fsync": "on", "full_page_writes": "on"}


@pytest.fixture
def server() -> Iterator[Server]:
    """One that a test may kill."""
    try:
        with running_server(**DURABLE) as started:
            yield started
    except NoServer as error:
        pytest.skip(f"no PostgreSQL server: {error}")


@pytest.fixture
def service(tmp_path: Path, server: Server) -> Iterator[Service]:
    running = Service(tmp_path, place=server.url())
    yield running
    running.kill()


class Stubborn(threading.Thread):
    """Sends a writer's writes until each is acknowledged, by the same key while it is not."""

    def __init__(self, writer: Writer, service: Service) -> None:
        super().__init__()
        self.writer, self.service = writer, service
        self.stop = threading.Event()
        self.refused: set[int] = set()

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            method, body, kind = self.writer.next_write()
            number += 1
            key = {"Idempotency-Key": f"{id(self)}-{number}"}
            status, reply = self.service.send(method, self.writer.path, body, kind, **key)
            while status == 503:
                self.refused.add(status)
                time.sleep(0.05)
                status, reply = self.service.send(method, self.writer.path, body, kind, **key)
            self.writer.acknowledge(status, reply)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_kill_of_the_database_loses_and_doubles_nothing(server: Server, service: Service) -> None:
    """The service lives on, and clients repeat with their keys what was not acknowledged."""
    lanes, count = service.create(), service.create()
    chance = random.Random(1)
    counters = [Counter(count, chance) for _ in range(2)]
    writers = [*(Lane(lanes, random.Random(n), n) for n in range(4)), *counters]
    threads = [Stubborn(writer, service) for writer in writers]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(chance.uniform(0.5, 1.5))
        server.kill()
        time.sleep(0.2)
        server.start()
    time.sleep(0.5)
    for thread in threads:
        thread.stop.set()
        thread.join(60)
    assert any(thread.refused for thread in threads)
    assert all(writer.acknowledged > 5 for writer in writers)
    for writer in writers[:4]:
        writer.settle(service.points(lanes))
    for counter in counters:
        counter.cut_off = None  # each was repeated until it was acknowledged
    check_count(service.points(count), counters)
    with_store = open_storage(server.url())
    assert list(with_store.check()) == []
    with_store.close()


def test_while_the_database_is_away_all_are_asked_to_come_back(
    server: Server, service: Service
) -> None:
    path = service.create()
    assert service.send("POST", path, "1,2\n")[0] == 204
    server.stop()
    for method, address, body in (("GET", f"{path}csv/", ""), ("POST", path, "2,3\n")):
        connection = service.connect()
        connection.request(method, address, body, {**service.headers, "Content-Type": CSV})
        reply = connection.getresponse()
        reply.read()
        connection.close()
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) > 0
    assert service.send("GET", "/health")[0] == 503
    server.start()
    assert service.send("GET", "/health")[0] == 200
    assert service.send("POST", path, "value=3&timestamp=2", FORM)[0] == 204
    assert service.points(path) == {1.0: 2.0, 2.0: 3.0}


def storage_of(url: str, **limits: float) -> Storage:
    return PostgresStorage(PostgresDatabase(url, **limits))  # type: ignore[arg-type]


def test_who_waits_too_long_for_a_series_is_asked_to_come_back(postgres: str) -> None:
    """Another process may hang while it writes; others are not held up with it."""
    storage = storage_of(postgres, timeout=0.5)
    owner = storage.accounts.add_user("owner", 1.0)
    series, other = make(storage, IDS[0], owner), make(storage, IDS[1], owner)
    with psycopg.connect(postgres) as hanging:
        hanging.execute("SELECT FROM states WHERE series = %s FOR UPDATE", [series.key])
        with pytest.raises(Unavailable):
            storage.append(series, 1.0, 5.0)
        assert storage.append(other, 1.0, 5.0).added == 1
        assert read(storage, series) == []
    assert storage.append(series, 1.0, 5.0).added == 1
    storage.close()


def test_many_writers_share_few_connections(postgres: str) -> None:
    storage = storage_of(postgres, most=2)
    series = make(storage, IDS[0], storage.accounts.add_user("owner", 1.0))

    def write(n: int) -> Receipt:
        t = np.arange(n * 1000.0, n * 1000 + 300)
        storage.merge(series, Columns(t, t), 5.0)
        return storage.increment(series, 1.0, 1e6)

    with ThreadPoolExecutor(8) as pool:
        assert sum(receipt.added for receipt in pool.map(write, range(16))) == 16
    assert storage.series(series.id).points == 16 * 301
    assert list(storage.check()) == []
    storage.close()


def test_a_connection_that_ends_within_a_write_leaves_nothing_of_it(
    postgres_databases: Databases,
) -> None:
    url = postgres_databases.new()
    storage = open_storage(url)
    series = make(storage, IDS[0], storage.accounts.add_user("owner", 1.0))
    t = np.arange(200_000.0)

    def end_all() -> None:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    ended = 0
    for n in range(10):
        timer = threading.Timer(0.02 * n, end_all)
        timer.start()
        try:
            storage.replace(series, Columns(t, t + n), 5.0)
        except Unavailable:
            ended += 1
        timer.join()
        values = {v - t for t, v in read(storage, series)}
        assert len(values) <= 1, "the whole of one write stands"
    assert list(storage.check()) == []
    storage.close()
    postgres_databases.drop(url)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 32 MiB that is the database's user's."""
    directory = Path(tempfile.mkdtemp(prefix="timetric-small-"))  # pytest's are closed to others
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", directory])
    if mounted.returncode:
        directory.rmdir()
        pytest.skip("only root can make a file system that gets full")
    shutil.chown(directory, "nobody")
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)
    directory.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system that gets full")
def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(
    server: Server, small_disk: Path
) -> None:
    with psycopg.connect(server.url(), autocommit=True) as db:
        db.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        db.execute("CREATE DATABASE small TABLESPACE small")
    with psycopg.connect(server.url("small"), autocommit=True) as db:
        db.execute("CREATE SCHEMA filler")
        db.execute(
            "CREATE TABLE filler.filler AS SELECT repeat(md5(n::text), 20) AS words"
            " FROM generate_series(1, 8000) AS n"
        )
    with closing(open_storage(server.url("small"))) as store:
        owner = store.accounts.add_user("owner", 1.0)
        series = make(store, IDS[0], owner)
        chance, written = np.random.default_rng(1), 0
        with pytest.raises(Full):
            while written < 10_000_000:
                t = written + np.arange(50_000.0)
                store.merge(series, Columns(t, chance.standard_normal(50_000)), 2.0)
                written += 50_000
        assert written
        kept = [piece.t for piece in store.read(series, Window())]
        assert np.concatenate(kept).tolist() == list(range(written))
        with psycopg.connect(server.url("small"), autocommit=True) as db:
            db.execute("DROP TABLE filler.filler")
        t = written + np.arange(1000.0)
        store.merge(series, Columns(t, t), 3.0)
        assert store.latest(series) == (written + 999.0, written + 999.0)
        assert list(store.check()) == []
    with psycopg.connect(server.url(), autocommit=True) as db:
        db.execute("DROP DATABASE small WITH (FORCE)")
        db.execute("DROP TABLESPACE small")
