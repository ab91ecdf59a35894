"""A network that does more than tests/proxy.py: it also drips, reorders, and keeps connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.proxy import PATIENCE, Cut, Proxy, message, served, whole

_AHEAD = 3  # requests that may overtake one
_PIECES = 20  # in which a reply drips


class Network(Proxy):
    """Like a Proxy; each connection of a client has one to the service, for as long as it holds.

    A connection that a killed service has left ends the client's too.
    """

    def __init__(self, url: str, seed: int, delay: float) -> None:
        super().__init__(url, seed, delay)
        self._mine = threading.local()
        self._passing = threading.Condition()
        self._passed = 0
        self.fates += [self.drip, self.reorder]

    def forward(self, request: bytes) -> bytes:
        """It is answered, over the connection of this thread."""
        answer = self._exchanged(request)
        with self._passing:
            self._passed += 1
            self._passing.notify_all()
        return answer

    def drip(self, request: bytes) -> bytes:
        """Its answer comes a few bytes at a time."""
        answer = self.forward(request)
        client: socket.socket = self._mine.client
        size = len(answer) // _PIECES + 1
        for start in range(0, len(answer) - size, size):
            client.sendall(answer[start : start + size])
            threading.Event().wait(self._delay / _PIECES)
        return answer[(len(answer) - 1) // size * size :]

    def reorder(self, request: bytes) -> bytes:
        """It arrives behind some that were sent after it."""
        with self._passing:
            behind = self._passed + _AHEAD
            self._passing.wait_for(lambda: self._passed >= behind, self._delay)
        return self.forward(request)

    def serve(self, client: socket.socket) -> None:
        """One connection, until it ends or is cut."""
        self._mine.client = client
        self._mine.file = None
        with client, client.makefile("rb") as file:
            try:
                while request := message(file):
                    fate = self.draw()
                    answer = fate(request)
                    client.sendall(answer)
                    if fate == self.cut or not (fate == self.drip or whole(answer)):
                        return
            except (Cut, OSError, ValueError):  # it hung up, or the service did within a chunk
                return
            finally:
                self._leave()

    def _exchanged(self, request: bytes) -> bytes:
        if getattr(self._mine, "file", None) is None:
            self._mine.sock = socket.create_connection(self._service, PATIENCE)
            self._mine.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._mine.file = self._mine.sock.makefile("rb")
        self._mine.sock.sendall(request)
        answer = message(self._mine.file)
        if not answer:  # the service has gone
            self._leave()
            raise Cut
        if b"\r\nconnection: close" in answer.partition(b"\r\n\r\n")[0].lower():
            self._leave()
        return answer

    def _leave(self) -> None:
        if getattr(self._mine, "file", None) is not None:
            self._mine.file.close()
            self._mine.sock.close()
            self._mine.file = None


@contextmanager
def network(url: str, seed: int, delay: float = 0.05) -> Iterator[tuple[str, Network]]:
    """The address of a network before the service at ``url``, and the network."""
    made = Network(url, seed, delay)
    with served(made.serve) as here:
        yield here, made
    made.settle()
