"""What a look at one thing has found."""

from __future__ import annotations

from typing import NamedTuple

from timetric.terminal import plain

OK, WARN, FAIL = "ok", "warn", "FAIL"


class Finding(NamedTuple):
    """One line: how it is, what was looked at, what was seen and what to do about it."""

    outcome: str
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.outcome:<5} {self.what:<12} {plain(self.text)}"


def ok(what: str, text: str) -> Finding:
    return Finding(OK, what, text)


def warn(what: str, text: str) -> Finding:
    """It works, and will not always, or not for all."""
    return Finding(WARN, what, text)


def fail(what: str, text: str) -> Finding:
    """It does not work."""
    return Finding(FAIL, what, text)
