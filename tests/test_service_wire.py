"""What can go wrong on the way, against the service as it is started by its command."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.conftest import RunningService
from tests.service import Reply, basic, send

CREATE = "/create/?title=Power&caption=Office"
CSV = {"Content-Type": "text/csv"}


def create(service: RunningService, csv: bytes = b"0,1\n") -> str:
    """The path of a new series of the owner's."""
    reply = send(service.url, "POST", CREATE, csv, {**CSV, **basic(service.config)})
    assert reply.status == 201, reply
    return urlsplit(reply.headers["Location"]).path


def csv_of(service: RunningService, path: str) -> bytes:
    return send(service.url, "GET", f"{path}csv/", headers=basic(service.config)).body


def connect(service: RunningService) -> socket.socket:
    parts = urlsplit(service.url)
    assert parts.hostname and parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def head(service: RunningService, method: str, path: str, *headers: str) -> bytes:
    """The request's lines up to its body, with the owner's credentials."""
    authorization = f"Authorization: {basic(service.config)['Authorization']}"
    common = (f"Host: {urlsplit(service.url).netloc}", "Connection: close", authorization)
    return "\r\n".join((f"{method} {path} HTTP/1.1", *common, *headers, "", "")).encode()


def exchange(service: RunningService, request: bytes) -> Reply:
    """The answer to these bytes; whoever sent them is still there, and sends no more."""
    with connect(service) as connection:
        connection.sendall(request)
        return answer(connection)


def answer(connection: socket.socket) -> Reply:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Reply(response.status, response.headers, response.read())


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_connection_cut_in_mid_body_stores_nothing(service: RunningService, method: str) -> None:
    path = create(service)
    body = b"".join(b"%d,2\n" % row for row in range(1, 50_000))
    for sent in (b"", b"5,5\n", body):
        announced = head(service, method, path, "Content-Type: text/csv", "Content-Length: 9999999")
        with connect(service) as connection:
            connection.sendall(announced + sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
        assert csv_of(service, path) == b"0.0,1.0\n"


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("extra", [(), ("Content-Length: 4",)])
def test_a_chunked_body_is_told_to_say_its_length(
    service: RunningService, method: str, extra: tuple[str, ...]
) -> None:
    path = create(service)
    chunked = ("Content-Type: text/csv", "Transfer-Encoding: chunked", *extra)
    for body in (b"4\r\n1,2\n\r\n0\r\n\r\n", b"4\r\n1,2\n\r\n", b"4\r\n1,2"):
        assert exchange(service, head(service, method, path, *chunked) + body).status == 411
        assert csv_of(service, path) == b"0.0,1.0\n"


def test_a_body_without_any_length_is_411(service: RunningService) -> None:
    for method in ("POST", "PUT"):
        path = create(service)
        reply = exchange(service, head(service, method, path, "Content-Type: text/csv"))
        assert reply.status == 411
        assert b"Content-Length" in reply.body
        assert csv_of(service, path) == b"0.0,1.0\n"


@pytest.mark.parametrize("length", ["-1", "4x", "1e3", "4, 5", "99999999999999999999999"])
def test_a_length_that_is_none_stores_nothing(service: RunningService, length: str) -> None:
    path = create(service)
    lines = ("Content-Type: text/csv", f"Content-Length: {length}")
    reply = exchange(service, head(service, "POST", path, *lines) + b"1,2\n")
    assert reply.status in (400, 413)
    assert csv_of(service, path) == b"0.0,1.0\n"


def test_a_body_past_the_limit_is_refused_before_it_is_sent(service: RunningService) -> None:
    path = create(service)
    lines = ("Content-Type: text/csv", f"Content-Length: {300 << 20}")
    with connect(service) as connection:
        connection.sendall(head(service, "PUT", path, *lines))
        assert answer(connection).status == 413
    assert csv_of(service, path) == b"0.0,1.0\n"


@pytest.mark.parametrize("size", [0, 1000, 30_000_000])
def test_whoever_sends_a_body_without_credentials_sees_the_challenge(
    service: RunningService, size: int
) -> None:
    reply: Reply = send(service.url, "POST", CREATE, b"0,1\n" * (size // 4), CSV)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="Timetric"'
    assert json.loads(reply.body)["status"] == 401


def test_two_authorization_headers_are_a_bad_request(service: RunningService) -> None:
    again = f"Authorization: {basic(service.config)['Authorization']}"
    for second in (again, "Authorization: Basic YTpi", 'Authorization: OAuth oauth_token="a"'):
        reply = exchange(service, head(service, "GET", f"{create(service)}csv/", second))
        assert reply.status == 400


def test_a_history_rewritten_while_it_is_read_never_looks_whole(service: RunningService) -> None:
    rows = 600_000
    old = b"".join(b"%d.125,1.0\n" % row for row in range(rows))
    path = create(service, old)
    with connect(service) as connection:
        connection.sendall(head(service, "GET", f"{path}csv/"))
        response = http.client.HTTPResponse(connection)
        response.begin()
        put = send(service.url, "PUT", path, b"0,2\n", {**CSV, **basic(service.config)})
        assert put.status == 204
        reply = response.read()
    assert reply.splitlines()[-1].startswith(b"unfinished: ")
    assert b",2.0" not in reply
    assert csv_of(service, path) == b"0.0,2.0\n"


def test_any_bytes_in_a_path_or_query_get_an_answer(service: RunningService) -> None:
    for address in ("/%E2%82%AC/", "/%ff%00/", "/series/%E2%82%AC/csv/", "/?%ff=%00&&=;"):
        reply = exchange(service, head(service, "GET", address))
        assert reply.status in (200, 404)
        assert reply.headers["Request-Id"]
