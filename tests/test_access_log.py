"""The log of a running service: a line a request that nobody can forge, and each error's cause."""

from __future__ import annotations

import http.client
import json
import logging
import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.service import Reply
from tests.test_kills import FORM, Service
from tests.test_serve import HANG, Machine, eventually, machine
from tests.test_service_disk import damage, fill, limit_files, mounts, namespace, noise, serve
from timetric.server.access_log import reason
from timetric.server.logs import JsonFormatter, TextFormatter
from timetric.timestamps import shown as quoted

__all__ = ["machine", "mounts", "serve"]  # fixtures

Serve = Callable[..., Service]

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) INFO (?P<method>\S+) (?P<path>\S+)"
    r" (?P<status>\d{3}) (?P<seconds>\d+\.\d{6}) s, (?P<bytes>\d+) bytes,"
    r" request (?P<request_id>[0-9a-f]{16})(?P<broke_off>, broke off)?(: (?P<reason>.+))?"
)


def ask(service: Service, method: str, path: str, body: str = "", kind: str = "text/csv") -> Reply:
    """The owner's request, just as it is given."""
    connection = service.connect()
    try:
        connection.request(method, path, body, {**service.headers, "Content-Type": kind})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    except http.client.IncompleteRead as error:
        return Reply(response.status, response.headers, error.partial)
    finally:
        connection.close()


def lines_of(service: Service, request_id: str) -> list[str]:
    """All that the log says under a request's ID, once its access line is there."""
    found: list[str] = []

    def is_told() -> bool:
        found[:] = [line for line in service.log().splitlines() if request_id in line]
        return any(LINE.fullmatch(line) or '"timetric.access"' in line for line in found)

    assert eventually(is_told), service.log()
    return found


def access_of(service: Service, reply: Reply) -> dict[str, Any]:
    (line,) = lines_of(service, reply.headers["Request-Id"])
    match = LINE.fullmatch(line)
    assert match, line
    return match.groupdict()


def secret_of(service: Service) -> str:
    home_config = service.home / "config/timetric/config.json"
    return str(json.loads(home_config.read_text())["apitoken_secret"])


def test_each_request_has_a_line(serve: Serve) -> None:
    service = serve()
    series = service.create()
    assert ask(service, "POST", series, "value=3", FORM).status == 204
    reply = ask(service, "GET", f"{series}csv/?start=0&note=confidential")
    line = access_of(service, reply)
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{series}csv/", "200")
    assert int(line["bytes"]) == len(reply.body) > 0
    assert line["broke_off"] is None
    head = ask(service, "HEAD", f"{series}csv/")
    assert access_of(service, head)["bytes"] == "0"
    absent = ask(service, "GET", "/nowhere/")
    line = access_of(service, absent)
    assert (line["status"], int(line["bytes"])) == ("404", len(absent.body))
    assert "confidential" not in service.log()
    assert secret_of(service) not in service.log()


def test_no_secret_is_logged(serve: Serve) -> None:
    service = serve()
    for path in (
        "/account/sign-in/SECRET/",
        "/account/sign%2Din/SECRET",
        "//account/sign-in/SECRET",
    ):
        line = access_of(service, ask(service, "GET", path))
        assert line["path"].endswith("/account/sign-in/...")
    line = access_of(service, ask(service, "GET", "/?oauth_token=SECRET&oauth_signature=SECRET"))
    assert line["path"] == "/"
    assert "SECRET" not in service.log()
    assert service.headers["Authorization"].split()[1] not in service.log()


FORGERIES = [
    "/a%0D%0A2026-01-01T00:00:00.000Z%20INFO%20FORGED",
    "/a%0AFORGED",
    "/%1B%5B2J%1B%5D0;FORGED%07",
    "/%E2%80%AEFORGED%E2%80%A8FORGED",
    "/%C2%85FORGED%00%7F",
    "/%FF%FEFORGED",
    "/a%20%22FORGED%5C",
    "/" + "FORGED%0A" * 500,
]


NO_VALUE = "'…' is no value (a number, null, true or false)."
NO_TIMESTAMP = "timestamp: '…' is no timestamp (Unix seconds or ISO 8601)."
#: A request, and what the log says of it.
REFUSALS = [
    ("1,2\n7,SECRET\n", "text/csv", f"line 2: {NO_VALUE}"),
    ("value=SECRET", FORM, NO_VALUE),
    ("value=%27SECRET%22%E2%80%A6+SECRET", FORM, NO_VALUE),
    ("value=1&timestamp=" + "SECRET" * 100, FORM, NO_TIMESTAMP),
    ("1,2", "multipart/form-data; boundary=SECRET", "unexpected form structure."),
]


@pytest.mark.parametrize("flags", [(), ("--log-json",)])
def test_it_is_told_why_a_request_was_refused_and_not_what_was_sent(
    serve: Serve, flags: tuple[str, ...]
) -> None:
    service = serve(flags=flags)
    series = service.create()
    told = list[str]()
    for body, kind, _ in REFUSALS:
        reply = ask(service, "POST", series, body, kind)
        (line,) = lines_of(service, reply.headers["Request-Id"])
        match = None if flags else LINE.fullmatch(line)
        told.append(match["reason"] if match else json.loads(line)["reason"])
    assert told == [expected for *_, expected in REFUSALS]
    assert "SECRET" not in service.log()
    page = ask(service, "POST", "/account/sign-in/", "name=SECRET&password=SECRET", FORM)
    (line,) = lines_of(service, page.headers["Request-Id"])
    assert "not sent from a page of this service" in line
    assert "SECRET" not in line


@given(text=st.text(), other=st.text())
@example(text="'\"…'SECRET", other="a\\")
@example(text="x" * 59 + "\\" * 9, other="it's")
def test_no_quoted_text_is_told(text: str, other: str) -> None:
    detail = f"It can't be: {quoted(text)} isn't as {quoted(other)} is."
    assert reason(detail) == "It can't be: '…' is."


@pytest.mark.parametrize("flags", [(), ("--log-json",)])
def test_no_line_can_be_forged(serve: Serve, flags: tuple[str, ...]) -> None:
    service = serve(flags=flags)
    for path in FORGERIES:
        (line,) = lines_of(service, ask(service, "GET", path).headers["Request-Id"])
        assert "FORGED" in line
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", line)
        assert len(line) < 3000
    for line in service.log().splitlines():
        match = LINE.fullmatch(line)
        shown = json.loads(line)["path"] if flags else match and match["path"]
        assert re.fullmatch(r"[!-~]+", shown), line


def test_each_line_can_be_json(serve: Serve, tmp_path: Path) -> None:
    service = serve(flags=["--log-json"])
    series = service.create()
    assert ask(service, "POST", series, noise(0)).status == 204
    damage(tmp_path)
    reply = ask(service, "GET", f"{series}csv/")
    assert reply.status == 500
    request_id = reply.headers["Request-Id"]
    records = [json.loads(line) for line in lines_of(service, request_id)]
    (access,) = (record for record in records if record["logger"] == "timetric.access")
    (fault,) = (record for record in records if record["logger"] != "timetric.access")
    assert (access["request_id"], fault["request_id"]) == (request_id, request_id)
    assert (access["method"], access["path"], access["status"]) == ("GET", f"{series}csv/", 500)
    assert (access["bytes"], access["broke_off"]) == (len(reply.body), False)
    assert access["seconds"] > 0
    assert fault["level"] == "ERROR"
    assert "checksum" in fault["traceback"]
    assert all(json.loads(line)["time"].endswith("Z") for line in service.log().splitlines())


def test_requests_need_not_have_lines(serve: Serve, tmp_path: Path) -> None:
    service = serve(flags=["--no-access-log"])
    series = service.create()
    assert ask(service, "POST", series, noise(0)).status == 204
    damage(tmp_path)
    request_id = ask(service, "GET", f"{series}csv/").headers["Request-Id"]
    service.process.terminate()
    service.process.wait(30)
    assert f"request {request_id}" in service.log()
    assert "POST" not in service.log()


def test_the_last_lines_are_written_when_the_service_ends(serve: Serve) -> None:
    service = serve()
    ids = [ask(service, "GET", "/health/").headers["Request-Id"] for _ in range(20)]
    service.process.terminate()
    assert service.process.wait(30) == 0
    assert [request_id for request_id in ids if request_id not in service.log()] == []


def test_the_cause_of_an_error_is_found_by_its_request(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    series = service.create()
    assert ask(service, "POST", series, noise(0)).status == 204
    damage(tmp_path)
    reply = ask(service, "GET", f"{series}csv/")
    assert reply.status == 500
    first, access = lines_of(service, reply.headers["Request-Id"])
    assert f"ERROR request {reply.headers['Request-Id']} failed: GET {series}csv/" in first
    assert LINE.fullmatch(access)["status"] == "500"  # type: ignore[index]
    told = service.log().partition(first)[2]
    trace = [line for line in told.splitlines() if line.startswith("  | ")]
    assert "checksum" in trace[-1]


def test_the_cause_of_a_write_that_was_refused_is_found(serve: Serve) -> None:
    service = serve(preexec_fn=limit_files)
    series = service.create()
    replies = (ask(service, "POST", series, noise(start)) for start in range(0, 10**7, 10_000))
    reply = next(reply for reply in replies if reply.status != 204)
    assert reply.status == 503
    (cause, _) = lines_of(service, reply.headers["Request-Id"])
    assert "disk I/O error" in cause or "disk is full" in cause
    reply = ask(service, "POST", series, "1,2\n" * (1 << 20))
    assert reply.status == 507
    (cause, _) = lines_of(service, reply.headers["Request-Id"])
    assert "no room for the body: File too large" in cause


def test_a_full_disk_is_found(serve: Serve, mounts: None, tmp_path: Path) -> None:
    service = serve(wrapper=namespace('mount -t tmpfs -o size=8m tmpfs "$0"', tmp_path / "data"))
    series = service.create()
    _, _, stored = fill(service, series)
    reply = ask(service, "POST", series, noise(stored))
    assert reply.status == 507
    (cause, _) = lines_of(service, reply.headers["Request-Id"])
    assert "database or disk is full" in cause


def test_a_reply_that_broke_off_is_told_as_such(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    series = service.create()
    assert ask(service, "POST", series, noise(0, 100_000)).status == 204
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        db.execute("UPDATE bodies SET vals = x'00' WHERE key = (SELECT max(key) FROM bodies)")
        db.commit()
    reply = ask(service, "GET", f"{series}csv/")
    lines = lines_of(service, reply.headers["Request-Id"])
    match = LINE.fullmatch(lines[-1])
    assert match and match["broke_off"]
    assert (match["status"], int(match["bytes"])) == ("200", len(reply.body))
    assert "the reply breaks off" in lines[0]
    assert "checksum" in service.log()


def test_a_peer_that_leaves_is_told(serve: Serve) -> None:
    service = serve()
    series = service.create()
    body = noise(0, 1_000_000)
    assert ask(service, "POST", series, body).status == 204
    host, port = service.netloc.split(":")
    with socket.create_connection((host, int(port))) as peer:
        fields = {"Host": service.netloc, **service.headers}
        head = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
        peer.sendall(f"GET {series}csv/ HTTP/1.1\r\n{head}\r\n".encode())
        start = peer.recv(4096).decode("latin-1")
    request_id = re.search(r"(?i)request-id: (\w+)", start)
    assert request_id
    (line,) = lines_of(service, request_id[1])
    match = LINE.fullmatch(line)
    assert match and match["broke_off"]
    assert int(match["bytes"]) < len(body)


def test_a_log_that_nobody_reads_holds_up_nobody(machine: Machine) -> None:
    service = machine.serve("--access-log")  # its standard error is a pipe
    connection = http.client.HTTPConnection(*service.address, timeout=HANG)
    for _ in range(300):  # more than the pipe takes
        connection.request("GET", "/" + 900 * "x")
        assert connection.getresponse().read()
    connection.close()
    assert service.stop() == 0


def raised(text: str) -> tuple[type[BaseException], BaseException, None]:
    return ValueError, ValueError(text), None


def test_no_line_can_be_forged_by_what_an_error_says() -> None:
    forged = "no\r\n2026-01-01T00:00:00.000Z INFO forged\x1b[2J\u2028\udcff"
    for message, exc_info in [(forged, None), ("the service failed", raised(forged))]:
        record = logging.LogRecord("timetric", logging.ERROR, "", 0, message, None, exc_info)
        first, *following = TextFormatter().format(record).split("\n")
        assert all(line.startswith("  | ") for line in following)
        assert "ERROR" in first
        assert re.search(r"[\x00-\x1f\x7f\u2028\udcff]", "".join([first, *following])) is None
        told = json.loads(JsonFormatter().format(record))
        assert "forged" in told["message"] + told.get("traceback", "")
        assert "\n" not in JsonFormatter().format(record)


def test_warnings_at_the_start_are_json_too(machine: Machine) -> None:
    service = machine.serve("--host", "0.0.0.0", "--log-json", "--access-log")
    service.stop()
    assert service.process.stderr is not None
    lines = [json.loads(line) for line in service.process.stderr.read().splitlines()]
    assert "IN CLEAR" in lines[0]["message"]
    assert [line["level"] for line in lines] == ["WARNING", "INFO"]
