"""What the service takes: rates, sizes, uploads at once and slow bodies, as it is started."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

import timetric
from tests.service import basic, send
from tests.test_serve import HANG, Machine, Service, eventually, machine  # noqa: F401

LARGE = b"".join(b"%d,1\n" % t for t in range(20_000))  # an upload, since it has 100,000 bytes


class Upload:
    """A request to add points to a series, which waits for a body that comes as a test wants."""

    def __init__(
        self, config: dict[str, Any], service: Service, path: str, length: int = len(LARGE)
    ) -> None:
        self._socket = socket.create_connection(service.address, timeout=HANG)
        head = (
            f"POST {path} HTTP/1.1\r\n"
            f"Host: {urlsplit(service.url).netloc}\r\n"
            f"Authorization: {basic(config)['Authorization']}\r\n"
            "Content-Type: text/csv\r\n"
            f"Content-Length: {length}\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert self._socket.recv(len(go_on), socket.MSG_WAITALL) == go_on

    def send(self, piece: bytes) -> None:
        self._socket.sendall(piece)

    def drip(self, pieces: Iterable[bytes]) -> None:
        """Send two pieces a second, for as long as the service takes them."""
        try:
            for piece in pieces:
                time.sleep(0.5)
                self._socket.sendall(piece)
        except ConnectionError:  # it has ended the connection
            return

    def close(self) -> None:
        self._socket.close()

    def reply(self) -> bytes:
        """All that comes until the service closes the connection, or has answered whole."""
        received = b""
        with self._socket:
            while piece := self._socket.recv(1 << 16):
                received += piece
                if b"\r\n\r\n" in received and received.startswith(b"HTTP/1.1 2"):
                    break
        return received


def new_series(machine: Machine, service: Service) -> timetric.Series:  # noqa: F811
    return machine.client(service).create_series(title="Power", caption="Office")


# requests


def test_rates_are_set_where_the_service_is_started(machine: Machine) -> None:  # noqa: F811
    service = machine.serve("--rate", "3/h", "--anonymous-rate", "200/d")
    own = basic(machine.config)
    replies = [send(service.url, "GET", "/search/", headers=own) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[0].headers["RateLimit"] == '"token";r=2;t=1200'
    assert replies[3].headers["RateLimit-Policy"] == '"token";q=3;w=3600'
    with pytest.raises(timetric.RateLimited) as caught:
        new_series(machine, service)
    assert 1100 < (caught.value.retry_after or 0) <= 1200
    anonymous = send(service.url, "GET", "/")
    assert re.fullmatch(r'"address";r=19\d;t=\d+', anonymous.headers["RateLimit"])


@pytest.mark.parametrize(
    ("flags", "limited"),
    [
        ([], False),
        (["--base-url", "https://ts.example/"], True),
        (["--trust-proxy"], True),
        (["--host", "0.0.0.0"], True),
        (["--base-url", "https://ts.example/", "--rate", "off"], False),
    ],
)
def test_rates_are_off_only_on_loopback_alone_or_when_told_so(
    machine: Machine,  # noqa: F811
    flags: list[str],
    limited: bool,
) -> None:
    service = machine.serve(*flags)
    url = service.url.replace("0.0.0.0", "127.0.0.1")
    reply = send(url, "GET", "/", headers=basic(machine.config))
    assert reply.status == 200
    assert ("RateLimit" in reply.headers) is limited


# sizes


def test_the_size_of_an_upload_is_set(machine: Machine) -> None:  # noqa: F811
    service = machine.serve("--max-upload", "1KiB")
    series = new_series(machine, service)
    series.update([(1, 1)])
    with pytest.raises(timetric.TooLarge, match="1024 are taken"):
        series.update([(t, t) for t in range(1000)])
    packed = {"Content-Type": "text/csv", "Content-Encoding": "gzip", **basic(machine.config)}
    reply = send(service.url, "PUT", f"/series/{series.id}/", gzip.compress(LARGE), packed)
    assert reply.status == 413
    assert list(series) == [(1.0, 1.0)]


def test_titles_and_pages_are_bounded(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    client = machine.client(service)
    client.create_series(title="T" * 200, caption="C" * 1000)
    for title, caption in (("T" * 201, "C"), ("T", "C" * 1001)):
        with pytest.raises(timetric.BadRequest, match="are allowed"):
            client.create_series(title=title, caption=caption)
    found = [send(service.url, "GET", f"/search/results.thin.json?n={n}") for n in (0, 1, 100, 101)]
    assert [reply.status for reply in found] == [400, 200, 200, 400]
    assert json.loads(found[3].body)["field"] == "n"


# uploads at once


def test_uploads_at_once_are_bounded_and_single_points_are_not(
    machine: Machine,  # noqa: F811
) -> None:
    service = machine.serve("--max-uploads", "2")
    series = new_series(machine, service)
    path = f"/series/{series.id}/"
    held = [Upload(machine.config, service, path) for _ in range(2)]
    for upload in held:
        upload.send(LARGE[:10])
    csv = {"Content-Type": "text/csv", **basic(machine.config)}

    def another() -> int:
        return send(service.url, "POST", path, LARGE, csv).status

    refused = send(service.url, "POST", path, LARGE, csv)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    problem = json.loads(refused.body)
    assert "2 uploads at once" in problem["detail"]
    assert refused.headers["Request-Id"]
    series.update([(1, 2)])
    held[0].send(LARGE[10:])
    assert held[0].reply().startswith(b"HTTP/1.1 204 ")
    assert another() == 204
    held[1].send(LARGE[10:])
    assert held[1].reply().startswith(b"HTTP/1.1 204 ")
    assert another() == 204


def test_an_upload_that_breaks_off_makes_room(machine: Machine) -> None:  # noqa: F811
    service = machine.serve("--max-uploads", "1")
    series = new_series(machine, service)
    csv = {"Content-Type": "text/csv", **basic(machine.config)}
    held = Upload(machine.config, service, f"/series/{series.id}/")
    held.send(LARGE[:10])

    def another() -> int:
        return send(service.url, "POST", f"/series/{series.id}/", LARGE, csv).status

    assert another() == 503
    held.close()
    assert eventually(lambda: another() == 204)


# slow bodies


def metrics(service: Service) -> str:
    return send(service.url, "GET", "/metrics/").body.decode()


def test_a_body_that_comes_too_slowly_is_ended_and_a_steady_one_is_not(
    machine: Machine,  # noqa: F811
) -> None:
    """Each takes longer than the seconds that any body may; with 0 every one may."""
    service, patient = machine.serve("--min-speed", "1000"), machine.serve("--min-speed", "0")
    series = [new_series(machine, service) for _ in range(5)]
    waited_for = Upload(machine.config, patient, f"/series/{series.pop().id}/", 5)
    stranger = {**machine.config, "apitoken_secret": "x" * 22}
    refused = Upload(stranger, service, f"/series/{series[0].id}/", 1000)
    stalled, dripping, late, steady = (
        Upload(machine.config, service, f"/series/{each.id}/") for each in series
    )
    late.send(LARGE[:1500])
    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(dripping.drip, (LARGE[t : t + 1] for t in range(60)))
        size = len(LARGE) // 25 + 1
        pieces = [LARGE[at : at + size] for at in range(0, len(LARGE), size)]
        pool.submit(steady.drip, pieces).result(HANG)
        for upload in (stalled, late, dripping, refused):
            reply = upload.reply()
            assert reply.startswith(b"HTTP/1.1 408 ")
            assert b"request-id: " in reply.lower()
            assert b"1000 bytes a second" in reply
        slow.result(HANG)
    assert steady.reply().startswith(b"HTTP/1.1 204 ")
    assert [each.latest() for each in series] == [(None, None)] * 3 + [(19999.0, 1.0)]
    ended = 'timetric_requests_total{method="POST",route="/series/{id}",status="408"} 3.0\n'
    assert eventually(lambda: ended in metrics(service))
    assert "timetric_uploads_under_way 0.0\n" in metrics(service)
    waited_for.send(b"1,10\n")
    assert waited_for.reply().startswith(b"HTTP/1.1 204 ")
    service.process.terminate()
    assert service.process.wait(HANG) == 0


@pytest.mark.parametrize(
    ("flag", "text", "reason"),
    [
        ("--rate", "10", "neither a rate"),
        ("--anonymous-rate", "1/month", "neither a rate"),
        ("--max-upload", "1TB", "no number of bytes"),
        ("--max-upload", "-1", "no number of bytes"),
        ("--min-speed", "slow", "no number of bytes"),
        ("--max-uploads", "0", "at least 1"),
        ("--max-uploads", "few", "no whole number"),
    ],
)
def test_a_limit_that_is_none_is_one_clear_line(
    machine: Machine,  # noqa: F811
    flag: str,
    text: str,
    reason: str,
) -> None:
    failed = machine.run("serve", f"{flag}={text}")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert re.fullmatch(rf"timetric: argument {flag}: .*{reason}.*\n", failed.stderr)
    assert not machine.data.exists()
