"""The service and its commands on a PostgreSQL database: several processes, keys and passwords."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import timetric
from tests.balancer import balancer
from tests.dancing import FORM
from tests.postgres import Databases, NoServer, Server, running_server
from tests.service import basic, send
from tests.test_serve import HANG, Machine, machine  # noqa: F401

GOOD = "correct horse battery"


@pytest.fixture
def empty(postgres_databases: Databases) -> Iterator[str]:
    """The URL of a database without tables."""
    url = postgres_databases.empty()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Machine]:
    """Another machine of the same service."""
    home = tmp_path / "beside"
    home.mkdir()
    other = Machine(home)
    yield other
    other.close()


def assert_one_line(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert done.returncode == 1
    assert re.fullmatch(rf"timetric: .*{says}.*\n", done.stderr), done.stderr
    assert done.stdout == ""


def test_two_processes_are_one_service(
    machine: Machine,  # noqa: F811
    beside: Machine,
    empty: str,
) -> None:
    on = ("--data", empty, "--secret-key-file", machine.home / "secret.key")
    first = machine.serve(*on)
    assert first.lines[1] == f"Data in {empty}"
    assert (machine.home / "secret.key").stat().st_mode & 0o777 == 0o600
    second = beside.serve(*on)
    assert "is not there; to make a token" in second.lines[2]  # the owner was there already

    here, there = machine.client(first), machine.client(second)
    series = here.create_series([(1, 2.0)], title="Power", caption="Drawn by the office")
    there.series(series.id).update([(2, 3.0)])
    assert list(series) == [(1.0, 2.0), (2.0, 3.0)]

    assert machine.run("user", "add", "ada", "--data", empty).returncode == 0
    command = machine.command("user", "passwd", "ada", "--stdin", "--data", empty)
    subprocess.run(command, env=machine.environment, input=GOOD, text=True, check=True)
    body = f"name=ada&password={GOOD.replace(' ', '+')}".encode()
    site = {**FORM, "Sec-Fetch-Site": "same-origin"}
    signed = send(first.url, "POST", "/account/sign-in/", body, site)
    cookie = {"Cookie": signed.headers["Set-Cookie"].partition(";")[0]}
    assert send(second.url, "GET", "/account/", headers=cookie).status == 200
    assert machine.run("user", "disable", "ada", "--data", empty).returncode == 0
    assert send(first.url, "GET", "/account/", headers=cookie).status == 303
    assert send(second.url, "GET", "/account/", headers=cookie).status == 303

    key = machine.config["apitoken_key"]
    assert machine.run("token", "revoke", key, "--data", empty).returncode == 0
    for url in (first.url, second.url):
        reply = send(url, "GET", f"/series/{series.id}/csv/", headers=basic(machine.config))
        assert reply.status == 401, "what was revoked lets in nowhere"


def test_several_that_start_first_at_once_all_start(
    machine: Machine,  # noqa: F811
    empty: str,
) -> None:
    on = ("--data", empty, "--secret-key-file", machine.home / "secret.key")
    with ThreadPoolExecutor(3) as pool:
        services = list(pool.map(lambda _: machine.serve(*on), range(3)))
    assert [send(service.url, "GET", "/health").status for service in services] == [200] * 3
    users = machine.run("user", "list", "--data", empty).stdout.splitlines()
    assert [line.partition("\t")[0] for line in users] == ["owner"]


def test_a_machine_without_the_key_that_others_have_is_refused(
    machine: Machine,  # noqa: F811
    postgres: str,
) -> None:
    on = ("--data", postgres, "--secret-key-file")
    machine.serve(*on, machine.home / "secret.key")
    missing = machine.home / "elsewhere.key"
    assert_one_line(machine.run("serve", *on, missing), "missing; bring it back.*another machine")
    missing.write_bytes(bytes(32))
    assert_one_line(machine.run("serve", *on, missing), "is not the secret key")


def test_with_a_database_the_key_file_has_to_be_named(
    machine: Machine,  # noqa: F811
    postgres: str,
) -> None:
    for command in (["serve"], ["app", "add", "Plotter", "--user", "owner"]):
        done = machine.run(*command, "--data", postgres)
        assert_one_line(done, "name its file with --secret-key-file")


@pytest.mark.parametrize(
    ("command", "url"),
    [
        (["serve"], "postgresql://a:hunter2@h/b"),
        (["user", "list"], "postgres://a@h/b?sslmode=x&password=hunter2"),
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    machine: Machine,  # noqa: F811
    command: list[str],
    url: str,
) -> None:
    done = machine.run(*command, "--data", url)
    assert done.returncode == 2
    assert "PGPASSWORD" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_command_makes_no_store_where_there_is_none(
    machine: Machine,  # noqa: F811
    empty: str,
    postgres_databases: Databases,
) -> None:
    done = machine.run("user", "add", "ada", "--data", empty)
    assert_one_line(done, "no store in that database; name the service's with --data")
    assert_one_line(machine.run("check", "--data", empty), "no store in that database")


def test_a_backup_is_left_to_pg_dump(machine: Machine, postgres: str) -> None:  # noqa: F811
    done = machine.run("backup", machine.home / "copy", "--data", postgres)
    assert_one_line(done, "pg_dump .*secret key file is not in it")
    assert not (machine.home / "copy").exists()


def test_a_database_that_is_not_there_is_told(machine: Machine) -> None:  # noqa: F811
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    on = ("--data", url, "--secret-key-file", machine.home / "secret.key")
    assert_one_line(machine.run("serve", *on), "database can't be reached.*Connection refused")
    assert not (machine.home / "secret.key").exists()


def test_without_the_extra_the_command_says_what_to_install(
    machine: Machine,  # noqa: F811
) -> None:
    """As where only timetric[server] was installed: psycopg can't be found."""
    blocked = (
        "import sys; sys.modules['psycopg'] = None; from timetric.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, "user", "list", "--data", "postgresql://a@b/c"],
        cwd=machine.home,
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert_one_line(done, r"pip install 'timetric\[postgres\]'")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that wants a password."""
    try:
        with running_server() as server:
            yield server
    except NoServer as error:
        pytest.skip(f"no PostgreSQL server: {error}")


def test_the_password_comes_from_where_postgresql_looks(
    machine: Machine,  # noqa: F811
    server: Server,
) -> None:
    url = server.url(host="127.0.0.1")
    on = ("--data", url, "--secret-key-file", machine.home / "secret.key")
    assert_one_line(machine.run("serve", *on), "can't be reached.*no password supplied")

    machine.environment["PGPASSWORD"] = server.password
    service = machine.serve(*on)
    assert send(service.url, "GET", "/health").status == 200
    del machine.environment["PGPASSWORD"]

    file = machine.home / ".pgpass"
    file.write_text(f"127.0.0.1:{server.port}:*:postgres:{server.password}\n")
    file.chmod(0o600)
    assert machine.run("user", "list", "--data", url).stdout.startswith("owner\t")
    assert service.stop() == 0
    said = "\n".join(service.lines) + (
        service.process.stderr.read() if service.process.stderr else ""
    )
    assert server.password not in said


def test_processes_that_are_restarted_one_by_one_lose_no_request(
    machine: Machine,  # noqa: F811
    empty: str,
) -> None:
    """Each write is done once, each read answered, while both are ended and started again."""
    on = ("--data", empty, "--secret-key-file", machine.home / "secret.key")
    services = [machine.serve(*on), machine.serve(*on)]
    stop = threading.Event()
    with balancer([service.address for service in services]) as front:
        config = {**machine.config, "url": front.url}
        with timetric.TimetricClient(config) as client:
            id = client.create_series(title="Visits", caption="So many").id

        def work(_: int) -> int:
            with timetric.TimetricClient(config) as client:
                series, done = client.series(id), 0
                while not stop.is_set():
                    series.increment(1)
                    done += 1
                    assert float(series) >= done
            return done

        with ThreadPoolExecutor(3) as pool:
            counts = [pool.submit(work, n) for n in range(3)]
            try:  # or they would go on for ever
                for place in (0, 1, 0):
                    time.sleep(0.5)
                    assert services[place].stop() == 0
                    services[place] = machine.serve(*on)
                    front.backends = [service.address for service in services]
            finally:
                stop.set()
            done = sum(count.result() for count in counts)
        with timetric.TimetricClient(config) as client:
            assert float(client.series(id)) == done == client.series(id).count()
    assert done > 0
