"""From a host's name to a TCP connection, within a call's time.

Loaded with the first request, since socket is slow to import.
"""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any

from timetric.limits import Countdown


def dialled(host: str, port: int, countdown: Countdown) -> socket.socket:
    """A connection to the first of the host's addresses that takes one. Raises OSError."""
    failure: OSError | None = None
    for address in _addresses(host, port, countdown):
        try:
            return _connected(address, countdown)
        except OSError as error:  # the next address may do
            failure = error
    raise failure or socket.gaierror(socket.EAI_NONAME, "the name has no address")


def _addresses(host: str, port: int, countdown: Countdown) -> list[Any]:
    """What getaddrinfo says. It has no time limit of its own, so a thread waits for it."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # to be raised in the thread that asked
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=countdown.step())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, UnicodeError):  # a label of the name is empty, or too long
        raise socket.gaierror(socket.EAI_NONAME, "no host can have this name") from None
    if isinstance(answer, Exception):
        raise answer
    return list(answer)


def _connected(address: Any, countdown: Countdown) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(countdown.step())
        sock.connect(where)
    except OSError:  # the socket is nobody's
        sock.close()
        raise
    return sock
