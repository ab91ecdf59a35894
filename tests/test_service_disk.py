"""A running service whose disk is full, read-only or damaged: clear answers, and the rest goes on.

A disk of a given size, or a read-only one, is mounted where only the service sees it, for which
the machine has to let users make namespaces.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.test_kills import FORM, Service, rows

Serve = Callable[..., Service]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a service in the test's directory."""
    services = []

    def start(**options: Any) -> Service:
        services.append(Service(tmp_path, **options))
        return services[-1]

    yield start
    for service in services:
        service.kill()


def namespace(script: str, *arguments: object) -> list[str]:
    """What runs a command where a script has mounted something, as $0, before."""
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{script} && exec "$@"']
    return [*prefix, *map(str, arguments)]


@pytest.fixture
def mounts(tmp_path: Path) -> None:
    """Skips where users may not mount."""
    if not shutil.which("unshare"):
        pytest.skip("this machine has no unshare")
    (tmp_path / "data").mkdir()
    tried = namespace('mount -t tmpfs -o size=1m tmpfs "$0"', tmp_path / "data", "true")
    if subprocess.run(tried, capture_output=True).returncode:
        pytest.skip("this machine lets users mount nothing")


def noise(start: int, size: int = 10_000) -> str:
    """Points that take as much room as points can."""
    return rows({float(t): random.random() for t in range(start, start + size)})


def limit_files() -> None:
    """Let no file of this process grow past 2 MiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))


def fill(service: Service, path: str) -> tuple[int, dict[str, Any], int]:
    """Upload until it is refused: its status and problem, and how many points were stored."""
    for start in range(0, 10_000_000, 10_000):
        status, body = service.send("POST", path, noise(start))
        if status != 204:
            return status, json.loads(body), start
    raise AssertionError("the disk is larger than it should be")


def test_a_service_that_may_write_no_more_refuses_and_goes_on(serve: Serve) -> None:
    service = serve(preexec_fn=limit_files)  # to SQLite an error of the disk
    small, large = service.create(), service.create()
    status, problem, stored = fill(service, large)
    assert (status, problem["status"], problem["title"]) == (503, 503, "Service Unavailable")
    assert len(service.points(large)) == stored
    assert service.send("POST", small, "value=3&timestamp=1", FORM)[0] == 204
    assert service.points(small) == {1.0: 3.0}


def test_a_full_disk_is_told_and_reading_goes_on(
    serve: Serve, mounts: None, tmp_path: Path
) -> None:
    service = serve(wrapper=namespace('mount -t tmpfs -o size=8m tmpfs "$0"', tmp_path / "data"))
    small, large = service.create(), service.create()
    assert service.send("POST", small, "value=3&timestamp=1", FORM)[0] == 204
    status, problem, stored = fill(service, large)
    assert (status, problem["status"]) == (507, 507)
    assert "disk is full" in problem["detail"]
    assert len(service.points(large)) == stored
    assert service.points(small) == {1.0: 3.0}
    assert large.rstrip("/") in service.log()

    entered = ["nsenter", "--preserve-credentials", "--user", "--mount", "-t", service.process.pid]
    more_room = ["mount", "-o", "remount,size=32m", tmp_path / "data"]
    subprocess.run([*map(str, entered), *more_room], check=True)
    assert service.send("POST", large, noise(stored))[0] == 204
    assert service.send("POST", small, "value=4&timestamp=2", FORM)[0] == 204
    assert service.send("DELETE", large)[0] == 204
    assert service.points(small) == {1.0: 3.0, 2.0: 4.0}


def test_a_read_only_disk_is_told_at_the_start(serve: Serve, mounts: None, tmp_path: Path) -> None:
    serve().kill()
    read_only = namespace('mount --bind -o ro "$0" "$0"', tmp_path / "data")
    with pytest.raises(AssertionError, match="did not start"):
        Service(tmp_path, wrapper=read_only)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "can't write to the data directory" in line
    assert "Read-only file system" in line
    assert "--data" in line


def test_a_write_that_is_stored_is_acknowledged_though_the_disk_fills_behind_it(
    serve: Serve, tmp_path: Path
) -> None:
    """The bytes that it replaced are swept later: that fails here, and only that."""
    service = serve()
    path = service.create()
    assert service.send("PUT", path, noise(0))[0] == 204
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE DELETE ON bodies"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    assert service.send("PUT", path, noise(50))[0] == 204
    assert service.send("POST", path, noise(60))[0] == 204
    assert min(service.points(path)) == 50.0
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        db.execute("DROP TRIGGER full")
    assert service.send("DELETE", path)[0] == 204
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM bodies").fetchone() == (0,)


def damage(home: Path) -> None:
    with closing(sqlite3.connect(home / "data/timetric.sqlite3")) as db:
        db.execute("UPDATE bodies SET vals = zeroblob(length(vals)) WHERE key = 1")
        db.commit()


def test_a_damaged_block_is_an_error_of_its_series_alone(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    damaged, sound = service.create(), service.create()
    assert service.send("POST", damaged, noise(0))[0] == 204
    damage(tmp_path)
    assert service.send("POST", sound, noise(1000))[0] == 204
    for method, query, body in [
        ("GET", "csv/?limit=10", ""),
        ("POST", "", noise(100, 1000)),
        ("POST", "", noise(100, 1)),
    ]:
        status, reply = service.send(method, damaged + query, body)
        assert status == 500
        assert json.loads(reply)["status"] == 500
    assert damaged.rstrip("/") in service.log()
    assert "checksum" in service.log()
    assert service.send("GET", f"{damaged}csv/")[0] == 500
    assert service.send("GET", f"{damaged}csv/?after=9000")[1].count(b"\n") == 999
    assert service.send("POST", damaged, "value=3", FORM)[0] == 204
    assert json.loads(service.send("GET", f"{damaged}value/json/")[1])["value"] == 3.0
    assert len(service.points(sound)) == 10_000
    assert service.send("PUT", damaged, noise(0))[0] == 204
    assert len(service.points(damaged)) == 10_000


def test_damage_that_is_met_late_ends_the_reply_unfinished(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    damaged = service.create()
    assert service.send("POST", damaged, noise(0, 100_000))[0] == 204
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        db.execute("UPDATE bodies SET vals = x'00' WHERE key = (SELECT max(key) FROM bodies)")
        db.commit()
    status, reply = service.send("GET", f"{damaged}csv/")
    assert status == 200
    assert reply.endswith(b"unfinished: the rest can not be read\n")
    assert damaged.strip("/").rpartition("/")[2] in service.log()
    assert "checksum" in service.log()


def test_a_body_that_finds_no_room_is_told_so(serve: Serve) -> None:
    service = serve(preexec_fn=limit_files)
    series = service.create()
    status, reply = service.send("POST", series, "1,2\n" * (1 << 20))
    assert status == 507
    assert json.loads(reply)["status"] == 507
    assert service.points(series) == {}
