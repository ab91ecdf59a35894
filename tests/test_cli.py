"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import timetric
from tests.test_serve import HANG, Machine, eventually, new_series


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def assert_one_line(error: str, *parts: str) -> None:
    assert re.fullmatch(r"timetric: .+\n", error), error
    for part in parts:
        assert part in error


def accepts(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


# serve


def test_the_first_start_saves_a_config_with_which_a_client_works_at_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = machine.serve()
    assert service.lines == [
        f"Listening on {service.url}",
        f"Data in {machine.data}",
        f"Client config for the user owner saved as {machine.config_path}",
    ]
    for name in set(os.environ) - set(machine.environment):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(machine.home))
    series = new_series(timetric.TimetricClient())
    series.update([(1, 10)])
    assert series.latest() == (1.0, 10.0)


def test_what_the_first_start_makes_is_private(machine: Machine) -> None:
    machine.serve()
    directories = {machine.data, machine.config_path.parent}
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o700}
    files = {machine.config_path, *machine.data.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_later_start_leaves_the_config_alone_and_keeps_the_data(machine: Machine) -> None:
    first = machine.serve()
    id = new_series(machine.client(first)).id
    assert first.stop() == 0
    config = machine.config_path.read_bytes()

    second = machine.serve()
    assert machine.config_path.read_bytes() == config
    assert f"is there already: {machine.config_path}; to make a token: " in second.lines[2]
    assert machine.client(second).series(id).latest() == (None, None)


def test_where_a_config_is_there_no_token_is_made_and_the_command_told_makes_one(
    machine: Machine,
) -> None:
    machine.config_path.parent.mkdir(parents=True)
    machine.config_path.write_text("mine")
    service = machine.serve()
    assert machine.config_path.read_text() == "mine"
    assert machine.run("token", "list").stdout == ""

    how = service.lines[2].partition("to make a token: timetric ")[2]
    made = machine.run(*how.replace("NAME", "laptop").split())
    client = timetric.TimetricClient(json.loads(made.stdout))
    assert new_series(client).latest() == (None, None)


def test_an_account_whose_config_cannot_be_saved_still_gets_a_service(machine: Machine) -> None:
    machine.environment["HOME"] = "/dev/null"
    service = machine.serve("--data", machine.data)
    assert service.lines[2].startswith("No client config: can't save the config as /dev/null/")
    assert "to make a token: timetric token add" in service.lines[2]
    assert machine.run("token", "list").stdout == ""


def test_a_port_in_use_is_one_clear_line(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = machine.run("serve", "--port", port)
    assert done.returncode == 1
    assert_one_line(done.stderr, f"port {port}", "Address already in use", "--port")
    assert not machine.data.exists()


def test_a_second_service_on_the_port_does_not_start(machine: Machine) -> None:
    service = machine.serve()
    done = machine.run("serve", "--port", service.address[1], "--data", machine.home / "other")
    assert done.returncode == 1
    assert_one_line(done.stderr, "Address already in use")


def test_a_host_that_is_not_known_is_one_clear_line(machine: Machine) -> None:
    done = machine.run("serve", "--host", "no-such-host.invalid", "--port", "0")
    assert done.returncode == 1
    assert_one_line(done.stderr, "no-such-host.invalid", "--host")


def test_a_service_for_all_addresses_says_that_it_needs_a_base_url(machine: Machine) -> None:
    service = machine.serve("--host", "0.0.0.0")
    assert service.lines[1] == "Only this machine is answered without --base-url URL"
    assert machine.config["url"] == service.url.replace("0.0.0.0", "127.0.0.1")
    assert new_series(timetric.TimetricClient(machine.config)).latest() == (None, None)


def test_a_service_on_ipv6_works(machine: Machine) -> None:
    service = machine.serve("--host", "::1")
    assert service.url.startswith("http://[::1]:")
    assert new_series(machine.client(service)).latest() == (None, None)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["user", "list"]])
def test_a_data_directory_that_cannot_be_one_is_one_clear_line(
    machine: Machine, command: list[str]
) -> None:
    machine.data.write_text("a file")
    done = machine.run(*command)
    assert done.returncode == 1
    assert_one_line(done.stderr, str(machine.data), "--data")


@pytest.mark.skipif(not os.access("/proc/version", os.R_OK), reason="no /proc here")
def test_a_data_directory_that_cannot_be_written_is_one_clear_line(machine: Machine) -> None:
    done = machine.run("serve", "--port", "0", "--data", "/proc/timetric")
    assert done.returncode == 1
    assert_one_line(done.stderr, "/proc/timetric", "--data")


def test_a_data_directory_of_a_newer_version_is_one_clear_line(machine: Machine) -> None:
    assert machine.serve().stop() == 0
    (path,) = machine.data.glob("*.sqlite3")
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 1000000")
    database.close()
    done = machine.run("serve", "--port", "0")
    assert done.returncode == 1
    assert_one_line(done.stderr, "newer timetric", "upgrade")


def test_the_data_directory_can_be_elsewhere(machine: Machine) -> None:
    service = machine.serve("--data", "some where/else")
    assert service.lines[1] == f"Data in {machine.home / 'some where/else'}"
    assert not machine.data.exists()


def test_a_service_whose_output_nobody_reads_runs_all_the_same(machine: Machine) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        machine.command("serve", "--port", "0", "--no-access-log"),
        cwd=machine.home,
        env=machine.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        try:  # a service that goes on would be waited for
            assert eventually(machine.config_path.exists)
            assert eventually(lambda: machine.config_path.stat().st_size > 0)
            client = timetric.TimetricClient(machine.config)
            assert eventually(lambda: accepts(client.url))
            assert new_series(client).latest() == (None, None)
            process.terminate()
            _, errors = process.communicate(timeout=HANG)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")


# user and token, beside a running service


def test_a_user_and_their_token_are_added_beside_a_running_service(machine: Machine) -> None:
    service = machine.serve()
    assert machine.run("user", "add", "anna").returncode == 0
    names = [line.split("\t")[0] for line in machine.run("user", "list").stdout.splitlines()]
    assert names == ["anna", "owner"]

    made = machine.run("token", "add", "Anna's laptop", "--user", "anna", "--url", service.url)
    config = json.loads(made.stdout)
    assert sorted(config) == ["apitoken_key", "apitoken_secret", "authtype", "url"]
    assert (config["authtype"], config["url"]) == ("apitoken", service.url)
    hers = new_series(timetric.TimetricClient(config))
    assert hers.latest() == (None, None)
    with pytest.raises(timetric.NotFound):
        machine.client(service).series(hers.id).latest()


def test_a_revoked_token_is_refused_at_once(machine: Machine) -> None:
    service = machine.serve()
    client = machine.client(service)
    series = new_series(client)
    key = machine.config["apitoken_key"]
    assert machine.run("token", "revoke", key).returncode == 0
    with pytest.raises(timetric.NotAuthorized):
        series.latest()
    assert machine.run("token", "list").stdout == ""


def test_tokens_are_listed_without_their_secrets(machine: Machine) -> None:
    machine.serve()
    config = json.loads(machine.run("token", "add", "second", "--user", "owner").stdout)
    assert config["url"] == "http://127.0.0.1:8000/"
    listing = machine.run("token", "list").stdout
    rows = [line.split("\t") for line in listing.splitlines()]
    assert [row[:3] for row in rows] == [
        [config["apitoken_key"], "owner", "second"],
        [machine.config["apitoken_key"], "owner", "this machine"],
    ]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}\+00:00", row[3]) for row in rows)
    assert config["apitoken_secret"] not in listing


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (["user", "add", "owner"], "a user 'owner' already"),
        (["token", "add", "this machine", "--user", "owner"], "already"),
        (["token", "add", "x", "--user", "nobody"], "no user 'nobody'"),
        (["token", "revoke", "nokey"], "no token nokey"),
    ],
)
def test_what_the_store_refuses_is_one_clear_line(
    machine: Machine, command: list[str], fault: str
) -> None:
    machine.serve()
    done = machine.run(*command)
    assert done.returncode == 1
    assert_one_line(done.stderr, fault)


@pytest.mark.parametrize(
    "command",
    [
        ["user", "add", "anna"],
        ["user", "list"],
        ["token", "add", "x", "--user", "owner"],
        ["token", "list"],
        ["token", "revoke", "key"],
    ],
)
def test_a_mistyped_data_directory_is_not_made(machine: Machine, command: list[str]) -> None:
    done = machine.run(*command, "--data", "mistyped")
    assert done.returncode == 1
    assert_one_line(done.stderr, str(machine.home / "mistyped"), "--data")
    assert not (machine.home / "mistyped").exists()


# usage


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["sing"],
        ["user"],
        ["token", "add", "x"],
        ["token", "add", "", "--user", "owner"],
        ["token", "add", "a\nb", "--user", "owner"],
        ["user", "add", "me"],
        ["user", "add", "a b"],
        ["user", "add", "-x"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "http"],
        ["serve", "--por", "8000"],
        ["serve", "--base-url", "ts.example"],
        ["serve", "--base-url", "https://user:password@ts.example/"],
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(machine: Machine, command: list[str]) -> None:
    done = machine.run(*command)
    assert done.returncode == 2
    assert_one_line(done.stderr, "--help")
    assert "password" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["--help"], ["serve", "--help"], ["token", "add", "--help"]])
def test_help_is_printed_and_succeeds(machine: Machine, command: list[str]) -> None:
    done = machine.run(*command)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: timetric")


def test_without_the_server_extra_the_command_says_what_to_install(machine: Machine) -> None:
    """As on a machine with the core install: granian can't be found."""
    blocked = "import sys; sys.modules['granian'] = None; from timetric.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "serve"],
        cwd=machine.home,
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert_one_line(done.stderr, "pip install 'timetric[server]'")
    assert not machine.data.exists()


# demo


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(machine: Machine) -> None:
    scratch = machine.home / "scratch"
    scratch.mkdir()
    machine.environment["TMPDIR"] = str(scratch)
    machine.environment["TIMETRIC_APITOKEN_KEY"] = "the user's own, of another service"
    before = sorted(machine.home.rglob("*"))
    done = machine.run("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(machine.home.rglob("*")) == before

    answers = done.stdout.split(">>> ")
    assert [a.strip().split("\n")[1:] for a in answers if a.startswith(("co2.latest", "len("))] == [
        ["(1009584000.0, 371.5)"],
        ["2284"],
        ["(1011398400.0, 372.4)"],
        ["2288"],
    ]
    assert "\n(-371174400.0, 316.1)\n(-370569600.0, 317.3)\n(-369964800.0, 317.6)\n" in done.stdout
    assert "\n>>> list(co2)\n[]\n" in done.stdout
    assert "\n    timetric serve\n" in done.stdout


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_demo_that_is_stopped_cleans_up(
    machine: Machine, ending: signal.Signals, code: int
) -> None:
    scratch = machine.home / "scratch"
    scratch.mkdir()
    demo = subprocess.Popen(
        machine.command("demo"),
        cwd=machine.home,
        env={**machine.environment, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually(lambda: any(scratch.rglob("config.json")))
    demo.send_signal(ending)
    _, errors = demo.communicate(timeout=HANG)
    assert (demo.returncode, errors) == (code, "")
    assert list(scratch.iterdir()) == []


def test_a_demo_that_fails_says_so_in_one_line(machine: Machine) -> None:
    machine.environment["TMPDIR"] = str(machine.home)
    broken = "import sys; from timetric import cli, demo; "
    broken += "demo.SESSION = ['open(\"/no/such/file\")']; sys.exit(cli.main())"
    done = subprocess.run(
        [sys.executable, "-c", broken, "demo"],
        cwd=machine.home,
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert done.returncode == 1
    assert_one_line(done.stderr, "/no/such/file")
    assert list(machine.home.iterdir()) == []


# backup and check


def test_a_backup_of_a_running_service_is_a_store_with_everything_in_it(machine: Machine) -> None:
    series = new_series(machine.client(machine.serve()))
    series.update((t, t % 7) for t in range(10_000))
    (machine.home / "copy").mkdir()
    done = machine.run("backup", machine.home / "copy" / "timetric.sqlite3")
    assert done.returncode == 0, done.stderr

    checked = machine.run("check", "--data", machine.home / "copy")
    assert (checked.returncode, checked.stdout) == (0, "Everything is as it was written\n")
    copy = machine.serve("--data", machine.home / "copy")
    there = machine.client(copy).series(series.id)
    assert list(there) == list(series)


def test_a_backup_overwrites_nothing(machine: Machine) -> None:
    machine.serve()
    target = machine.home / "taken"
    target.write_text("mine")
    done = machine.run("backup", target)
    assert done.returncode == 1
    assert_one_line(done.stderr, "taken", "exists")
    assert target.read_text() == "mine"


def test_check_names_what_is_damaged(machine: Machine) -> None:
    series = new_series(machine.client(machine.serve()))
    series.update((t, t) for t in range(5000))
    with sqlite3.connect(machine.data / "timetric.sqlite3") as db:
        db.execute("UPDATE bodies SET vals = zeroblob(length(vals)) WHERE key = 1")
    done = machine.run("check")
    assert done.returncode == 1
    assert series.id in done.stdout
    assert "checksum" in done.stdout
    assert_one_line(done.stderr, "1 faults", "backup")


def test_durability_is_full_or_normal(machine: Machine) -> None:
    series = new_series(machine.client(machine.serve("--durability", "normal")))
    series.update(1)
    done = machine.run("serve", "--durability", "none")
    assert done.returncode == 2
    assert_one_line(done.stderr, "none")
