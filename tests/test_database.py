"""Writes that are committed together: what becomes of the others when one fails."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from timetric.server.storage import Full, StorageError
from timetric.server.storage.sqlite.database import Database

HANG = 30  # seconds after which a test gives up

Job = Callable[[sqlite3.Connection], Any]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "numbers.sqlite3")
    database.write(lambda db: db.execute("CREATE TABLE numbers(n, filling)"))
    yield database
    database.close()


def together(database: Database, *jobs: Job) -> list[Future[Any]]:
    """Jobs that come, in this order, while another commits: they wait, and are one batch then."""
    goes_on = threading.Event()
    with ThreadPoolExecutor(len(jobs) + 1) as pool:
        pool.submit(database.write, lambda db: goes_on.wait(HANG))
        futures = []
        for job in jobs:
            time.sleep(0.02)  # to the end of the queue
            futures.append(pool.submit(database.write, job))
        time.sleep(0.02)
        goes_on.set()
    return futures


def put(n: int) -> Job:
    return lambda db: db.execute("INSERT INTO numbers VALUES (?, NULL)", (n,)).rowcount


def numbers(database: Database) -> list[int]:
    with database.reading() as db:
        return [n for (n,) in db.execute("SELECT n FROM numbers ORDER BY rowid")]


def refuse(db: sqlite3.Connection) -> None:
    put(-1)(db)
    raise StorageError("not this one")


def fill_the_disk(db: sqlite3.Connection) -> None:
    put(-1)(db)
    db.execute("PRAGMA max_page_count = 100")
    db.execute("INSERT INTO numbers VALUES (-1, zeroblob(1000000))")


def break_a_rule(db: sqlite3.Connection) -> None:
    put(-1)(db)
    db.execute("INSERT INTO nowhere VALUES (1)")


def run_out_of_scratch_space(db: sqlite3.Connection) -> None:
    put(-1)(db)
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("job", "error"),
    [
        (refuse, StorageError),
        (fill_the_disk, Full),
        (break_a_rule, sqlite3.OperationalError),
        (run_out_of_scratch_space, OSError),
    ],
)
def test_a_write_fails_for_itself(
    database: Database, job: Job, error: type[Exception], place: int
) -> None:
    jobs = [put(1), put(2), put(3)]
    jobs.insert(place, job)
    futures = together(database, *jobs)
    assert type(futures.pop(place).exception()) is error
    assert [future.result() for future in futures] == [1, 1, 1]
    assert sorted(numbers(database)) == [1, 2, 3]
    assert database.write(put(4)) == 1


def test_several_that_fail_leave_nobody_waiting(database: Database) -> None:
    jobs = [break_a_rule, put(1), fill_the_disk, fill_the_disk, put(2), refuse]
    errors = [type(future.exception()) for future in together(database, *jobs)]
    assert errors == [sqlite3.OperationalError, type(None), Full, Full, type(None), StorageError]
    assert sorted(numbers(database)) == [1, 2]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_thread_that_ends_unforeseen_leaves_the_others_to_commit(
    database: Database, error: type[BaseException]
) -> None:
    def fail(db: sqlite3.Connection) -> None:
        put(-1)(db)
        raise error

    failed, *others = together(database, fail, put(1), put(2))
    assert type(failed.exception()) is error
    assert [future.result() for future in others] == [1, 1]
    assert sorted(numbers(database)) == [1, 2]


def test_threads_and_connections_of_several_stores_commit_everything(tmp_path: Path) -> None:
    stores = [Database(tmp_path / "numbers.sqlite3") for _ in range(3)]
    stores[0].write(lambda db: db.execute("CREATE TABLE numbers(n, filling)"))
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(stores[n % 3].write, put(n)) for n in range(600)]
    assert [future.result() for future in futures] == [1] * 600
    assert sorted(numbers(stores[0])) == list(range(600))
    for store in stores:
        store.close()


def test_what_was_refused_beside_a_failure_may_be_stored_after_it(database: Database) -> None:
    refusals = iter([StorageError("not yet")])

    def hesitate(db: sqlite3.Connection) -> Any:
        for refusal in refusals:
            raise refusal
        return put(1)(db)

    hesitated, failed = together(database, hesitate, fill_the_disk)
    assert type(failed.exception()) is Full
    assert hesitated.result() == 1
    assert numbers(database) == [1]
