"""timetric doctor: what it finds, and that it shows no secret and changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT
from tests.misbehaving import answer, misbehaving
from tests.misbehaving import http as reply
from tests.service import Service, running_service
from tests.test_serve import Machine, machine
from tests.test_service_disk import damage
from timetric.server.credentials import make_token
from timetric.server.storage import Quota, open_storage

__all__ = ["machine"]  # a fixture

LINE = re.compile(r"(ok|warn|FAIL) +(\w+) +(\S.*)")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        running.clock.now = time.time()
        yield running


class Doctor:
    """A shell in a home of its own; the config is written as a person would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "config.json"
        kept = {name: text for name, text in os.environ.items() if "TIMETRIC" not in name}
        self.environment = {**kept, "HOME": str(home), "TIMETRIC_CONFIG": str(self.config)}
        self.environment["PYTHONPATH"] = str(ROOT)
        self.status = -1
        self.output = ""

    def write(self, config: dict[str, Any], mode: int = 0o600) -> None:
        self.config.write_text(json.dumps(config))
        self.config.chmod(mode)

    def says(self, *flags: str) -> dict[str, list[tuple[str, str]]]:
        """What it found, by what it looked at."""
        run = subprocess.run(
            [sys.executable, "-m", "timetric", "doctor", *flags],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.status, self.output = run.returncode, run.stdout + run.stderr
        found: dict[str, list[tuple[str, str]]] = {}
        for line in run.stdout.splitlines():
            match = LINE.fullmatch(line)
            assert match, self.output
            found.setdefault(match[2], []).append((match[1], match[3]))
        failed = [line for line in run.stdout.splitlines() if line.startswith("FAIL")]
        assert self.status == (1 if failed else 0), self.output
        return found


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


def test_where_all_is_well_it_says_so(service: Service, doctor: Doctor) -> None:
    doctor.write(service.config)
    before = service.owner_sends("GET", "/search/results.json?u=me").body
    found = doctor.says()
    outcomes = {outcome for lines in found.values() for outcome, _ in lines}
    assert (outcomes, doctor.status) == ({"ok"}, 0), doctor.output
    assert [*found] == [
        *("versions", "extras", "config", "url", "health", "clock", "credentials", "storage")
    ]
    assert found["config"] == [("ok", f"{doctor.config}: an API token")]
    assert found["credentials"] == [("ok", "good, for reading and writing")]
    assert service.owner_sends("GET", "/search/results.json?u=me").body == before
    assert service.config["apitoken_secret"] not in doctor.output


def test_no_config_and_a_broken_one_are_told(doctor: Doctor) -> None:
    found = doctor.says()
    assert found["config"][0][0] == "FAIL"
    assert "timetric serve" in found["config"][0][1]
    for text in ("{", "[]", '{"apitoken_key": "hush-hush"}'):
        doctor.config.write_text(text)
        doctor.config.chmod(0o600)
        assert doctor.says()["config"][0][0] == "FAIL"
        assert "hush-hush" not in doctor.output


def test_a_config_that_others_read_and_slips_of_the_pen_are_told(
    service: Service, doctor: Doctor
) -> None:
    doctor.write({**service.config, "authtyp": "x"}, mode=0o644)
    told = [text for outcome, text in doctor.says()["config"] if outcome == "warn"]
    assert any("nobody reads authtyp" in text for text in told)
    assert any(f"run: chmod 600 {doctor.config}" in text for text in told)


def test_credentials_in_the_environment_are_told_ahead_of_the_file(
    service: Service, doctor: Doctor
) -> None:
    doctor.write({"url": "http://127.0.0.1:1/"})
    for key, text in service.config.items():
        doctor.environment[f"TIMETRIC_{key.upper()}"] = text
    found = doctor.says()
    assert found["config"][0] == ("ok", "the environment: an API token")
    assert found["config"][1][0] == "warn"
    assert found["credentials"][0][0] == "ok"


def test_a_service_that_is_not_there_is_told(service: Service, doctor: Doctor) -> None:
    doctor.write({**service.config, "url": "http://127.0.0.1:1/"})
    found = doctor.says()
    assert found["url"][0][0] == "FAIL"
    assert "http://127.0.0.1:1/" in found["url"][0][1]
    assert "credentials" not in found, "what can't be known is not guessed"


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"info": {"title": "Another", "version": 2}}']
)
def test_something_else_than_a_timetric_service_gets_no_credentials(
    doctor: Doctor, body: bytes
) -> None:
    config = {"authtype": "apitoken", "apitoken_key": "k", "apitoken_secret": "hush-hush"}
    with misbehaving(answer(reply(body=body))) as other:
        doctor.write({**config, "url": other.url})
        assert doctor.says()["url"][0][0] == "FAIL"
    assert "something else" in doctor.output
    assert [each.headers.get("authorization") for each in other.requests] == [None]


def test_wrong_revoked_read_only_and_full_are_told_apart(service: Service, doctor: Doctor) -> None:
    accounts = service.storage.accounts
    doctor.write({**service.config, "apitoken_secret": "guessed"})
    assert doctor.says()["credentials"][0][0] == "FAIL"
    assert "guessed" not in doctor.output
    limited = {"read-only": {"read_only": True}, "expired": {"expires": service.clock() - 60}}
    for name, limits in limited.items():
        token, secret = make_token(
            accounts,
            service.owner,
            name,
            clock=service.clock,
            **limits,  # type: ignore[arg-type]
        )
        limited[name] = {"apitoken_key": token.key, "apitoken_secret": secret}
    doctor.write({**service.config, **limited["read-only"]})
    outcome, text = doctor.says()["credentials"][0]
    assert (outcome, doctor.status) == ("warn", 0)
    assert "read-only" in text
    doctor.write({**service.config, **limited["expired"]})
    outcome, text = doctor.says()["credentials"][0]
    assert outcome == "FAIL"
    assert "expired" in text
    accounts.set_quota(accounts.user("other"), Quota(series=0, points=0))
    doctor.write(service.other_config)
    assert doctor.says()["credentials"][0][0] == "warn"


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(-30, "warn"), (-400, "FAIL"), (400, "FAIL"), (0, "ok")]
)
def test_a_clock_that_is_wrong_is_told(
    service: Service, doctor: Doctor, seconds: float, outcome: str
) -> None:
    service.clock.now = time.time() + seconds
    doctor.write(service.config)
    [found] = doctor.says()["clock"]
    assert found[0] == outcome
    assert seconds == 0 or ("behind" if seconds > 0 else "ahead of") in found[1]
    service.clock.now = time.time()


def test_an_application_that_nobody_let_in_is_told(service: Service, doctor: Doctor) -> None:
    pytest.importorskip("oauth2")
    consumer = {"authtype": "oauth", "consumer_key": "k", "consumer_secret": "hush-hush"}
    doctor.write({"url": service.url, **consumer})
    [found] = doctor.says()["credentials"]
    assert found[0] == "warn"
    assert "timetric login --oauth" in found[1]
    token = {"oauth_token": "t", "oauth_secret": "hush-hush"}
    doctor.write({"url": service.url, **consumer, **token})
    assert doctor.says()["credentials"][0][0] == "FAIL"
    assert "hush-hush" not in doctor.output


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nok    credentials  forged\u202e"


@pytest.mark.parametrize("command", ["doctor", "ls"])
def test_what_a_service_says_moves_no_cursor_and_makes_no_line(
    doctor: Doctor, command: str
) -> None:
    """It may be another's than one thinks, and so may what it says of an error."""
    told = json.dumps({"detail": HOSTILE}).encode()
    problem = reply("400 Bad Request", told, content_type="application/problem+json")
    with misbehaving(answer(problem)) as other:
        config = {"authtype": "apitoken", "apitoken_key": "k", "apitoken_secret": "s"}
        doctor.write({**config, "url": other.url})
        run = subprocess.run(
            [sys.executable, "-m", "timetric", command],
            env=doctor.environment,
            cwd=doctor.home,
            capture_output=True,
        )
    output = (run.stdout + run.stderr).decode()
    assert run.returncode == 1
    assert "owned" in output
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", output)
    assert "\nok    credentials" not in output


# the store


def test_a_running_services_store_is_well(machine: Machine, doctor: Doctor) -> None:
    running = machine.serve()
    doctor.write({**machine.config, "url": running.url})
    found = doctor.says("--data", str(machine.data), "--check")
    assert {outcome for lines in found.values() for outcome, _ in lines} == {"ok"}, doctor.output
    assert ("ok", "in use by a service, of our version") in found["storage"]
    assert found["check"] == [("ok", "every block and count is as it was written")]
    assert running.stop() == 0
    assert ("ok", "in use by nobody, of our version") in doctor.says("--data", str(machine.data))[
        "storage"
    ]


def test_a_database_is_looked_at_and_not_changed(doctor: Doctor, postgres: str) -> None:
    empty = urlsplit(postgres)._replace(path="/postgres").geturl()
    assert doctor.says("--data", empty)["storage"][0][0] == "FAIL"
    with closing(open_storage(postgres)):
        assert ("ok", "in use by a service, of our version") in doctor.says("--data", postgres)[
            "storage"
        ]
    found = doctor.says("--data", postgres, "--check")
    assert found["check"] == [("ok", "every block and count is as it was written")]


def test_a_store_that_others_can_read_is_told(machine: Machine, doctor: Doctor) -> None:
    machine.serve().stop()
    (machine.data / "secret.key").chmod(0o644)
    warned = [text for outcome, text in doctor.says("--data", str(machine.data))["storage"]]
    assert any(f"run: chmod go= {machine.data / 'secret.key'}" in text for text in warned)


def test_a_damaged_store_is_told(machine: Machine, doctor: Doctor) -> None:
    running = machine.serve()
    client = machine.client(running)
    client.create_series([(t, 1) for t in range(10_000)], title="T", caption="C")
    running.stop()
    (machine.home / "data").symlink_to(machine.data)
    damage(machine.home)
    assert doctor.says("--data", str(machine.data), "--check")["check"][0][0] == "FAIL"
    (machine.data / "timetric.sqlite3").write_bytes(b"no store" * 1000)
    assert doctor.says("--data", str(machine.data))["storage"][-1][0] == "FAIL"


def test_an_older_store_is_told_and_stays_as_it_is(doctor: Doctor, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    store = data / "timetric.sqlite3"
    store.write_bytes((ROOT / "tests/stores/version-1.sqlite3").read_bytes())
    store.chmod(0o600)
    before = store.read_bytes()
    outcome, text = doctor.says("--data", str(data), "--check")["storage"][-1]
    assert outcome == "warn"
    assert "back it up" in text
    assert store.read_bytes() == before


def test_a_directory_that_is_not_there_is_told_where_it_was_named(doctor: Doctor) -> None:
    assert doctor.says()["storage"][0][0] == "ok"
    assert doctor.says("--data", "nowhere")["storage"][0][0] == "FAIL"
