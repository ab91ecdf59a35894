"""A network that misbehaves: a proxy on loopback before a real service, at random, by a seed.

Each request is read whole and its fate drawn. Replies must have a Content-Length, come in chunks,
or have no body.
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO
from urllib.parse import urlsplit

PATIENCE = 30  # seconds after which a peer that says nothing is a hang


class Cut(Exception):
    """The connection is closed, whatever was to come."""


class Proxy:
    """What a request or its answer meets on its way; ``met`` counts it. ``url`` is the service's.

    ``delay`` is the longest, in seconds.
    """

    def __init__(self, url: str, seed: int, delay: float) -> None:
        self._service = (urlsplit(url).hostname, urlsplit(url).port)
        self._delay = delay
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._late: list[threading.Thread] = []
        self._deck: list[Callable[[bytes], bytes]] = []
        self.met: Counter[str] = Counter()
        self.fates: list[Callable[[bytes], bytes]] = [
            self.drop,
            self.lose,
            self.cut,
            self.late,
            self.duplicate,
            self.pause,
        ]

    def draw(self) -> Callable[[bytes], bytes]:
        """What becomes of the next request: two in three pass unharmed.

        Dealt from a shuffled deck, so that a few dozen requests meet everything once.
        """
        with self._lock:
            if not self._deck:
                self._deck = [*self.fates, *[self.forward] * 2 * len(self.fates)]
                self._chance.shuffle(self._deck)
            fate = self._deck.pop()
            self.met[fate.__name__] += 1
        return fate

    def number(self, end: float) -> float:
        with self._lock:
            return self._chance.uniform(0, end)

    # The fates: each gets a request, and gives what is to be sent of the answer.

    def forward(self, request: bytes) -> bytes:
        """It is answered."""
        with socket.create_connection(self._service, PATIENCE) as service:
            service.sendall(request)
            with service.makefile("rb") as file:
                return message(file)

    def drop(self, request: bytes) -> bytes:
        """It does not arrive."""
        raise Cut

    def lose(self, request: bytes) -> bytes:
        """It is done, and its answer lost."""
        self.forward(request)
        raise Cut

    def cut(self, request: bytes) -> bytes:
        """Its answer is cut at any byte."""
        answer = self.forward(request)
        return answer[: int(self.number(len(answer)))]

    def late(self, request: bytes) -> bytes:
        """It arrives when the client has long given it up, and perhaps sent it again."""
        later = threading.Timer(self.number(self._delay), self._again, [request])
        later.start()
        with self._lock:
            self._late = [*filter(threading.Thread.is_alive, self._late), later]
        raise Cut

    def duplicate(self, request: bytes) -> bytes:
        """It arrives twice, at the same time."""
        twin = threading.Thread(target=self._again, args=[request])
        twin.start()
        answer = self.forward(request)
        twin.join()
        return answer

    def _again(self, request: bytes) -> None:
        with suppress(Cut, OSError, ValueError):  # the service is not there to get it
            self.forward(request)

    def pause(self, request: bytes) -> bytes:
        """Its answer takes long."""
        answer = self.forward(request)
        threading.Event().wait(self.number(self._delay))
        return answer

    def settle(self) -> None:
        """Wait for what is still on its way."""
        for later in self._late:
            later.join(PATIENCE)


def message(file: BinaryIO) -> bytes:
    """The next request or reply, whole; empty at the end."""
    lines = []
    while line := file.readline():
        lines.append(line)
        if line in (b"\r\n", b"\n"):
            break
    head = b"".join(lines)
    if _is_chunked(head):
        return head + b"".join(_chunks(file))
    lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
    return head + file.read(int(lengths[0].partition(b":")[2]) if lengths else 0)


def _is_chunked(head: bytes) -> bool:
    return b"\r\ntransfer-encoding: chunked\r\n" in head.lower()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """As they come, to the last, which is empty."""
    while line := file.readline():
        yield line + file.read(int(line, 16) + 2)
        if int(line, 16) == 0:
            return


def serve(proxy: Proxy, client: socket.socket) -> None:
    """One connection, until it ends or is cut."""
    with client, client.makefile("rb") as file:
        try:
            while request := message(file):
                answer = proxy.draw()(request)
                client.sendall(answer)
                if len(answer) == 0 or not whole(answer):
                    return
        except (Cut, OSError):  # the client hung up
            return


def whole(answer: bytes) -> bool:
    """Whether nothing was cut from it."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if _is_chunked(head + end):
        return body.endswith(b"\r\n0\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) == int(length or 0)


@contextmanager
def misbehaving_proxy(url: str, seed: int, delay: float = 0.05) -> Iterator[tuple[str, Proxy]]:
    """The address of a proxy before the service at ``url``, and the proxy."""
    proxy = Proxy(url, seed, delay)
    with served(lambda client: serve(proxy, client)) as here:
        yield here, proxy
    proxy.settle()


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a listener on loopback that serves each connection in a thread."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            if over.is_set():
                client.close()
                return
            client.settimeout(PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    port = listener.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        over.set()
        socket.create_connection(("127.0.0.1", port)).close()  # wakes the acceptor
        acceptor.join(PATIENCE)
        listener.close()
