"""A small balancer on loopback: it hands a connection to one of several services, that answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.misbehaving import PATIENCE


class Balancer:
    """``backends`` are the addresses of the services; they may be changed at any time."""

    def __init__(self, backends: list[tuple[str, int]]) -> None:
        self.backends = backends
        self._turn = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                here, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with here, self._connect() as there:
            back = threading.Thread(target=_copy, args=(there, here), daemon=True)
            back.start()
            _copy(here, there)
            back.join(PATIENCE)

    def _connect(self) -> socket.socket:
        """To the one whose turn it is, or whoever answers."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._turn += 1
            backends = self.backends
            with suppress(OSError):  # it is being restarted
                return socket.create_connection(backends[self._turn % len(backends)], PATIENCE)
            time.sleep(0.01)
        raise TimeoutError("none of the services answers")


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either side hung up
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def balancer(backends: list[tuple[str, int]]) -> Iterator[Balancer]:
    made = Balancer(backends)
    yield made
    made.close()
