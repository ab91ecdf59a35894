"""Long replies of a real service: readers that stall, rewrites in between, bounded memory."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from tests.test_kills import Service
from timetric.server.columns import Columns, write_csv

CSV, JSON = "text/csv", "application/json"
BINARY, ARROW = "application/vnd.timetric.points", "application/vnd.apache.arrow.stream"

#: So many points are more in any form, packed too, than what lies on the way to a stalled reader.
MANY = 1_000_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.kill()


def noise(count: int, start: float = 0.0) -> Columns:
    """Points that take as much room as points can."""
    return Columns(start + np.arange(count) / 8, np.random.default_rng(1).random(count))


def create(service: Service, points: Columns) -> str:
    path = service.create()
    put(service, "PUT", path, points)
    return path


def put(service: Service, method: str, path: str, points: Columns) -> None:
    status, body = service.send(method, path, write_csv(points).decode())
    assert status == 204, body


class Reader:
    """A reply that is asked for, and read when it is told to."""

    def __init__(self, service: Service, path: str, **headers: str) -> None:
        host, _, port = service.netloc.rpartition(":")
        self.connection = socket.socket()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.connection.settimeout(60)
        self.connection.connect((host, int(port)))
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        fields = {"Host": service.netloc, **service.headers, **given}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
        self.connection.sendall("\r\n".join((*lines, "", "")).encode())
        self.reply = http.client.HTTPResponse(self.connection)
        self.reply.begin()
        assert self.reply.status == 200

    def read(self) -> bytes:
        """All that comes, up to where the server ends it."""
        try:
            return self.reply.read()
        except http.client.IncompleteRead as error:
            return error.partial
        finally:
            self.connection.close()


def unpacked(body: bytes) -> Columns:
    table = np.frombuffer(body, "<f8").reshape(-1, 2)
    return Columns(table[:, 0], table[:, 1])


def is_start(part: Columns, whole: Columns) -> bool:
    count = len(part.t)
    return bool(np.array_equal(part.t, whole.t[:count]) and np.array_equal(part.v, whole.v[:count]))


# a rewrite in between


def broken_csv(body: bytes) -> Columns:
    *rows, last = body.splitlines()
    assert last.startswith(b"unfinished: ")
    assert b"," not in last
    return Columns(*np.array([row.split(b",") for row in rows], dtype=np.float64).T)


def broken_json(body: bytes) -> Columns:
    with pytest.raises(ValueError):
        json.loads(body)
    points = json.loads(body + b"]}")["points"]
    return Columns(*np.array(points).T)


def broken_binary(body: bytes) -> Columns:
    assert len(body) % 16
    return unpacked(body[: len(body) // 16 * 16])


def broken_arrow(body: bytes) -> Columns:
    with pytest.raises(pyarrow.ArrowInvalid):
        pyarrow.ipc.open_stream(body).read_all()
    batches = []
    with pytest.raises(pyarrow.ArrowInvalid):
        batches.extend(pyarrow.ipc.open_stream(body))
    return Columns(*(column.to_numpy() for column in pyarrow.Table.from_batches(batches).columns))


@pytest.mark.parametrize(
    ("accept", "take_apart"),
    [
        (CSV, broken_csv),
        (JSON, broken_json),
        (BINARY, broken_binary),
        (ARROW, broken_arrow),
    ],
)
@pytest.mark.parametrize("change", ["rewrite", "clear"])
def test_a_reply_whose_history_goes_away_shows_that_it_is_not_whole(
    service: Service, accept: str, take_apart: Callable[[bytes], Columns], change: str
) -> None:
    old = noise(MANY)
    path = create(service, old)
    reader = Reader(service, f"{path}points/", Accept=accept)
    if change == "rewrite":
        put(service, "PUT", path, Columns(old.t, -old.v))
    else:
        service.send("DELETE", path)
    part = take_apart(reader.read())
    assert 0 < len(part.t) < MANY
    assert is_start(part, old)  # and nothing of what came after


def test_a_packed_reply_that_breaks_off_shows_it_too(service: Service) -> None:
    old = noise(MANY)
    path = create(service, old)
    reader = Reader(service, f"{path}points/", Accept=CSV, Accept_Encoding="gzip")
    service.send("DELETE", path)
    body = reader.read()
    with pytest.raises(EOFError):
        gzip.decompress(body)
    text = subprocess.run(["gzip", "-dc"], input=body, capture_output=True).stdout
    assert is_start(broken_csv(text), old)


def test_a_word_that_is_added_after_none_was_promised_ends_the_reply(service: Service) -> None:
    old = noise(MANY)
    path = create(service, old)
    reader = Reader(service, f"{path}points/", Accept=BINARY)
    assert reader.reply.headers["Timetric-Words"] == "no"
    status, _ = service.send("POST", path, f"{float(old.t[-1]) + 1!r},null")
    assert status == 204
    part = broken_binary(reader.read())
    assert is_start(part, old)
    assert not np.isnan(part.v).any()


def test_points_added_ahead_of_a_long_page_never_make_a_gap(service: Service) -> None:
    """Its link was sent before they came: with them it would be longer than its limit."""
    old = noise(MANY)
    path = create(service, old)
    reader = Reader(service, f"{path}points/?limit={MANY - 10}", Accept=BINARY)
    assert f"after={old.t[-11]}" in reader.reply.headers["Link"]
    put(service, "POST", path, Columns(old.t[-20:] + 0.01, old.v[-20:]))
    part = broken_binary(reader.read())
    assert is_start(part, old)


def test_points_added_ahead_of_a_read_without_limit_come_too(service: Service) -> None:
    old = noise(MANY)
    path = create(service, old)
    reader = Reader(service, f"{path}points/", Accept=BINARY)
    put(service, "POST", path, Columns(old.t[-1:] + 0.01, old.v[-1:]))
    read = unpacked(reader.read())
    assert len(read.t) == MANY + 1
    assert is_start(old, read)


# a stalled reader


@pytest.mark.parametrize("accept", [CSV, BINARY])
def test_a_stalled_reader_keeps_nothing_back(tmp_path: Path, accept: str) -> None:
    """No transaction, so that the log can be written back and begun again."""
    service = Service(tmp_path)
    try:
        old = noise(MANY)
        path, other = create(service, old), service.create()
        reader = Reader(service, f"{path}points/", Accept=accept)
        for piece in range(4):
            put(service, "POST", other, noise(200_000, start=piece * 1e6))
        log = tmp_path / "data" / "timetric.sqlite3-wal"
        with closing(sqlite3.connect(tmp_path / "data" / "timetric.sqlite3")) as db:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy  # as it would be while anybody reads an older state
        assert log.stat().st_size == 0
        put(service, "POST", other, noise(10_000))
        assert log.stat().st_size < 4 << 20
        body = reader.read()
        assert (body == write_csv(old)) if accept == CSV else is_start(old, unpacked(body))
    finally:
        service.kill()


# memory


def worker_of(service: Service) -> int:
    found = subprocess.check_output(["pgrep", "-P", str(service.process.pid)], text=True)
    return int(found)


def peak(process: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this machine")
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_of_millions_takes_little_memory(tmp_path: Path, order: str) -> None:
    service = Service(tmp_path)
    count = 4_000_000
    path = create(service, Columns(np.arange(float(count)), np.ones(count)))
    service.kill()
    service = Service(tmp_path)  # another process, that has not been that large before
    try:
        Reader(service, f"{path}points/?limit=200000", Accept=BINARY).read()
        before = peak(worker_of(service))
        page = f"{path}points/?limit={count - 1}&order={order}"
        body = Reader(service, page, Accept=BINARY).read()
        assert len(body) == 16 * (count - 1)
        assert peak(worker_of(service)) - before < 24 << 20  # the points take 61 MiB
    finally:
        service.kill()


def test_the_form_of_16_bytes_is_what_struct_says(service: Service) -> None:
    path = service.create()
    service.send("PUT", path, "1.5,2\n2,null\n3,true\n4,false\n")
    body = Reader(service, f"{path}points/", Accept=BINARY).read()
    quiet = [struct.unpack("<d", struct.pack("<Q", 0x7FF8 << 48 | word))[0] for word in (1, 2, 3)]
    expected = [(1.5, 2.0), (2.0, quiet[0]), (3.0, quiet[1]), (4.0, quiet[2])]
    assert body == b"".join(struct.pack("<dd", *point) for point in expected)
