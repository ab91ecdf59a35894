"""Each status of the protocol's errors, provoked from a live service, and what comes with it."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT
from tests.service import NOON, Headers, Reply, Service, basic, running_service, send
from tests.test_kills import Service as Process
from tests.test_service_disk import limit_files
from tests.test_service_wire import answer
from timetric.server.openapi.replies import RESPONSES, name_of

CSV = {"Content-Type": "text/csv"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HANG = 30  # seconds


class Place(NamedTuple):
    """A service in this process, and a directory for others."""

    service: Service
    home: Path

    def posts(self, path: str, body: bytes, headers: Headers) -> Reply:
        return self.service.owner_sends("POST", path, body, headers)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "store").mkdir()
    with running_service(tmp_path / "store", max_body=1000, anonymous_rate="2/h") as service:
        yield Place(service, tmp_path)


def malformed(place: Place) -> Reply:
    return place.posts(place.service.create(), b"1,2\n3,x", CSV)


def no_credentials(place: Place) -> Reply:
    return place.service.send("GET", place.service.create())


def someone_elses(place: Place) -> Reply:
    other = {**CSV, **basic(place.service.other_config)}
    return place.service.send("POST", place.service.create(public=True), b"1,2", other)


def not_there(place: Place) -> Reply:
    return place.service.owner_sends("GET", f"/series/{'A' * 22}/")


def no_such_method(place: Place) -> Reply:
    return place.service.owner_sends("PATCH", place.service.create())


def no_such_form(place: Place) -> Reply:
    path = f"{place.service.create()}points/"
    return place.service.owner_sends("GET", path, headers={"Accept": "image/png"})


def too_slow(place: Place) -> Reply:
    """Of a body that is awaited nothing comes, and so the connection is ended."""
    process = Process(place.home)
    try:
        with socket.create_connection(tuple(process.netloc.split(":")), timeout=HANG) as connection:
            connection.sendall(head(process, "Content-Type: text/csv", "Content-Length: 5"))
            return cut_off(connection)
    finally:
        process.kill()


def cut_off(connection: socket.socket) -> Reply:
    """An answer that ends a byte too early, to end the connection with it."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    return Reply(response.status, response.headers, cut.value.partial)


def a_point_that_stands(place: Place) -> Reply:
    return place.posts(f"{place.service.create(b'1,2')}?on_conflict=error", b"1,3", CSV)


def no_length(place: Place) -> Reply:
    process = Process(place.home)
    try:
        with socket.create_connection(tuple(process.netloc.split(":")), timeout=HANG) as connection:
            connection.sendall(head(process, "Content-Type: text/csv"))
            return answer(connection)
    finally:
        process.kill()


def head(process: Process, *headers: str) -> bytes:
    """The lines of a request to create a series, up to its body."""
    told = (f"Host: {process.netloc}", *(f"{k}: {v}" for k, v in process.headers.items()), *headers)
    return "\r\n".join(("POST /create/?title=T&caption=C HTTP/1.1", *told, "", "")).encode()


def changed(place: Place) -> Reply:
    return place.posts(place.service.create(), b"1,2", {**CSV, "If-Match": '"9.9-csv"'})


def too_large(place: Place) -> Reply:
    return place.posts(place.service.create(), b"1,2\n" * 1000, CSV)


def no_such_encoding(place: Place) -> Reply:
    return place.posts(place.service.create(), b"1,2", {**CSV, "Content-Encoding": "br"})


def another_host(place: Place) -> Reply:
    return place.service.send("GET", "/", headers={"Host": "elsewhere.example"})


def another_write(place: Place) -> Reply:
    path, key = place.service.create(), {"Idempotency-Key": "one"}
    assert place.posts(path, b"value=1", {**FORM, **key}).status == 204
    return place.posts(path, b"value=2", {**FORM, **key})


def too_often(place: Place) -> Reply:
    return [place.service.send("GET", "/search/results.thin.json") for _ in range(3)][-1]


def our_fault(place: Place) -> Reply:
    path = place.service.create(b"0,1")
    place.service.clock.now = "no time"  # type: ignore[assignment]
    try:
        return place.posts(path, b"increment=5", FORM)
    finally:
        place.service.clock.now = NOON


def no_such_answer(place: Place) -> Reply:
    return place.service.send("GET", "/oembed/?format=yaml")


def too_many_uploads(place: Place) -> Reply:
    process = Process(place.home, ["sh", "-c", 'exec "$@" --max-uploads 1', "sh"])
    csv = ("Content-Type: text/csv", "Content-Length: 100000")
    try:
        with socket.create_connection(tuple(process.netloc.split(":")), timeout=HANG) as held:
            held.sendall(head(process, *csv, "Expect: 100-continue"))
            assert held.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
            url, path = f"http://{process.netloc}/", "/create/?title=T&caption=C"
            return send(url, "POST", path, b" " * 100_000, {**CSV, **process.headers})
    finally:
        process.kill()


def no_room(place: Place) -> Reply:
    process = Process(place.home, preexec_fn=limit_files)
    url, path = f"http://{process.netloc}/", "/create/?title=T&caption=C"
    try:
        return send(url, "POST", path, b"1,2\n" * (1 << 20), {**CSV, **process.headers})
    finally:
        process.kill()


class Status(NamedTuple):
    """A request, and what its reply has beside the status: headers, and members of the problem."""

    provoke: Callable[[Place], Reply]
    headers: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()


def status(provoke: Callable[[Place], Reply], *told: str) -> Status:
    headers = {name for name in told if name.istitle() or name.startswith("WWW")}
    return Status(provoke, frozenset(headers), frozenset(told) - headers)


PROVOKED = {
    400: status(malformed, "line"),
    401: status(no_credentials, "WWW-Authenticate"),
    403: status(someone_elses),
    404: status(not_there),
    405: status(no_such_method, "Allow"),
    406: status(no_such_form),
    408: status(too_slow),
    409: status(a_point_that_stands, "timestamp"),
    411: status(no_length),
    412: status(changed),
    413: status(too_large),
    415: status(no_such_encoding),
    421: status(another_host),
    422: status(another_write),
    429: status(too_often, "Retry-After", "retry_after"),
    500: status(our_fault),
    501: status(no_such_answer, "field"),
    503: status(too_many_uploads, "Retry-After", "retry_after"),
    507: status(no_room),
}
#: What only some statuses come with.
SPECIAL = {"WWW-Authenticate", "Allow", "Retry-After"}
USUAL = {"type", "title", "status", "detail"}


def test_the_table_is_of_all_statuses_that_the_page_and_the_description_tell() -> None:
    text = (ROOT / "docs/protocol.rst").read_text(encoding="utf-8")
    errors = re.split(r"\nErrors\n-+\n", text)[1].split("\n\n\n")[0]
    rows = re.findall(r"^   \* - ([0-9, ]+)$", errors, re.M)
    assert {int(number) for row in rows for number in row.split(",")} == set(PROVOKED)
    assert {name_of(number) for number in PROVOKED} == set(RESPONSES)


@pytest.mark.parametrize("number", PROVOKED)
def test_each_status_comes_with_what_helps(place: Place, number: int) -> None:
    provoke, headers, members = PROVOKED[number]
    reply = provoke(place)
    assert (reply.status, reply.headers["Content-Type"]) == (number, "application/problem+json")
    assert {name for name in SPECIAL if name in reply.headers} == headers
    problem = json.loads(reply.body)
    assert problem["status"] == number
    assert problem["detail"].endswith(".")
    assert problem.keys() == USUAL | members
    assert reply.headers["Request-Id"]
    if "Retry-After" in headers:
        assert int(reply.headers["Retry-After"]) == problem["retry_after"] > 0
