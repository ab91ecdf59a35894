"""A service on loopback that does to each connection what a test's script says, at socket level."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

PATIENCE = 30  # seconds after which a peer that says nothing is a hang


class Received(NamedTuple):
    """A request as it came in; header names are lower case, a repeated one keeps its last."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The service's end of one connection. ``over`` is set when the test is."""

    def __init__(
        self, sock: socket.socket, requests: list[Received], over: threading.Event
    ) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")
        self.requests = requests
        self.over = over

    def head(self) -> Received | None:
        """The next request without its body, which stays unread; None at the end."""
        words = self.file.readline().decode("latin-1").split()
        if not words:
            return None
        headers = {}
        while line := self.file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        head = Received(words[0], words[1], headers, b"")
        self.requests.append(head)
        return head

    def request(self) -> Received | None:
        """The next request, kept in ``requests``; None at the end."""
        head = self.head()
        if head is None:
            return None
        place = self.requests.index(head)
        whole = head._replace(body=self.file.read(int(head.headers.get("content-length", 0))))
        self.requests[place] = whole
        return whole

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


#: What is done on one connection, which is closed when it returns.
Behaviour = Callable[[Peer], None]


def http(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """A reply; an underscore in a header's name is a dash."""
    fields = {"content-length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


COUNTS = {"received": "1", "added": "1", "replaced": "0", "unchanged": "0", "removed": "0"}

#: The reply to a write of one point to an empty series.
STORED = http(
    "204 No Content",
    **{f"timetric_{name}": text for name, text in COUNTS.items()},
    timetric_version="1",
)


def answer(*replies: bytes) -> Behaviour:
    """Answer as many whole requests as there are replies, then wait for the client to hang up."""

    def behave(peer: Peer) -> None:
        for reply in replies:
            if peer.request() is None:
                return
            peer.send(reply)
        peer.request()

    return behave


def answer_and_close(reply: bytes) -> Behaviour:
    """Answer one request as if the connection stayed, then close it."""

    def behave(peer: Peer) -> None:
        peer.request()
        peer.send(reply)

    return behave


def answer_head(reply: bytes, *, after: float = 0, linger: bool = False) -> Behaviour:
    """Answer ``after`` seconds with the body unread; then close, or ``linger`` without reading."""

    def behave(peer: Peer) -> None:
        peer.head()
        peer.over.wait(after)
        peer.send(reply)
        if linger:
            peer.over.wait(PATIENCE)

    return behave


def vanish(peer: Peer) -> None:
    """Take one request whole and close without an answer."""
    peer.request()


def reset(peer: Peer) -> None:
    """Take one request whole and cut the connection."""
    peer.request()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def keep_silent(peer: Peer) -> None:
    """Take one request and never answer."""
    peer.request()
    peer.over.wait(PATIENCE)


def drip(data: bytes, pause: float) -> Behaviour:
    """Answer one request a byte at a time."""

    def behave(peer: Peer) -> None:
        peer.request()
        for index in range(len(data)):
            peer.send(data[index : index + 1])
            peer.over.wait(pause)

    return behave


class Service:
    """A running script: its address, what came in, and how many connections there were."""

    def __init__(self, behaviours: tuple[Behaviour, ...], tls: ssl.SSLContext | None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.closed = threading.Semaphore(0)  # released with each connection that has ended
        self._behaviours = behaviours
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._over.is_set():
                sock.close()
                return
            number, self.connections = self.connections, self.connections + 1
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no reply waits to leave
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            behaviour = self._behaviours[number] if number < len(self._behaviours) else None
            if self._tls and behaviour:
                sock = self._tls.wrap_socket(sock, server_side=True)
            if behaviour:
                peer = Peer(sock, self.requests, self._over)
                behaviour(peer)
                peer.file.close()
        except OSError:  # the client hung up, which each test sees from its side
            pass
        finally:
            sock.close()
            self.closed.release()

    def wait_for_close(self) -> None:
        """Until one more connection has ended."""
        assert self.closed.acquire(timeout=PATIENCE / 2), "the connection is still open"

    def stop(self) -> None:
        self._over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the acceptor
        self._acceptor.join(PATIENCE)
        self._listener.close()


@contextmanager
def misbehaving(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """Serve one behaviour a connection, in order; further connections are closed at once."""
    service = Service(behaviours, tls)
    try:
        yield service
    finally:
        service.stop()
