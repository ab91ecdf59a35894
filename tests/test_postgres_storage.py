"""What a store in PostgreSQL has to hold beside the contract of all engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
import pytest

from tests.test_storage import IDS, METADATA, make, read
from timetric.server.columns import EMPTY, Columns
from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import (
    Damaged,
    Missing,
    Search,
    Series,
    Storage,
    User,
    Window,
    open_storage,
)
from timetric.server.storage.postgres import bodies
from timetric.server.storage.postgres.statements import SPREAD

MANY = Columns(np.arange(100_000.0), np.arange(100_000.0))


@pytest.fixture
def stores(postgres: str) -> Iterator[list[Storage]]:
    """Two of one database, which share nothing in memory, as two processes do."""
    both = [open_storage(postgres) for _ in range(2)]
    yield both
    assert list(both[0].check()) == []
    for store in both:
        store.close()


@pytest.fixture
def owner(stores: list[Storage]) -> User:
    return stores[0].accounts.add_user("owner", 1.0)


@pytest.fixture
def series(stores: list[Storage], owner: User) -> Series:
    return make(stores[0], IDS[0], owner)


def left_over(url: str) -> int:
    """How many blocks have no bytes, and bytes no block."""
    with psycopg.connect(url) as db:
        ((count,),) = db.execute(
            "SELECT count(*) FROM blocks FULL JOIN bodies USING (series, key)"
            " WHERE first IS NULL OR times IS NULL"
        )
    return int(count)


def test_a_series_is_made_once_for_a_key_by_two_processes(
    stores: list[Storage], owner: User
) -> None:
    start, terms = threading.Barrier(8), Terms(key=Key("k", b"meaning"))

    def create(n: int) -> Receipt:
        start.wait()
        return stores[n % 2].create(f"{n:022}", owner, METADATA, MANY, 2.0, terms)

    with ThreadPoolExecutor(8) as pool:
        (receipt,) = set(pool.map(create, range(8)))
    assert stores[0].search(Search(viewer=owner)).total == 1
    assert stores[1].receipt(owner, "", "k", 3.0) == receipt


def test_what_one_process_hides_no_other_shows(stores: list[Storage], series: Series) -> None:
    one, other = stores
    for public in (True, False, True):
        one.amend(series, {"public": public}, 5.0)
        assert other.known_series(series.id).metadata.public == public
        assert other.search(Search()).total == public
    one.remove(series, 6.0)
    with pytest.raises(Missing):
        other.known_series(series.id)


def test_single_points_of_two_processes_are_all_there(
    stores: list[Storage], series: Series
) -> None:
    """Until the tail is folded into blocks, and past it."""

    def write(n: int) -> None:
        for t in range(n, 5000, 8):
            stores[n % 2].put(series, (float(t), float(t)), 1e9)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert read(stores[0], series) == [(float(t), float(t)) for t in range(5000)]
    assert stores[1].series(series.id).points == stores[1].series(series.id).version == 5000


def test_large_writes_leave_no_bytes_over(
    stores: list[Storage], series: Series, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether others were faster, a write was repeated, or its bytes are many."""
    monkeypatch.setattr(bodies, "_MOST", 10_000)
    monkeypatch.setattr(bodies, "_AT_ONCE", 3)

    def write(n: int) -> None:
        terms = Terms(key=Key(f"{n // 2}", b"meaning"))
        points = Columns(MANY.t + n // 2 / 8, MANY.v)
        stores[n % 2].merge(series, points, 5.0, terms)
        if n == 5:
            stores[0].replace(series, MANY, 6.0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert left_over(postgres) == 0
    stores[0].clear(series, 10.0, 90_000.0, 7.0)
    assert left_over(postgres) == 0
    stores[1].remove(series, 8.0)
    with psycopg.connect(postgres) as db:
        for table in {*SPREAD} - {"receipts"}:
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_readers_wait_for_no_writer(stores: list[Storage], series: Series, postgres: str) -> None:
    stores[0].merge(series, MANY, 5.0)
    with psycopg.connect(postgres) as db:  # a write that takes its time
        db.execute("SELECT FROM states WHERE series = %s FOR UPDATE", [series.key])
        db.execute("DELETE FROM blocks WHERE series = %s", [series.key])
        assert len(read(stores[1], series)) == 100_000
        assert stores[1].latest(series) == (99_999.0, 99_999.0)
        db.rollback()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE bodies SET vals = '\\x00' WHERE key = 3", "checksum"),
        ("DELETE FROM bodies WHERE key = 3", "no block 3"),
        ("UPDATE blocks SET total = 0 WHERE key = 3", "described"),
        ("UPDATE states SET points = 7", "counts"),
    ],
)
def test_damage_is_found(postgres: str, damage: str, says: str) -> None:
    store = open_storage(postgres)
    series = make(store, IDS[0], store.accounts.add_user("owner", 1.0), MANY)
    assert list(store.check()) == []
    with psycopg.connect(postgres) as db:
        db.execute(damage)
    faults = list(store.check())
    assert any(says in fault for fault in faults), faults
    assert all(series.id in fault for fault in faults)
    if says == "checksum":
        with pytest.raises(Damaged):
            list(store.read(series, Window()))
    store.close()


def test_what_is_looked_for_may_hold_anything(stores: list[Storage], series: Series) -> None:
    """PostgreSQL has no text with a NUL."""
    odd = "\0"
    for look in (lambda: stores[0].series(odd), lambda: stores[0].known_series(odd)):
        with pytest.raises(Missing):
            look()
    for scope in ("", series.id):
        with pytest.raises(Missing):
            stores[0].receipt(series.owner, scope, odd, 5.0)
    sought = Search(words=(odd, "x"), tags=(odd,), owner=odd, slug=odd)
    assert stores[0].search(sought).total == 0


def test_rows_are_found_by_their_keys_though_plans_were_made_when_there_were_none(
    stores: list[Storage], series: Series, postgres: str
) -> None:
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("ANALYZE")
    for n in range(20):
        stores[0].put(series, (float(n), 1.0), 5.0)
        stores[0].put(series, (float(n), 2.0), 5.0)
        read(stores[0], series)
    stores[0].merge(series, MANY, 6.0)
    assert len(list(stores[0].read(series, Window(5.0, 6.0)))) == 1
    for store in stores:
        store.close()  # then the server counts what they did
    with psycopg.connect(postgres, autocommit=True) as db:
        while True:
            scans, by_key = db.execute(
                "SELECT sum(seq_scan), sum(idx_scan) FROM pg_stat_user_tables"
                " WHERE relname = ANY(%s)",
                [list(SPREAD)],
            ).fetchone() or (0, 0)
            if by_key > 100:
                break
            time.sleep(0.05)
    assert scans == 0


def test_an_empty_series_takes_a_row_and_no_more(
    stores: list[Storage], owner: User, postgres: str
) -> None:
    make(stores[0], IDS[1], owner, EMPTY)
    with psycopg.connect(postgres) as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in SPREAD]
    assert counts == [(1,), (0,), (0,), (0,), (0,)]
