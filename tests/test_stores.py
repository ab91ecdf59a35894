"""Stores that older versions made, stores that broke, copies, and full disks."""

from __future__ import annotations

import multiprocessing
import random
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.test_storage import IDS, columns, make, read
from timetric.points import Point
from timetric.server.blocks import encode
from timetric.server.columns import Columns
from timetric.server.receipt import Receipt, Terms
from timetric.server.storage import (
    Damaged,
    Full,
    Missing,
    Rewritten,
    Search,
    Series,
    Storage,
    StorageError,
    Unavailable,
    Window,
    look_at,
    open_storage,
)


def a_store(directory: Path, points: int = 10_000) -> tuple[Storage, Series]:
    store = open_storage(directory)
    owner = store.accounts.add_user("owner", 1.0)
    t = np.arange(float(points))
    return store, make(store, IDS[0], owner, Columns(t, t % 7))


def test_a_store_of_version_1_is_brought_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/stores/version-1.sqlite3", tmp_path / "timetric.sqlite3")
    store = open_storage(tmp_path)
    assert [user.name for user in store.accounts.users()] == ["anna", "owner"]
    assert store.accounts.token("k" * 22).digest == bytes(range(32))
    long = store.series(IDS[0])
    assert long.metadata.tags == ("power", "é")
    assert long.points == 5000
    expected = [
        (1236735000.0 + 60 * n, None if n % 97 == 0 else True if n % 89 == 0 else v)
        for n, v in ((n, float(f"{n % 50 / 7:.2f}")) for n in range(5000))
    ]
    assert read(store, long) == expected
    assert read(store, store.series(IDS[1])) == [(-1.5, 1), (0, 0), (1, False), (2, 5e-324)]
    assert store.latest(store.series(IDS[2])) is None
    assert list(store.check()) == []
    store.append(long, 1.0, 2e9)
    store.close()
    with sqlite3.connect(tmp_path / "timetric.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM blocks").fetchone()[0] >= 1


STORES = sorted((ROOT / "tests/stores").glob("version-*.sqlite3"))


@pytest.mark.parametrize("made", STORES, ids=lambda path: path.stem)
def test_a_store_of_each_earlier_version_opens_and_goes_on(tmp_path: Path, made: Path) -> None:
    """Each that is kept: its series read, are found, take a write, and add up."""
    shutil.copy(made, tmp_path / "timetric.sqlite3")
    with closing(sqlite3.connect(made)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        ids = [id for (id,) in db.execute("SELECT id FROM series ORDER BY key")]
    assert made.stem == f"version-{version}"
    assert ids
    with closing(open_storage(tmp_path)) as store:
        assert look_at(tmp_path).version == look_at(tmp_path).ours > version
        for id in ids:
            series = store.series(id)
            before = read(store, series)
            assert len(before) == series.points
            store.append(series, 1.0, 2e9)
            assert read(store, series) == [*before, (2e9, 1.0)]
            viewer = Search(viewer=series.owner)
            assert id in {found.id for found in store.search(viewer).series}
        assert list(store.check()) == []


def test_long_histories_take_little_room(tmp_path: Path) -> None:
    store, _ = a_store(tmp_path, 400_000)
    store.close()
    assert (tmp_path / "timetric.sqlite3").stat().st_size < 2 * 400_000


def test_a_copy_is_consistent_while_others_write(tmp_path: Path) -> None:
    store, series = a_store(tmp_path / "data")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store.increment(series, 1.0, 1e6)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (tmp_path / "copy").mkdir()
        store.backup(tmp_path / "copy" / "timetric.sqlite3")
    finally:
        stop.set()
        writer.join()
    copy = open_storage(tmp_path / "copy")
    assert list(copy.check()) == []
    assert read(copy, copy.series(series.id))[:10_000] == read(store, series)[:10_000]
    assert (tmp_path / "copy" / "timetric.sqlite3").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError, match="exists"):
        store.backup(tmp_path / "copy" / "timetric.sqlite3")


def damage(directory: Path, statement: str) -> None:
    with sqlite3.connect(directory / "timetric.sqlite3") as db:
        assert db.execute(statement).rowcount == 1


def test_a_damaged_block_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    store, series = a_store(tmp_path)
    other = make(store, IDS[1], series.owner, columns((1.0, 2.0)))
    damage(tmp_path, "UPDATE bodies SET vals = zeroblob(length(vals)) WHERE key = 1")
    with pytest.raises(Damaged, match="checksum"):
        read(store, series)
    assert store.latest(series) == (9999.0, 3.0)
    assert len(read(store, series, Window(start=9000.0))) == 1000
    assert read(store, other) == [(1.0, 2.0)]
    (fault,) = store.check()
    assert series.id in fault
    assert "checksum" in fault


def test_a_rewrite_mends_a_damaged_series(tmp_path: Path) -> None:
    store, series = a_store(tmp_path)
    damage(tmp_path, "UPDATE bodies SET vals = zeroblob(length(vals)) WHERE key = 1")
    receipt = store.replace(series, columns((1.0, 1.0), (9999.5, 2.0)), 3.0)
    assert receipt[:6] == (2, 2, 0, 0, 10_000, 2)
    assert read(store, series) == [(1.0, 1.0), (9999.5, 2.0)]
    assert list(store.check()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE series SET points = points + 1",
        "UPDATE series SET tail = 1",
        "UPDATE blocks SET maximum = 7 WHERE first = 0",
        "UPDATE blocks SET codec = 9 WHERE first = 0",
        "INSERT INTO tail(series, t, v, fresh) VALUES (1, 0.5, 1.0, 1)",
    ],
)
def test_what_does_not_add_up_is_found(tmp_path: Path, statement: str) -> None:
    store, _ = a_store(tmp_path)
    assert list(store.check()) == []
    damage(tmp_path, statement)
    assert len(list(store.check())) == 1


def test_blocks_out_of_order_are_found(tmp_path: Path) -> None:
    store, _ = a_store(tmp_path)
    damage(tmp_path, "UPDATE blocks SET first = 10, final = 9999.5 WHERE first = 0")
    assert any("overlaps" in fault for fault in store.check())
    t = np.arange(3333.0)
    t[5:7] = 6.0, 5.0
    block = encode(Columns(t, t % 7))
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
        db.execute("UPDATE blocks SET first = 0, final = 3332, crc = ? WHERE key = 1", (block.crc,))
        db.execute(
            "UPDATE bodies SET times = ?, vals = ? WHERE key = 1", (block.times, block.values)
        )
        db.commit()
    (fault,) = store.check()
    assert "order of time" in fault


def test_writes_to_a_series_that_is_gone_are_refused(tmp_path: Path) -> None:
    store, series = a_store(tmp_path)
    for table in ("series", "blocks"):
        with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
            db.execute(f"DELETE FROM {table}")
            db.commit()
    many = np.arange(1000.0)
    for write in (
        lambda: store.append(series, 1.0, 5.0),
        lambda: store.increment(series, 1.0, 5.0),
        lambda: store.merge(series, columns((1.0, 1.0)), 5.0),
        lambda: store.merge(series, Columns(many, many), 5.0),
        lambda: store.replace(series, columns(), 5.0),
        lambda: store.clear(series, 0.0, 1.0, 5.0),
        lambda: store.put(series, (1.0, 1.0), 5.0),
        lambda: store.amend(series, {"title": "New"}, 5.0),
        lambda: store.remove(series, 5.0),
        lambda: store.merge(series, Columns(many, many), 5.0, Terms(dry_run=True)),
        lambda: store.replace(series, Columns(many, many), 5.0),
        lambda: read(store, series),
    ):
        with pytest.raises(Missing):
            write()


def test_a_rewrite_ends_a_read_unfinished(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 300_000)
    pieces = store.read(series, Window())
    first = next(pieces)
    store.append(series, 1.0, 1e6)
    second = next(pieces)  # a point more does no harm
    assert second.t[0] > first.t[-1]
    store.replace(series, columns((1.0, 1.0)), 3.0)
    with pytest.raises(Rewritten):
        next(pieces)


def test_a_removed_series_leaves_nothing_and_ends_reads_of_it(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 300_000)
    store.append(series, 1.0, 1e6)
    other = make(store, IDS[1], series.owner, columns((1.0, 2.0)))
    assert store.known_series(series.id).key == series.key
    pieces = store.read(series, Window())
    next(pieces)
    assert store.remove(series, 3.0) == Receipt(removed=300_001, version=3)
    with pytest.raises(Missing):
        next(pieces)
    for look in (store.series, store.known_series):
        with pytest.raises(Missing):
            look(series.id)
    with pytest.raises(Missing):
        store.remove(series, 3.0)
    assert read(store, other) == [(1.0, 2.0)]
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
        counted = "SELECT count(*) FROM"
        for table, left in (("bodies", 0), ("blocks", 0), ("loose", 0), ("tail", 1), ("series", 1)):
            assert db.execute(f"{counted} {table}").fetchone() == (left,)
    assert make(store, IDS[2], series.owner).key > other.key
    assert list(store.check()) == []


def in_a_small_disk(directory: Path, result: Any) -> None:
    """A process that may write files of 2 MB at most: to SQLite a full disk, without root."""
    store, series = a_store(directory)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
    rng = np.random.default_rng(1)
    t = np.arange(300_000.0)
    try:
        store.merge(series, Columns(t + 1e6, rng.random(len(t))), 3.0)
        result.put("stored")
    except (Full, Unavailable) as error:
        result.put(type(error).__name__)
    result.put(len(read(store, series)))
    store.append(series, 1.0, 2e6)
    result.put(len(read(store, series)))


def test_a_full_disk_refuses_a_write_whole_and_goes_on(tmp_path: Path) -> None:
    answers = run_in_process(in_a_small_disk, tmp_path, 3)
    assert answers[0] in ("Full", "Unavailable")
    assert answers[1:] == [10_000, 10_001]
    store = open_storage(tmp_path)
    assert list(store.check()) == []


def run_in_process(function: Callable[..., None], directory: Path, answers: int) -> list[Any]:
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    process = context.Process(target=function, args=(directory, result))
    process.start()
    gathered = [result.get(timeout=60) for _ in range(answers)]
    process.join()
    return gathered


def count_up(directory: Path, result: Any) -> None:
    store = open_storage(directory)
    series = store.series(IDS[0])
    for _ in range(200):
        store.increment(series, 1.0, 1e6)
    store.close()
    result.put("done")


def test_processes_lose_no_increment(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 5000)
    start = store.latest(series)
    assert start is not None
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    processes = [context.Process(target=count_up, args=(tmp_path, result)) for _ in range(3)]
    for process in processes:
        process.start()
    for _ in processes:
        assert result.get(timeout=60) == "done"
    for process in processes:
        process.join()
    latest = store.latest(series)
    assert latest is not None
    assert latest[1] == float(start[1] or 0) + 600
    assert store.series(series.id).points == 5600
    assert list(store.check()) == []


def test_uploads_that_meet_are_all_there(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 50_000)

    def upload(offset: int) -> None:
        t = np.arange(offset, 50_000.0, 8)
        for _ in range(3):
            store.merge(series, Columns(t, np.full(len(t), float(offset))), 3.0)

    threads = [threading.Thread(target=upload, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(store, series) == [(float(t), float(t % 8)) for t in range(50_000)]
    assert list(store.check()) == []


def a_share(writer: int) -> Iterator[list[Point]]:
    """What one of 32 writers writes: between the others' instants, over what it wrote before."""
    chance = random.Random(writer)
    for n in range(12):
        start, size = chance.randrange(1000), chance.choice([1, 1, 100, 250, 3000])
        yield [(float(writer + 32 * (start + k)), float(n)) for k in range(size)]


def write_shares(directory: Path, result: Any, process: int) -> None:
    store = open_storage(directory)
    series, counter = store.series(IDS[0]), store.series(IDS[1])

    def write(writer: int) -> int:
        shares = list(a_share(writer))
        for points in shares:
            store.merge(series, columns(*points), 3.0)
            store.increment(counter, 1.0, 1e6)
        return len(shares)

    with ThreadPoolExecutor(8) as pool:
        result.put(sum(pool.map(write, range(8 * process, 8 * process + 8))))
    store.close()


def test_processes_of_many_threads_lose_nothing(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 0)
    counter = make(store, IDS[1], series.owner)
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    processes = [context.Process(target=write_shares, args=(tmp_path, result, n)) for n in range(4)]
    for process in processes:
        process.start()
    written = sum(result.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    expected = {t: value for writer in range(32) for share in a_share(writer) for t, value in share}
    assert read(store, series) == sorted(expected.items())
    assert read(store, counter)[-1][1] == store.series(counter.id).points == written == 32 * 12
    assert list(store.check()) == []


def test_a_new_store_is_opened_by_several_at_once(tmp_path: Path) -> None:
    def open_and_write(n: int) -> str:
        store = open_storage(tmp_path / str(n // 8))
        name = store.accounts.add_user(f"user {n}", 1.0).name
        store.close()
        return name

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(open_and_write, range(80)))) == 80


def copy_to_a_small_disk(directory: Path, result: Any) -> None:
    store, _ = a_store(directory, 1_000_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    with pytest.raises((Full, Unavailable)):
        store.backup(directory / "copy")
    result.put((directory / "copy").exists())


def test_a_copy_that_finds_no_room_is_not_left_behind(tmp_path: Path) -> None:
    assert run_in_process(copy_to_a_small_disk, tmp_path, 1) == [False]


def test_new_points_find_room_beside_a_damaged_block(tmp_path: Path) -> None:
    store, series = a_store(tmp_path)
    store.merge(series, columns((0.5, 1.0)), 3.0)  # will never be folded
    damage(tmp_path, "UPDATE bodies SET vals = zeroblob(length(vals)) WHERE key = 1")
    for start in range(10_000, 15_000, 250):
        store.merge(series, columns(*((float(t), 1.0) for t in range(start, start + 250))), 3.0)
    assert store.append(series, 2.0, 20_000.0).point == (20_000.0, 2.0)
    assert len(read(store, series, Window(start=9000.0))) == 6001
    assert len(list(store.check())) == 1


def test_damaged_pages_are_told(tmp_path: Path) -> None:
    store, series = a_store(tmp_path, 300_000)
    other = make(store, IDS[1], series.owner, columns((1.0, 2.0)))
    store.close()
    path = tmp_path / "timetric.sqlite3"
    size = path.stat().st_size
    with closing(sqlite3.connect(path)) as db:
        (packed,) = db.execute("SELECT times FROM bodies WHERE key > 30 LIMIT 1").fetchone()
    with open(path, "r+b") as file:
        file.seek(path.read_bytes().index(packed[-500:]) // 4096 * 4096)
        file.write(b"\xff" * 4096)
    store = open_storage(tmp_path)
    with pytest.raises(Damaged, match="malformed"):
        read(store, series)
    assert any(series.id in fault for fault in store.check())
    assert read(store, other) == [(1.0, 2.0)]
    store.append(other, 3.0, 5.0)
    store.close()
    path.write_bytes(b"\xff" * size)
    with pytest.raises(StorageError, match="not a database"):
        open_storage(tmp_path)
