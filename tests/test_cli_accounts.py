"""Accounts from the command line, beside a running service; strangers; and https."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

import timetric
from tests.dancing import FORM
from tests.service import Reply, send
from tests.test_serve import HANG, Machine, machine  # noqa: F401
from timetric.timestamps import parse_timestamp

GOOD = "correct horse battery"
INSTANT = r"20\d\d-\d\d-\d\dT[\d:]{8}\+00:00"


def give_password(machine: Machine, name: str, text: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    return subprocess.run(
        machine.command("user", "passwd", name, "--stdin"),
        cwd=machine.home,
        env=machine.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=HANG,
    )


def sign_in(url: str, name: str, password: str) -> Reply:
    body = urlencode({"name": name, "password": password}).encode()
    headers = {**FORM, "Sec-Fetch-Site": "same-origin"}
    return send(url, "POST", "/account/sign-in/", body, headers)


def table(machine: Machine, *command: str) -> list[list[str]]:  # noqa: F811
    return [line.split("\t") for line in machine.run(*command).stdout.splitlines()]


def test_a_password_is_set_and_signs_in(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    assert sign_in(service.url, "owner", GOOD).status == 403
    done = give_password(machine, "owner", f"{GOOD}\n")
    assert (done.returncode, GOOD in done.stdout + done.stderr) == (0, False)
    signed = sign_in(service.url, "owner", GOOD)
    assert signed.status == 303
    cookie = {"Cookie": signed.headers["Set-Cookie"].partition(";")[0]}
    assert send(service.url, "GET", "/account/", headers=cookie).status == 200
    assert give_password(machine, "owner", "another password\r\n").returncode == 0
    assert send(service.url, "GET", "/account/", headers=cookie).status == 303
    assert sign_in(service.url, "owner", "another password").status == 303


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("owner", "short\n", "8 to 1024"),
        ("owner", "", "8 to 1024"),
        ("nobody", f"{GOOD}\n", "nobody"),
    ],
)
def test_a_password_that_does_not_do_is_one_clear_line(
    machine: Machine,  # noqa: F811
    name: str,
    text: str,
    reason: str,
) -> None:
    machine.serve()
    failed = give_password(machine, name, text)
    assert failed.returncode == 1
    assert re.fullmatch(rf"timetric: .*{reason}.*\n", failed.stderr)


@pytest.mark.parametrize(("again", "code"), [(GOOD, 0), ("something else", 1)])
def test_a_password_is_asked_for_twice_without_an_echo(
    machine: Machine,  # noqa: F811
    again: str,
    code: int,
) -> None:
    service = machine.serve()
    status, shown = type_password(machine, GOOD, again)
    assert (status, GOOD in shown, again in shown) == (code, False, False)
    assert sign_in(service.url, "owner", GOOD).status == (403 if code else 303)


def type_password(machine: Machine, *typed: str) -> tuple[int, str]:  # noqa: F811
    """What becomes of the command at a terminal, where each text is typed once asked for."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(machine.home)
        command = machine.command("user", "passwd", "owner")
        os.execvpe(command[0], command, machine.environment)
    shown = ""
    for text in typed:
        asked = len(shown)
        while ": " not in shown[asked:]:
            shown += os.read(terminal, 4096).decode()
        os.write(terminal, f"{text}\n".encode())
    while piece := read_terminal(terminal):
        shown += piece
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown


def read_terminal(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode()
    except OSError:  # Linux says so when the other end has gone
        return ""


def test_a_disabled_user_is_refused_until_enabled(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    series = machine.client(service).create_series(title="Power", caption="Of the office")
    assert machine.run("user", "disable", "owner").returncode == 0
    with pytest.raises(timetric.NotAuthorized):
        series.latest()
    assert table(machine, "user", "list")[0][:3] == ["owner", "disabled", "no password"]
    assert machine.run("user", "enable", "owner").returncode == 0
    assert series.latest() == (None, None)
    assert table(machine, "user", "list")[0][1] == "enabled"
    assert machine.run("user", "disable", "nobody").returncode == 1


def test_a_user_is_removed_only_when_told_twice(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    machine.run("user", "add", "anna")
    config = json.loads(machine.run("token", "add", "laptop", "--user", "anna").stdout)
    client = timetric.TimetricClient({**config, "url": service.url}, retries=0)
    series = client.create_series([(1, 1), (2, 2), (3, 3)], title="Hers", caption="Anna's")
    asked = machine.run("user", "remove", "anna")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert re.fullmatch(
        r"timetric: .* 1 series, 3 points, 1 tokens, 0 applications; .* --yes\n", asked.stderr
    )
    assert len(series.csv().splitlines()) == 3
    assert machine.run("user", "remove", "anna", "--yes").returncode == 0
    with pytest.raises(timetric.NotAuthorized):
        series.csv()
    with pytest.raises(timetric.NotFound):
        machine.client(service).series(series.id).csv()
    assert [row[0] for row in table(machine, "user", "list")] == ["owner"]
    assert machine.run("check").returncode == 0
    assert machine.run("user", "remove", "anna", "--yes").returncode == 1


def test_tokens_are_made_read_only_and_for_a_time(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    series = machine.client(service).create_series([(1, 1)], title="Power", caption="Office")
    flags = ("--user", "owner", "--read-only", "--expires", "30d", "--url", service.url)
    config = json.loads(machine.run("token", "add", "dashboard", *flags).stdout)
    reader = timetric.TimetricClient(config, retries=0).series(series.id)
    assert reader.latest() == (1.0, 1.0)
    with pytest.raises(timetric.TimetricClientError, match="read-only"):
        reader.update([(2, 2)])
    rows = {row[2]: row[4:] for row in table(machine, "token", "list")}
    assert rows["dashboard"][0] == "read-only"
    assert all(re.fullmatch(INSTANT, instant) for instant in rows["dashboard"][1:])
    assert rows["this machine"][:2] == ["read-write", "never"]


def test_applications_are_made_read_only_and_for_a_time(
    machine: Machine,  # noqa: F811
) -> None:
    service = machine.serve()
    flags = ("--user", "owner", "--read-only", "--expires", "2099-12-31", "--url", service.url)
    config = json.loads(machine.run("app", "add", "Plotter", *flags).stdout)
    token = machine.run("app", "token", config["consumer_key"], "--user", "owner")
    client = timetric.TimetricClient({**json.loads(token.stdout), "url": service.url}, retries=0)
    with pytest.raises(timetric.TimetricClientError, match="read-only"):
        client.create_series(title="Power", caption="Office")
    app, granted = table(machine, "app", "list")
    assert app[5:] == ["read-only", "2099-12-31T00:00:00+00:00", "-"]
    assert granted[5:7] == ["read-only", "2099-12-31T00:00:00+00:00"]
    assert re.fullmatch(INSTANT, granted[7])


@pytest.mark.parametrize("when", ["30", "30x", "-1d", "0s", "2009-03-11", "1236772800", "soon"])
def test_a_time_that_is_none_or_past_is_refused(machine: Machine, when: str) -> None:  # noqa: F811
    failed = machine.run("token", "add", "n", "--user", "owner", f"--expires={when}")
    assert failed.returncode == 2
    assert re.fullmatch(rf"timetric: .*{re.escape(when)}.*\n", failed.stderr)


@pytest.mark.parametrize(
    ("span", "seconds"), [("90s", 90), ("5min", 300), ("12h", 43200), ("2w", 1209600)]
)
def test_spans_are_counted_from_now(machine: Machine, span: str, seconds: int) -> None:  # noqa: F811
    machine.serve()
    before = time.time()
    machine.run("token", "add", "n", "--user", "owner", "--expires", span)
    [row] = [row for row in table(machine, "token", "list") if row[2] == "n"]
    ends = parse_timestamp(row[5])
    assert before + seconds - 1 <= ends <= time.time() + seconds


def test_strangers_sign_up_where_they_may_within_their_quota(
    machine: Machine,  # noqa: F811
) -> None:
    service = machine.serve("--open-signup", "--signup-series", "1", "--signup-points", "2")
    fields = {"name": "anna", "password": GOOD, "again": GOOD}
    headers = {**FORM, "Sec-Fetch-Site": "same-origin"}
    body = urlencode(fields).encode()
    assert send(service.url, "POST", "/account/sign-up/", body, headers).status == 303
    config = json.loads(machine.run("token", "add", "laptop", "--user", "anna").stdout)
    client = timetric.TimetricClient({**config, "url": service.url}, retries=0)
    series = client.create_series([(1, 1)], title="Hers", caption="Anna's")
    series.update([(2, 2)])
    for refused in (
        lambda: series.update([(3, 3)]),
        lambda: client.create_series(title="Second", caption="One too many"),
    ):
        with pytest.raises(timetric.TimetricClientError, match="may have"):
            refused()


def test_an_administrator_sets_the_quota_of_a_user(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    series = machine.client(service).create_series([(1, 1)], title="Power", caption="Office")
    assert table(machine, "user", "quota", "owner") == [
        ["series", "1", "none"],
        ["points", "1", "none"],
    ]
    shown = table(machine, "user", "quota", "owner", "--points", "2", "--series", "1")
    assert shown == [["series", "1", "1"], ["points", "1", "2"]]
    series.update([(2, 2)])
    for refused in (
        lambda: series.update([(3, 3)]),
        lambda: machine.client(service).create_series(title="Second", caption="Too many"),
    ):
        with pytest.raises(timetric.TimetricClientError, match="may have"):
            refused()
    shown = table(machine, "user", "quota", "owner", "--points", "none")
    assert shown == [["series", "1", "1"], ["points", "2", "none"]]
    series.update([(3, 3)])
    assert series.latest() == (3.0, 3.0)
    assert machine.run("user", "quota", "nobody").returncode == 1


@pytest.mark.parametrize("count", ["-1", "many", "1.5", ""])
def test_a_quota_that_is_no_number_is_refused(machine: Machine, count: str) -> None:  # noqa: F811
    failed = machine.run("user", "quota", "owner", f"--series={count}")
    assert failed.returncode == 2
    assert re.fullmatch(
        r"timetric: .*--series: .* is no whole number from 0 on; .*\n", failed.stderr
    )


# https


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for this machine, and of its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = str(directory / "cert.pem"), str(directory / "key.pem")
    make_certificate(cert, key)
    return cert, key


def make_certificate(cert: str, key: str) -> None:
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-out", cert, "-keyout", key], check=True, capture_output=True)


def test_the_service_speaks_https(machine: Machine, pair: tuple[str, str]) -> None:  # noqa: F811
    cert, key = pair
    service = machine.serve("--tls-cert", cert, "--tls-key", key)
    assert service.url.startswith("https://127.0.0.1:")
    assert machine.config["url"] == service.url
    run = subprocess.run(
        ["curl", "-sS", "-i", "--cacert", cert, f"{service.url}account/"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "location: /account/sign-in/?next=account" in run.stdout
    token = f"{machine.config['apitoken_key']}:{machine.config['apitoken_secret']}"
    create = ["-u", token, "-d", "title=a&caption=b", f"{service.url}create/"]
    run = subprocess.run(
        ["curl", "-sS", "--cacert", cert, *create], check=True, capture_output=True, text=True
    )
    assert run.stdout.startswith(f"{service.url}series/")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--tls-cert", "cert.pem"], "go together"),
        (["--tls-key", "key.pem"], "go together"),
        (["--tls-cert", "none.pem", "--tls-key", "key.pem"], "none.pem: No such file"),
        (["--tls-cert", "cert.pem", "--tls-key", "."], "Is a directory"),
        (["--tls-cert", "cert.der", "--tls-key", "key.pem"], "cert.der is no PEM"),
        (["--tls-cert", "cert.pem", "--tls-key", "locked.pem"], "locked.pem .*passphrase"),
        (["--tls-cert", "cert.pem", "--tls-key", "other.pem"], "cert.pem and .*other.pem"),
        (["--tls-cert", "key.pem", "--tls-key", "key.pem"], "key.pem and .*key.pem"),
    ],
)
def test_files_that_do_not_do_for_https_are_one_clear_line(
    machine: Machine,  # noqa: F811
    pair: tuple[str, str],
    flags: list[str],
    reason: str,
) -> None:
    for path in pair:
        (machine.home / Path(path).name).write_bytes(Path(path).read_bytes())
    make_certificate(str(machine.home / "theirs.pem"), str(machine.home / "other.pem"))
    (machine.home / "cert.der").write_bytes(b"0\x82\x03\x0d")
    lock = ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret", "-in", pair[1]]
    subprocess.run([*lock, "-out", machine.home / "locked.pem"], check=True, capture_output=True)
    failed = machine.run("serve", "--port", "0", *flags)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert re.fullmatch(rf"timetric: .*{reason}.*\n", failed.stderr)
    assert not machine.data.exists()


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        (["--host", "0.0.0.0"], True),
        (["--host", "0.0.0.0", "--base-url", "http://ts.example/"], True),
        (["--host", "0.0.0.0", "--base-url", "https://ts.example/"], False),
        (["--host", "0.0.0.0", "--tls-cert", "CERT", "--tls-key", "KEY"], False),
        (["--host", "127.0.0.1"], False),
    ],
)
def test_serving_others_without_https_is_warned_of_loudly(
    machine: Machine,  # noqa: F811
    pair: tuple[str, str],
    flags: list[str],
    warned: bool,
) -> None:
    files = dict(zip(("CERT", "KEY"), pair))
    service = machine.serve(*(files.get(flag, flag) for flag in flags))
    service.process.terminate()
    _, errors = service.process.communicate(timeout=HANG)
    assert ("IN CLEAR" in errors) is warned
