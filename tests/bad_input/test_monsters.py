"""The monsters, sent to ``timetric serve``: each is refused in time, and in little memory."""

from __future__ import annotations

import gzip
import json
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bad_input.parsers import MULTIPART
from tests.test_kills import CSV, FORM, HANG, Service

MIB = 1 << 20
POINTS, PATCH = "application/vnd.timetric.points", "application/merge-patch+json"
PACKED = {"Content-Encoding": "gzip"}

#: What a service may use while it meets one, beyond what it did: bytes of memory, and seconds.
MEMORY, SECONDS = 150 * MIB, 60.0

Sent = Iterator[bytes]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("monsters"))
    yield running
    running.kill()


@pytest.fixture
def path(service: Service) -> Iterator[str]:
    """A series that no monster changes, of a service that is as well as before."""
    series = service.create()
    assert service.send("POST", series, "1,2\n")[0] == 204
    before = memory(service)
    yield series
    assert peak(service) - before < MEMORY
    assert service.points(series) == {1.0: 2.0}
    assert "Traceback" not in service.log()


def memory(service: Service) -> int:
    """Bytes that it has in memory; its peak is counted from here on."""
    (Path(f"/proc/{service.worker}") / "clear_refs").write_text("5")
    return _status(service, "VmRSS")


def peak(service: Service) -> int:
    return _status(service, "VmHWM")


def _status(service: Service, name: str) -> int:
    found = re.search(
        rf"{name}:\s+(\d+) kB", (Path(f"/proc/{service.worker}") / "status").read_text()
    )
    assert found
    return int(found[1]) << 10


def send(service: Service, method: str, path: str, body: bytes, kind: str, **more: str) -> int:
    """The status of the reply to one request, which is told in a known form, and in time."""
    connection = service.connect()
    headers = {**service.headers, "Content-Type": kind, **more}
    begun = time.monotonic()
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        reply = response.read()
    finally:
        connection.close()
    assert time.monotonic() - begun < SECONDS
    if response.status >= 400:
        assert json.loads(reply)["status"] == response.status
    return response.status


def stream(service: Service, head: str, pieces: Sent) -> bytes:
    """The start of the reply to what is sent piece by piece, until the service has answered."""
    host, _, port = service.netloc.rpartition(":")
    credentials = f"Authorization: {service.headers['Authorization']}\r\n"
    with socket.create_connection((host, int(port)), HANG) as sock:
        try:
            sock.sendall(f"{head}Host: {service.netloc}\r\n{credentials}\r\n".encode())
            for piece in pieces:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):  # it has seen enough
            pass
        try:
            return sock.recv(1 << 16)
        except ConnectionResetError:  # with the answer lost, which a client has to bear
            return b""


def test_a_header_of_a_megabyte(service: Service, path: str) -> None:
    header = b"X-Long: " + b"a" * MIB + b"\r\n"
    reply = stream(service, f"GET {path}csv/ HTTP/1.1\r\n" + header.decode(), iter(()))
    assert reply.startswith(b"HTTP/1.1 4") or reply == b""


def test_a_hundred_thousand_headers(service: Service, path: str) -> None:
    headers = "".join(f"X-{number}: a\r\n" for number in range(100_000))
    reply = stream(service, f"GET {path}csv/ HTTP/1.1\r\n{headers}", iter(()))
    assert reply.startswith(b"HTTP/1.1 4") or reply == b""


def test_an_address_of_a_megabyte(service: Service, path: str) -> None:
    reply = stream(service, f"GET {path}csv/?start={'1' * MIB} HTTP/1.1\r\n", iter(()))
    assert reply.startswith(b"HTTP/1.1 4") or reply == b""


def test_a_chunked_body_of_ten_gigabytes(service: Service, path: str) -> None:
    """It is refused at once, and no more than 1 GiB of it is read, so that its sender sees that."""
    piece = f"{MIB:x}\r\n".encode() + b"1,3\n" * (MIB // 4) + b"\r\n"
    sent = 0

    def pieces() -> Sent:
        nonlocal sent
        for _ in range(10 << 10):
            yield piece
            sent += MIB

    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: {CSV}\r\n"
    reply = stream(service, head, pieces())
    assert reply.startswith(b"HTTP/1.1 411") or reply == b""
    assert sent < 2 << 30


def test_a_body_that_says_it_has_ten_gigabytes(service: Service, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nContent-Length: {10 << 30}\r\nContent-Type: {CSV}\r\n"
    sent = 0

    def pieces() -> Sent:
        nonlocal sent
        for _ in range(10 << 10):
            yield b"1,3\n" * (MIB // 4)
            sent += MIB

    reply = stream(service, head, pieces())
    assert reply.startswith(b"HTTP/1.1 413") or reply == b""
    assert sent < 2 << 30


def bomb(piece: bytes, times: int, start: bytes = b"") -> bytes:
    """So many times a piece, packed by gzip; without an end, which is never reached."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(start + piece) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (times - 1)


@pytest.mark.parametrize(("kind", "row"), [(CSV, b"1,3\n"), (POINTS, bytes(16))])
def test_a_zip_bomb(service: Service, path: str, kind: str, row: bytes) -> None:
    """Of 10 GB."""
    body = bomb(row * (MIB // len(row)), 10 << 10)
    assert len(body) < 64 * MIB
    assert send(service, "POST", path, body, kind, **PACKED) == 413
    assert send(service, "PUT", path, gzip.compress(body), kind, **PACKED) == 400


def test_a_billion_digits(service: Service, path: str) -> None:
    body = bomb(b"0" * MIB, 1000, b"1,1")
    assert send(service, "POST", path, body, CSV, **PACKED) == 400


#: CSV in which something is so large.
LINES: dict[str, Callable[[int], bytes]] = {
    "columns": lambda much: b"1" + b",2" * (much // 2) + b"\n",
    "digits": lambda much: b"1,1" + b"0" * much + b"\n",
    "digits of a fraction": lambda much: b"1,0." + b"1" * much + b"\n",
    "digits of a time": lambda much: b"1." + b"1" * much + b",1\n",
    "digits of a second": lambda much: b"2009-03-11T00:00:00." + b"1" * much + b",1\n",
    "a line without an end": lambda much: b"1" * much,
    "commas": lambda much: b"," * much,
    "lines before a bad one": lambda much: b"1,3\n" * (much // 4) + b"x\n",
    "blank lines before a bad one": lambda much: b"\n" * much + b"x\n",
    "zeros": bytes,
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("is_form", [False, True])
def test_csv(
    service: Service, path: str, name: str, is_form: bool, request: pytest.FixtureRequest
) -> None:
    """100 MiB under ``pytest -m slow``."""
    slow = request.config.getoption("markexpr") == "slow"
    body, kind = LINES[name]((100 if slow else 4) * MIB), CSV
    if is_form:
        part = b'--X\r\nContent-Disposition: form-data; name="csv"; filename="a"\r\n\r\n'
        body, kind = part + body + b"\r\n--X--\r\n", MULTIPART
    assert send(service, "POST", path, body, kind) == 400


def test_numbers_in_forms_and_queries(service: Service, path: str) -> None:
    digits = "1" * 60_000
    for form in (f"value={digits}", f"increment={digits}", f"value=1&timestamp={digits}"):
        assert send(service, "POST", path, form.encode(), FORM) == 400
    for query in ("start=", "limit=", "max_points=", "every=", "at="):
        place = "value/json/" if query == "at=" else "csv/"
        assert send(service, "GET", f"{path}{place}?{query}{digits}", b"", CSV) == 400


NESTED = [
    b"[" * MIB,
    b'{"title":' * 7000,
    b'{"tags":' + b"[" * 60_000,
    b'{"latitude":' + b"9" * 60_000,
]


@pytest.mark.parametrize("body", NESTED, ids=lambda body: body[:12].decode())
def test_json_that_is_nested_deeply(service: Service, path: str, body: bytes) -> None:
    assert send(service, "PATCH", f"{path}metadata/", body, PATCH) in (400, 413)


def test_a_form_of_many_parts(service: Service, path: str) -> None:
    part = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    body = part * 100_000 + b"--X--\r\n"
    assert send(service, "POST", path, body, MULTIPART) == 400
    boundary = "multipart/form-data; boundary=" + "X" * 70
    assert send(service, "POST", path, b"--" + b"X" * 69 + b"\r\n" * MIB, boundary) == 400


def test_a_form_of_many_fields(service: Service, path: str) -> None:
    assert send(service, "POST", path, b"a=&" * 20_000, FORM) == 400
    assert send(service, "GET", f"{path}csv/?" + "a&" * 20_000, b"", CSV) == 400


def test_tags_and_words(service: Service, path: str) -> None:
    for address in (
        "/tags/" + "".join(f"{n};" for n in range(9000)),
        "/search/?q=" + "a+" * 20_000,
        "/" + "%2e%2e/" * 5000,
    ):
        assert send(service, "GET", address, b"", CSV) in (400, 404)


def test_noise_where_http_is_spoken(service: Service, path: str) -> None:
    host, _, port = service.netloc.rpartition(":")
    chance = random.Random(1)
    for size in (1, 10, 1000, MIB):
        with socket.create_connection((host, int(port)), HANG) as sock:
            try:
                sock.sendall(chance.randbytes(size) + b"\r\n\r\n")
                reply = sock.recv(1 << 16)
            except (BrokenPipeError, ConnectionResetError):  # it does not listen to that
                reply = b""
        assert reply.startswith(b"HTTP/1.1 400") or reply == b""
