"""Attempts that several processes count together, by a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from tests.postgres import NoServer, running_server
from tests.service import NOON, Clock
from timetric.server.attempts import SIGN_IN, Allowance, Attempts, TooMany
from timetric.server.storage import Storage, open_storage

MANY = Allowance("requests", 1000, 60)


@pytest.fixture
def storage(postgres: str) -> Iterator[Storage]:
    with closing(open_storage(postgres)) as storage:
        yield storage


def processes(storage: Storage, clock: Clock, count: int) -> list[Attempts]:
    """What each of so many processes counts by."""
    assert storage.attempts is not None
    return [Attempts(clock, storage.attempts) for _ in range(count)]


def tried(attempts: Attempts, allowance: Allowance, by: str = "192.0.2.1 owner") -> int:
    """How many are let through."""
    done = 0
    with suppress(TooMany):
        while done < 2 * allowance.most:
            attempts.count(allowance, by)
            done += 1
    return done


def test_guesses_are_as_few_for_several_processes_as_for_one(storage: Storage) -> None:
    clock = Clock()
    first, second, third = processes(storage, clock, 3)
    for _ in range(4):
        first.count(SIGN_IN, "192.0.2.1 owner")
    assert tried(second, SIGN_IN) == 6
    with pytest.raises(TooMany) as caught:
        third.count(SIGN_IN, "192.0.2.1 owner")
    assert caught.value.retry_after == 90
    assert tried(third, SIGN_IN, "192.0.2.1 other") == 10
    clock.advance(180)
    assert tried(first, SIGN_IN) == 2
    assert tried(third, SIGN_IN) == 0


def test_what_one_gives_back_the_others_have(storage: Storage) -> None:
    first, second = processes(storage, Clock(), 2)
    for _ in range(20):  # as by who signs in with the right password, time and again
        first.count(SIGN_IN, "192.0.2.1 owner")
        first.give_back(SIGN_IN, "192.0.2.1 owner")
    assert tried(second, SIGN_IN) == 10


def test_requests_are_counted_together_loosely(storage: Storage) -> None:
    """Each keeps a twentieth to itself, so that hardly any waits for the database."""
    first, second = processes(storage, Clock(), 2)
    done = sum(tried(each, MANY) for each in (first, second, first, second))
    assert 1000 <= done <= 1000 * 1.1


def test_threads_of_several_processes_are_all_counted(storage: Storage) -> None:
    several = processes(storage, Clock(), 3)
    with ThreadPoolExecutor(12) as pool:
        counts = pool.map(lambda n: tried(several[n % 3], SIGN_IN), range(12))
    assert 1 <= sum(counts) <= 10  # some may be refused that came at the same moment


def test_what_is_whole_again_is_forgotten(storage: Storage, postgres: str) -> None:
    import psycopg

    clock = Clock()
    (attempts,) = processes(storage, clock, 1)
    for n in range(150):
        attempts.count(SIGN_IN, f"192.0.2.1 user{n}\0")
    clock.advance(10_000)
    for n in range(3):
        attempts.count(SIGN_IN, f"192.0.2.1 later{n}")
    with psycopg.connect(postgres) as db:
        assert db.execute("SELECT count(*) FROM attempts").fetchone() == (3,)


def test_without_the_database_each_counts_for_itself() -> None:
    try:
        with running_server() as server, closing(open_storage(server.url())) as storage:
            first, second = processes(storage, Clock(NOON), 2)
            assert tried(first, SIGN_IN) == 10
            server.stop()
            assert tried(second, SIGN_IN) == 10
            server.start()
            with pytest.raises(TooMany):
                second.count(SIGN_IN, "192.0.2.1 owner")
    except NoServer as error:
        pytest.skip(f"no PostgreSQL server: {error}")
