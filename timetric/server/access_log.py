"""The line that the log has for each request. No query, no header and no body stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

#: What follows this in a path is secret.
_SECRET = re.compile(r"(/account/sign-in/).*", re.DOTALL)

_PLAIN = re.compile(r"[A-Za-z0-9/._~:;-]{0,200}")
_MOST = 1000  # characters of a path


class Access(NamedTuple):
    """A request that was answered. ``bytes`` are those of the reply's body that were sent.

    ``seconds`` last until the server has taken the last of them; a reply that ``broke_off`` was
    not sent whole.
    """

    method: str
    path: str
    status: int
    seconds: float
    bytes: int
    request_id: str
    broke_off: bool

    def __str__(self) -> str:
        method, path, status, seconds, size, request_id, broke_off = self
        end = ", broke off" if broke_off else ""
        return f"{method} {path} {status} {seconds:.6f} s, {size} bytes, request {request_id}{end}"


#: What is done with each.
Tell = Callable[[Access], None]


def shown(path: str) -> str:
    """A path, decoded as WSGI has it, as it may stand in a log: percent-encoded, of one line."""
    path = _SECRET.sub(r"\1...", path) if "/sign-in" in path else path
    if _PLAIN.fullmatch(path):
        return path
    encoded = quote(path.encode("latin-1", "replace"), safe="/:;@!$&()*+,=~")
    return encoded if len(encoded) <= _MOST else f"{encoded[:_MOST]}..."
