"""Attacks byte by byte on the service as it is run: paths, headers, and what it connects to."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.service import basic, send
from tests.test_serve import HANG, Machine, Service

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

#: Run in each process of the service before all else; what is connected to or looked up is noted.
HOOK = """
import sys

def note(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}:
        with open("NOTED", "a") as file:
            print(event, arguments[-1] if event == "socket.connect" else arguments[0], file=file)

sys.addaudithook(note)
"""


class Watched:
    """A running service, its owner's machine, and all it has ever connected to."""

    def __init__(self, home: Path) -> None:
        self._noted = home / "connections"
        self._noted.touch()
        hook = home / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK.replace("NOTED", str(self._noted)))
        self.machine = Machine(home)
        self.machine.environment["PYTHONPATH"] += f":{hook}"
        self.service: Service = self.machine.serve()
        self.url = self.service.url
        self.owner = basic(self.machine.config)

    def connections(self) -> list[str]:
        return self._noted.read_text().splitlines()

    def raw(self, request: bytes) -> bytes:
        """What comes back for just these bytes, which ask that the connection be closed."""
        with socket.create_connection(self.service.address, timeout=HANG) as connection:
            reply = b""
            with suppress(ConnectionError):  # it was refused before it was whole
                connection.sendall(request)
                while piece := connection.recv(65536):
                    reply += piece
            return reply

    def is_well(self) -> bool:
        return send(self.url, "GET", "/health/").status == 200


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("home"))
    yield watched
    watched.machine.close()


SECRETS = [b"root:", b"{% extends", b"SQLite format", b"BEGIN", b"def on_get", b"[project"]

TRAVERSALS = [
    "/static/../pages.py",
    "/static/../templates/base.html",
    "/static/../../../../../../../../etc/passwd",
    "/static/..%2ftemplates%2fbase.html",
    "/static/%2e%2e/templates/base.html",
    "/static/%2e%2e%2ftemplates%2fbase.html",
    "/static/%252e%252e%252ftemplates%252fbase.html",
    "/static/..%5ctemplates%5cbase.html",
    "/static/..\\templates\\base.html",
    "/static/%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/file:%2f%2f%2fetc%2fpasswd",
    "/static/C:%5cWindows%5cwin.ini",
    "/static/style.css",
    "/static/style.css%00.svg",
    "/static/.",
    "/static/",
    "/static/%2e",
    "/static/__init__.py",
    "//etc/passwd",
    "/../../../../etc/passwd",
    "/series/..%2f..%2fetc%2fpasswd/csv/",
    "/search/results...%2f..%2fx",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_to_a_file_that_is_none_of_the_pages(watched: Watched, path: str) -> None:
    for method in ("GET", "HEAD"):
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        reply = watched.raw(head.encode("latin-1"))
        assert re.match(rb"HTTP/1\.1 40[014] ", reply), reply
        assert [text for text in SECRETS if text in reply] == []


#: Line ends, as they might be smuggled into what a reply repeats in its headers.
ENDINGS = [
    "\r\n",
    "\n",
    "\r",
    "%0d%0a",
    "%0a",
    "%250d%250a",
    "\u560d\u560a",
    "\x85",
    "\u2028",
    "\0",
]


@pytest.mark.parametrize("ending", ENDINGS, ids=ascii)
def test_no_header_can_be_injected(watched: Watched, ending: str) -> None:
    """By what a caller sends, wherever a reply repeats it; nor does it end the worker."""
    evil = f"x{ending}Injected: yes{ending}{ending}<b>"
    sent = quote(evil, safe="")
    tries: list[tuple[str, str, bytes | None]] = [
        ("GET", f"/search/?q={sent}&start={sent}", None),
        ("GET", f"/search/results.json?q={sent}&limit=1", None),
        ("GET", f"/tags/{sent}/", None),
        ("GET", f"/{sent}/", None),
        ("GET", f"/account/sign-in/?next={sent}", None),
        ("GET", f"/oauth/authorize/?oauth_token={sent}&oauth_callback={sent}", None),
        ("POST", "/account/sign-in/", f"name={sent}&password={sent}&next={sent}".encode()),
        ("POST", "/create/", f"title={sent}&caption={sent}&tags={sent}&slug={sent}".encode()),
        ("POST", f"/create/?title={sent}&caption={sent}", b""),
    ]
    for method, path, body in tries:
        for more in ({}, watched.owner, {"Accept": "application/xhtml+xml"}):
            headers = {**FORM, **more, "Sec-Fetch-Site": "same-origin"}
            reply = send(watched.url, method, path, body, headers)
            assert reply.headers["Injected"] is None
            assert re.fullmatch("[0-9a-f]{16}", reply.headers["Request-Id"])
            for text in reply.headers.values():
                assert "Injected: yes" not in text
                assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text)
    assert watched.is_well()


@pytest.mark.parametrize(
    "name", ["Request-Id", "X-Request-Id", "User-Agent", "Idempotency-Key", "Cookie", "Origin"]
)
def test_no_header_is_repeated_as_it_came(watched: Watched, name: str) -> None:
    reply = send(watched.url, "GET", "/", headers={name: "timetric=Injected-yes; a=b"})
    assert "Injected" not in str(reply.headers)
    assert b"Injected" not in reply.body
    assert re.fullmatch("[0-9a-f]{16}", reply.headers["Request-Id"])


#: What servers have failed on: bytes beyond ASCII, and upgrades that nobody offers.
ODD = [
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: \x80\xff\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    b"Authorization: Basic \xff\xfe\r\n",
    b"Cookie: timetric=\xff\r\n",
    b"X-Forwarded-For: \xff\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: \x00\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"X: " + b"a" * 1_000_000 + b"\r\n",
    b"X: a\r\n b\r\n",
    b"Host: evil.example\r\n",
]


@pytest.mark.parametrize("header", ODD, ids=lambda header: ascii(header[:30]))
def test_odd_headers_harm_nobody(watched: Watched, header: bytes) -> None:
    start = b"GET /metrics/ HTTP/1.1\r\n" + (b"" if b"Host:" in header else b"Host: localhost\r\n")
    reply = watched.raw(start + header + b"Connection: close\r\n\r\n0\r\n\r\n")
    assert not reply or re.match(rb"HTTP/1\.[01] [1-4]\d\d ", reply), reply
    assert b" 101 " not in reply[:20]
    assert reply.count(b"HTTP/1.1 2") <= 1, "of one request two are made"
    assert watched.is_well()


def test_the_service_connects_to_nobody(watched: Watched) -> None:
    """Whatever addresses it is given. At its start it asks itself whether it answers."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        there = f"http://127.0.0.1:{trap.getsockname()[1]}/"
        sent = quote(there, safe="")
        body = f"title=T&caption={sent}&source={sent}&source_url={sent}&tags={sent}".encode()
        made = send(watched.url, "POST", "/create/", body, {**FORM, **watched.owner})
        assert made.status == 201
        path = urlsplit(made.headers["Location"]).path
        point = f"value=1&url={sent}&callback={sent}".encode()
        tries = [
            ("GET", f"{path}", None),
            ("POST", path, point),
            ("GET", f"/search/?q={sent}", None),
            ("GET", f"/account/sign-in/?next={sent}", None),
            ("GET", f"/oauth/request_token/?oauth_callback={sent}&oauth_signature=x", None),
            ("GET", f"/oauth/authorize/?oauth_callback={sent}&oauth_token=x", None),
            ("GET", there, None),  # as a proxy is asked
        ]
        headers = {"Referer": there, "Origin": there, "X-Forwarded-Host": urlsplit(there).netloc}
        for method, target, form in tries:
            send(watched.url, method, target, form, {**FORM, **watched.owner, **headers})
        with pytest.raises(TimeoutError):
            trap.accept()
    host, port = watched.service.address
    noted = watched.connections()
    assert f"socket.connect ('{host}', {port})" in noted, "or the hook sees nothing"
    assert {line.split()[1].strip("(',") for line in noted} == {host}
