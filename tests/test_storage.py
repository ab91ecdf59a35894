"""The storage contract: what every engine does, whatever it is."""

from __future__ import annotations

import io
import math
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from timetric.points import Point
from timetric.server.columns import EMPTY, Columns, from_points, tidy, to_points
from timetric.server.intake import read_csv
from timetric.server.metadata import Metadata
from timetric.server.receipt import Receipt
from timetric.server.storage import (
    Missing,
    NotNumeric,
    Search,
    Series,
    Storage,
    StorageError,
    Taken,
    User,
    Window,
    open_storage,
)
from timetric.timestamps import END

METADATA = Metadata("Office power", "Drawn by the office", tags=("power", "é"), latitude=51.5)
WHOLE = Window()
IDS = ["p-DpewL0TO-iBE4nMBCTsQ", "A0000000000000000000-_", "b000000000000000000000"]


@pytest.fixture
def storage(place: Path | str) -> Iterator[Storage]:
    store = open_storage(place)
    yield store
    store.close()


@pytest.fixture
def owner(storage: Storage) -> User:
    return storage.accounts.add_user("owner", 1.0)


@pytest.fixture
def series(storage: Storage, owner: User) -> Series:
    return make(storage, IDS[0], owner)


def make(storage: Storage, id: str, owner: User, points: Columns = EMPTY) -> Series:
    """A new series."""
    receipt = storage.create(id, owner, METADATA, points, 2.0)
    assert receipt == Receipt(len(points.t), len(points.t), version=len(points.t) > 0, made=id)
    return storage.series(id)


def point_of(receipt: Receipt) -> Point:
    assert receipt.point is not None
    return receipt.point


def columns(*points: Point) -> Columns:
    return tidy(from_points(points))


def read(storage: Storage, series: Series, window: Window = WHOLE) -> list[Point]:
    return [point for piece in storage.read(series, window) for point in to_points(piece)]


def test_a_series_is_found_by_its_id(storage: Storage, series: Series) -> None:
    assert storage.series(series.id) == series
    assert series.metadata == METADATA
    with pytest.raises(Missing):
        storage.series(IDS[1])
    with pytest.raises(Taken):
        storage.create(series.id, series.owner, METADATA, EMPTY, 2.0)


def test_an_empty_series_has_no_latest_point(storage: Storage, series: Series) -> None:
    assert storage.latest(series) is None
    assert read(storage, series) == []


def test_points_of_all_kinds_come_back_as_they_were(storage: Storage, series: Series) -> None:
    points = [(-1.5, 1.0), (0.0, None), (1.0, True), (2.0, False), (3.0, 5e-324), (4.0, 1e308)]
    storage.merge(series, columns(*points), 3.0)
    assert [(t, repr(v)) for t, v in read(storage, series)] == [(t, repr(v)) for t, v in points]
    storage.merge(series, columns((5.0, -0.0)), 3.0)
    assert repr(storage.latest(series)) == "(5.0, -0.0)"


def test_a_later_write_wins_and_the_rest_stays(storage: Storage, series: Series) -> None:
    storage.merge(series, columns((1.0, 1.0), (2.0, 2.0), (3.0, 3.0)), 3.0)
    storage.merge(series, columns((2.0, None), (4.0, 4.0)), 4.0)
    assert read(storage, series) == [(1.0, 1.0), (2.0, None), (3.0, 3.0), (4.0, 4.0)]
    assert storage.series(series.id).updated == 4.0


def test_series_do_not_mix(storage: Storage, owner: User, series: Series) -> None:
    other = make(storage, IDS[1], owner, columns((1.0, 10.0)))
    storage.merge(series, columns((1.0, 1.0)), 3.0)
    storage.replace(other, EMPTY, 3.0)
    assert read(storage, series) == [(1.0, 1.0)]
    assert read(storage, other) == []


def test_replace_leaves_nothing_of_what_was(storage: Storage, series: Series) -> None:
    storage.merge(series, columns((1.0, 1.0), (2.0, 2.0)), 3.0)
    storage.replace(series, columns((2.0, 5.0)), 4.0)
    assert read(storage, series) == [(2.0, 5.0)]


def test_windows_cut_at_both_ends_and_count(storage: Storage, series: Series) -> None:
    storage.merge(series, columns(*((float(t), float(t)) for t in range(10))), 3.0)
    assert [t for t, _ in read(storage, series, Window(start=3.0, end=6.0))] == [3.0, 4.0, 5.0]
    assert [t for t, _ in read(storage, series, Window(start=2.5, limit=2))] == [3.0, 4.0]


def test_a_long_series_is_read_whole(storage: Storage, series: Series) -> None:
    body = b"".join(b"%d,%d\n" % (t, t % 7) for t in range(30_000))
    storage.merge(series, read_csv(io.BytesIO(body)).points, 3.0)
    assert read(storage, series) == [(float(t), float(t % 7)) for t in range(30_000)]
    assert len(read(storage, series, Window(limit=20_000))) == 20_000


def test_a_value_takes_the_next_free_instant(storage: Storage, series: Series) -> None:
    storage.merge(series, columns((100.0, 1.0), (100.000001, 2.0), (200.0, 3.0)), 3.0)
    stamp, value = point_of(storage.append(series, None, 100.0))
    assert 100.000001 < stamp < 100.00001
    assert value is None
    assert len(read(storage, series)) == 4
    assert storage.append(series, 5.0, 150.0).point == (150.0, 5.0)


def test_an_increment_is_stamped_after_the_latest_point(storage: Storage, series: Series) -> None:
    assert storage.increment(series, 2.5, 100.0).point == (100.0, 2.5)
    stamp, value = point_of(storage.increment(series, -1.0, 50.0))
    assert stamp > 100.0
    assert value == 1.5


@pytest.mark.parametrize("latest", [None, True, 1.7e308])
def test_an_increment_needs_a_number(storage: Storage, series: Series, latest: float) -> None:
    storage.merge(series, columns((1.0, latest)), 3.0)
    with pytest.raises(NotNumeric):
        storage.increment(series, 1.7e308, 4.0)
    assert read(storage, series) == [(1.0, latest)]


def test_no_increment_is_stamped_past_the_end_of_time(storage: Storage, series: Series) -> None:
    last = math.nextafter(END, 0.0)
    storage.merge(series, columns((last, 1.0)), 3.0)
    with pytest.raises(NotNumeric, match="end of time"):
        storage.increment(series, 1.0, 4.0)
    assert storage.latest(series) == (last, 1.0)


def test_threads_lose_no_increment(storage: Storage, series: Series) -> None:
    def count() -> None:
        for _ in range(50):
            storage.increment(series, 1.0, 10.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(storage, series)) == 200
    latest = storage.latest(series)
    assert latest is not None
    assert latest[1] == 200.0


def test_nothing_is_found_by_a_text_that_nothing_has(storage: Storage, series: Series) -> None:
    """Such as one with a NUL, which some engines can't even be asked for."""
    odd = "po\0wer"
    for look in (
        storage.series,
        storage.known_series,
        storage.accounts.user,
        storage.accounts.token,
        storage.grants.application,
        storage.grants.access_token,
        lambda text: storage.receipt(series.owner, text, text, 3.0),
    ):
        with pytest.raises(Missing):
            look(odd)
    assert storage.accounts.password(odd) is None
    for search in (Search(tags=(odd,)), Search(owner=odd), Search(slug=odd)):
        assert storage.search(search).total == 0


def test_a_store_is_there_again_after_it_was_closed(place: Path | str) -> None:
    store = open_storage(place)
    series = make(store, IDS[0], store.accounts.add_user("owner", 1.0), columns((1.0, 2.0)))
    store.close()
    store = open_storage(place)
    assert store.series(series.id) == series
    assert read(store, series) == [(1.0, 2.0)]
    store.close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    open_storage(tmp_path / "data").close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "timetric.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_can_not_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="--data"):
        open_storage(tmp_path / "file")


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "timetric.sqlite3") as db:
        db.execute("PRAGMA application_id = 42")
    with pytest.raises(StorageError, match="not a timetric store"):
        open_storage(tmp_path)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    open_storage(tmp_path).close()
    with sqlite3.connect(tmp_path / "timetric.sqlite3") as db:
        db.execute("PRAGMA user_version = 1000")
    with pytest.raises(StorageError, match="newer timetric"):
        open_storage(tmp_path)
