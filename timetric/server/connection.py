"""A connection that is ended while its request's body is still waited for; the fence for that.

granian waits for a body without a limit (its issue 728), and nothing interrupts a thread that reads
one. Its connection does end when a reply has fewer bytes than it says, and with that the read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from granian.server import mp

from timetric.server.pace import END

_FLUSHED = 0.2  # seconds within which the reply has been sent


def give_ends() -> None:
    """Let each request's environ hold its ``END``. Called in a worker, before it has its app."""
    wrapper: Any = mp  # of granian's, which does not export it
    wrapper._wsgi_call_wrap = partial(_wrap, wrapper._wsgi_call_wrap)


def _wrap(wrap: Callable[..., Any], *args: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """What granian calls for each request: with its protocol and what will be the environ."""
    run = wrap(*args)

    def run_with_end(protocol: Any, scope: dict[str, Any]) -> Any:
        scope[END] = partial(_end, protocol)
        return run(protocol, scope)

    return run_with_end


def _end(protocol: Any, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    length = ("Content-Length", str(len(body) + 1))  # one more than there are
    headers = [*headers, ("Connection", "close"), length]
    reply = (status, headers, _Reply(body))
    threading.Thread(target=protocol.response_iter, args=reply, daemon=True).start()


class _Reply:
    """An iterator whose end comes once the body has been sent."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __iter__(self) -> _Reply:
        return self

    def __next__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop()
        time.sleep(_FLUSHED)
        raise StopIteration

    def close(self) -> None:
        """As granian asks for it."""
