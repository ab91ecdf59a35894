"""A relay of bytes that damages some, each way, by a seed: it knows nothing of HTTP or TLS."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.proxy import PATIENCE, served


class Relay:
    """``odds`` is the chance that a piece of what passes has a byte changed; ``damaged`` counts."""

    def __init__(self, url: str, seed: int, odds: float) -> None:
        self._service = (urlsplit(url).hostname, urlsplit(url).port)
        self._chance = random.Random(seed)
        self._odds = odds
        self._lock = threading.Lock()
        self.damaged = 0

    def serve(self, client: socket.socket) -> None:
        """One connection, to its end."""
        with client, suppress(OSError), socket.create_connection(self._service, PATIENCE) as there:
            back = threading.Thread(target=self._copy, args=(there, client), daemon=True)
            back.start()
            self._copy(client, there)
            back.join(PATIENCE)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # either side hung up
            while piece := source.recv(1 << 16):
                target.sendall(self._damaged(piece))
            target.shutdown(socket.SHUT_WR)

    def _damaged(self, piece: bytes) -> bytes:
        with self._lock:
            if self._chance.random() >= self._odds:
                return piece
            self.damaged += 1
            place, bit = self._chance.randrange(len(piece)), 1 << self._chance.randrange(8)
        return piece[:place] + bytes([piece[place] ^ bit]) + piece[place + 1 :]


@contextmanager
def relay(url: str, seed: int, odds: float) -> Iterator[tuple[str, Relay]]:
    """The address of a relay before the service at ``url``, and the relay."""
    made = Relay(url, seed, odds)
    with served(made.serve) as here:
        yield here.replace("http:", f"{urlsplit(url).scheme}:"), made
