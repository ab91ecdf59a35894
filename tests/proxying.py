"""A small HTTP proxy on loopback: absolute-form requests and CONNECT, with a password or none."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.misbehaving import PATIENCE, Peer, Received, Service, http, misbehaving

#: A proxy that serves this many connections is enough for any test.
_CONNECTIONS = 8


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def proxy(authorization: str | None = None) -> Iterator[Service]:
    """What came in is its ``requests``; without this Proxy-Authorization it answers 407."""

    def pass_on(peer: Peer) -> None:
        head = peer.head()
        if head is None:
            return
        if authorization and head.headers.get("proxy-authorization") != authorization:
            peer.send(http("407 Proxy Authentication Required"))
            return
        (_tunnel if head.method == "CONNECT" else _forward)(peer, head)

    with misbehaving(*[pass_on] * _CONNECTIONS) as service:
        yield service


def _tunnel(peer: Peer, head: Received) -> None:
    host, _, port = head.target.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as there:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _join(peer.sock, there)


def _forward(peer: Peer, head: Received) -> None:
    """One request, with the address cut off and the header for the proxy taken out."""
    parts = urlsplit(head.target)
    headers = {name: text for name, text in head.headers.items() if name != "proxy-authorization"}
    headers["connection"] = "close"  # the next request may be for another host
    lines = [f"{head.method} {parts.path}?{parts.query} HTTP/1.1"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    body = peer.file.read(int(head.headers.get("content-length", 0)))
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as there:
        there.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        _join(peer.sock, there)


def _join(here: socket.socket, there: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(there, here), daemon=True)
    back.start()
    _copy(here, there)
    back.join(PATIENCE)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either side hung up
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
