"""What a peer sends, each step of it bounded in time.

Loaded with the first request, since socket and ssl are slow to import.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import Any

from timetric.limits import Countdown


class Incoming(io.RawIOBase):
    """The bytes of a socket, behind a first one that was read ahead.

    They must not end while ``heading``: http.client takes a heading that was cut for a whole one.
    """

    heading = True

    def __init__(self, sock: socket.socket, countdown: Countdown, ahead: bytes = b"") -> None:
        self._sock = sock
        self._countdown = countdown
        self._ahead = ahead

    def makefile(self, mode: str) -> io.BufferedReader:
        """All that http.client's HTTPResponse wants of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ahead:
            buffer[:1], self._ahead = self._ahead, b""
            return 1
        self._sock.settimeout(self._countdown.step())
        count = self._sock.recv_into(buffer)
        if not count and self.heading:
            raise http.client.RemoteDisconnected("in the heading of a reply")
        return count


def arrived(sock: socket.socket) -> bytes | None:
    """The first byte of what the peer has sent unasked; b"" where it hung up, None for nothing."""
    sock.settimeout(0)
    try:
        return sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):  # nothing, or nothing but a TLS ticket
        return None
    except OSError:
        return b""
