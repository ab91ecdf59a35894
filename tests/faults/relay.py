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
    """One piece in ``each`` of what passes has a byte changed, on average; ``damaged`` counts.

    The next is at most twice as far, so that a short test meets one.
    """

    def __init__(self, url: str, seed: int, each: int) -> None:
        self._service = (urlsplit(url).hostname, urlsplit(url).port)
        self._chance = random.Random(seed)
        self._each = each
        self._left = self._chance.randrange(1, 2 * each)
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
            self._left -= 1
            if self._left:
                return piece
            self.damaged += 1
            self._left = self._chance.randrange(1, 2 * self._each)
            place, bit = self._chance.randrange(len(piece)), 1 << self._chance.randrange(8)
        return piece[:place] + bytes([piece[place] ^ bit]) + piece[place + 1 :]


@contextmanager
def relay(url: str, seed: int, each: int) -> Iterator[tuple[str, Relay]]:
    """The address of a relay before the service at ``url``, and the relay."""
    made = Relay(url, seed, each)
    with served(made.serve) as here:
        yield here.replace("http:", f"{urlsplit(url).scheme}:"), made
