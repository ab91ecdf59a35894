"""Warnings of what may give a secret away. Each is given once a process."""

from __future__ import annotations

import re
import sys
import warnings
from urllib.parse import urlsplit

from timetric.exceptions import InsecureWarning

#: What never leaves the machine (RFC 6761, 6.3; RFC 4291, 2.5.3).
_LOOPBACK = re.compile(r"(.+\.)?localhost\.?|127(\.\d{1,3}){3}|::1")

_told: set[str] = set()


def warn_of_url(url: str) -> None:
    """Where the service is on another machine and the way there is not encrypted."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        _warn(
            f"what is sent to http://{host} can be read by anybody on the way, credentials "
            "included; use https"
        )


def warn_of_mode(path: object) -> None:
    """Where others may read the secrets in a file."""
    _warn(f"others can read the secrets in {path}; run: chmod 600 {path}")


def _warn(text: str) -> None:
    if text not in _told:
        _told.add(text)
        warnings.warn(text, InsecureWarning, stacklevel=_depth())


def _depth() -> int:
    """How many frames up from ``_warn`` the code is that uses this package."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "timetric":
        frame, depth = frame.f_back, depth + 1
    return depth
