"""The PostgreSQL engine's ground: transactions, connections that are lost, and who makes tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.postgres import HANG, Databases, NoServer, Server, running_server

psycopg = pytest.importorskip("psycopg")

from timetric.server.storage import StorageError, Unavailable  # noqa: E402
from timetric.server.storage.postgres.database import PostgresDatabase  # noqa: E402
from timetric.server.storage.postgres.migrations import VERSION, migrate  # noqa: E402

PUT = "INSERT INTO numbers VALUES (%s)"
ALL = "SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM numbers"


@pytest.fixture
def database(postgres: str) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(postgres)) as database:
        database.write(lambda db: db.execute("CREATE TABLE numbers(n integer PRIMARY KEY)"))
        yield database


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that tests stop and kill."""
    try:
        with running_server() as server:
            yield server
    except NoServer as error:
        pytest.skip(f"no PostgreSQL server: {error}")


def numbers(database: PostgresDatabase) -> Any:
    return database.row(ALL)[0]


def put(database: PostgresDatabase, n: int) -> None:
    database.write(lambda db: db.execute(PUT, (n,)))


def test_a_write_is_whole_or_nothing(database: PostgresDatabase) -> None:
    def job(db: Any) -> None:
        db.execute(PUT, (2,))
        raise StorageError("no")

    put(database, 1)
    with pytest.raises(StorageError, match="no"):
        database.write(job)
    with pytest.raises(psycopg.errors.UndefinedTable):  # a bug stays one
        database.write(lambda db: db.execute("SELECT * FROM nowhere"))
    assert numbers(database) == [1]


def test_a_reader_sees_one_state_and_changes_nothing(database: PostgresDatabase) -> None:
    with database.reading() as db:
        assert db.execute(ALL).fetchone() == ([],)
        put(database, 1)
        assert db.execute(ALL).fetchone() == ([],)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            db.execute(PUT, (2,))
    assert numbers(database) == [1]


def test_serial_writes_are_as_if_one_came_after_the_other(database: PostgresDatabase) -> None:
    """Each adds the number after those it sees: side by side, two would see the same."""

    def job(db: Any) -> None:
        (count,) = db.execute("SELECT count(*) FROM numbers").fetchone()
        db.execute(PUT, (count,))

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(database.write, job, isolation="serial") for _ in range(20)]
    assert [future.result() for future in done] == [None] * 20
    assert numbers(database) == list(range(20))


def test_of_two_that_wait_for_each_other_both_are_done(database: PostgresDatabase) -> None:
    for n in (1, 2):
        put(database, n)
    both_have_one = threading.Barrier(2, timeout=HANG)
    runs: list[int] = []

    def job(db: Any, first: int, second: int) -> None:
        db.execute("SELECT n FROM numbers WHERE n = %s FOR UPDATE", (first,))
        runs.append(first)
        if runs.count(first) == 1:
            both_have_one.wait()
        db.execute("UPDATE numbers SET n = n WHERE n = %s", (second,))

    with ThreadPoolExecutor(2) as pool:
        pairs = [(1, 2), (2, 1)]
        done = [pool.submit(database.write, lambda db, pair=pair: job(db, *pair)) for pair in pairs]
    assert [future.result() for future in done] == [None, None]
    assert len(runs) == 3  # one was done again


def test_a_statement_that_takes_too_long_is_ended(postgres: str) -> None:
    with closing(PostgresDatabase(postgres, timeout=0.1)) as database:
        with pytest.raises(Unavailable, match="statement timeout"):
            database.row("SELECT pg_sleep(60)")
        assert database.row("SELECT 1") == (1,)


def test_where_all_connections_are_in_use_one_is_waited_for_and_then_refused(postgres: str) -> None:
    with closing(PostgresDatabase(postgres, most=1, patience=0.05)) as database:
        with database.reading(), pytest.raises(Unavailable, match="all 1 connections"):
            database.row("SELECT 1")
        assert database.row("SELECT 1") == (1,)


def test_more_threads_than_connections_all_get_their_turn(postgres: str) -> None:
    with closing(PostgresDatabase(postgres, most=2)) as database, ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda n: database.row("SELECT %s::int", (n,)), range(200)))
    assert rows == [(n,) for n in range(200)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_database_that_went_away_and_came_back_is_used_again(server: Server, end: str) -> None:
    with closing(PostgresDatabase(server.url())) as database:
        database.write(lambda db: db.execute("DROP TABLE IF EXISTS numbers"))
        database.write(lambda db: db.execute("CREATE TABLE numbers(n integer PRIMARY KEY)"))
        with database.reading(), database.reading():  # several connections, idle after this
            put(database, 1)
        getattr(server, end)()
        for _ in range(3):
            with pytest.raises(Unavailable, match="can't be reached"):
                database.row("SELECT 1")
            with pytest.raises(Unavailable, match="can't be reached"):
                put(database, 9)
        server.start()
        put(database, 2)
        assert numbers(database) == [1, 2]
        with database.reading() as db:
            assert db.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_while_nobody_asks_is_noticed_by_nobody(server: Server, end: str) -> None:
    with closing(PostgresDatabase(server.url())) as database:
        with database.reading(), database.reading():
            assert database.row("SELECT 1") == (1,)
        getattr(server, end)()
        server.start()
        assert database.row("SELECT 1") == (1,)
    with closing(PostgresDatabase(server.url())) as database:
        with database.reading(), database.reading():
            pass
        getattr(server, end)()
        server.start()
        assert database.write(lambda db: db.execute("SELECT 2").fetchone()) == (2,)


def test_what_is_under_way_when_the_database_goes_is_told(server: Server) -> None:
    with closing(PostgresDatabase(server.url())) as database:

        def job(db: Any) -> None:
            server.kill()
            db.execute("SELECT 1")

        # some sessions still find the time to say that the server is gone
        with pytest.raises(Unavailable, match=r"can't be reached|can't be used: terminating"):
            database.write(job)
    server.start()


def test_a_wrong_password_is_refused_without_being_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password comes from where PostgreSQL's own programs have it."""
    url = server.url(host="127.0.0.1")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with closing(PostgresDatabase(url)) as database:
        with pytest.raises(Unavailable, match="password authentication failed") as caught:
            database.row("SELECT 1")
        assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"
    monkeypatch.setenv("PGPASSWORD", server.password)
    with closing(PostgresDatabase(url)) as database:
        assert database.row("SELECT 1") == (1,)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@host/db",
        "postgresql://user@host/db?password=hunter2",
        "postgres://user@host/db?sslpassword=hunter2",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StorageError, match="PGPASSWORD") as caught:
        PostgresDatabase(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StorageError, match="no URL of PostgreSQL") as caught:
        PostgresDatabase(f"{url}&hunter2=%")
    assert "hunter2" not in str(caught.value)


def test_of_many_that_start_at_once_one_makes_the_tables(postgres_databases: Databases) -> None:
    url = postgres_databases.empty()
    stores = [PostgresDatabase(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(migrate, stores)) == [None] * 6
    assert stores[0].row("SELECT version, count(*) OVER () FROM timetric_store") == (VERSION, 1)
    migrate(stores[0])
    for store in stores:
        store.close()
    postgres_databases.drop(url)


def test_the_store_of_a_newer_version_is_refused(postgres: str) -> None:
    with closing(PostgresDatabase(postgres)) as database:
        database.write(lambda db: db.execute("UPDATE timetric_store SET version = 1000"))
        with pytest.raises(StorageError, match=r"newer timetric \(store version 1000.*upgrade"):
            migrate(database)
        assert database.row("SELECT version FROM timetric_store") == (1000,)


def test_a_database_of_something_else_is_left_alone(postgres_databases: Databases) -> None:
    url = postgres_databases.empty()
    with closing(PostgresDatabase(url)) as database:
        database.write(lambda db: db.execute("CREATE TABLE users(id integer)"))
        with pytest.raises(StorageError, match="tables of something else"):
            migrate(database)
        assert database.row("SELECT to_regclass('timetric_store')") == (None,)
    postgres_databases.drop(url)
