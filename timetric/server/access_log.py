"""The line that the log has for each request. No query, no header and no body stands in it.

Of one that was refused it says why, without the texts that an error quotes from what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

#: What follows this in a path is secret.
_SECRET = re.compile(r"(/account/sign-in/).*", re.DOTALL)

_PLAIN = re.compile(r"[A-Za-z0-9/._~:;-]{0,200}")
_MOST = 1000  # characters of a path

#: From the first text that an error quotes to the end of the last, which may have been cut; what
#: is quoted may hold marks too. An apostrophe stands within a word.
_QUOTED = re.compile(r"""(?<![a-z]{2})['"].*['"…](?![a-z])""", re.DOTALL)

_LONGEST = 300  # characters of a reason


class Access(NamedTuple):
    """A request that was answered. ``bytes`` are those of the reply's body that were sent.

    ``seconds`` last until the server has taken the last of them; a reply that ``broke_off`` was
    not sent whole. ``reason`` is empty where it was not refused.
    """

    method: str
    path: str
    status: int
    seconds: float
    bytes: int
    request_id: str
    broke_off: bool
    reason: str = ""

    def __str__(self) -> str:
        method, path, status, seconds, size, request_id, broke_off, reason = self
        end = f"{', broke off' if broke_off else ''}{': ' if reason else ''}{reason}"
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


def reason(detail: str) -> str:
    """Why a request was refused, as it may stand in a log: what is quoted of it is left out."""
    told = _QUOTED.sub("'…'", detail)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
