"""Passwords: what they may be, and their hashes by scrypt (RFC 7914), a few at a time."""

from __future__ import annotations

import hashlib
import hmac
import threading
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import TypeVar

from timetric.server.credentials import Random

T = TypeVar("T")

#: Characters that a password may have.
SHORTEST, LONGEST = 8, 1024

#: What a new hash costs: scrypt's N, r and p. 32 MiB, and a quarter of a second.
_COST = (2**15, 8, 3)
_SALT = 16  # bytes

#: How many are hashed at once, and how many more may wait for it.
_AT_ONCE, _WAITING = 2, 8


class BadPassword(ValueError):
    """It can't be a password; the text says why in a sentence."""


class Busy(Exception):
    """Too many are waiting already."""


class Passwords:
    """Hashes passwords and compares them, in a short queue: it is dear, and anybody may ask."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._places = threading.Semaphore(_AT_ONCE + _WAITING)
        self._hashing = threading.Semaphore(_AT_ONCE)
        self._nobodys = _joined(_COST, random(_SALT), random(32))

    def hash(self, password: str) -> str:
        """The hash to keep of a password that is allowed. Raises Busy."""
        salt = self._random(_SALT)
        return self._in_turn(lambda: _joined(_COST, salt, _scrypt(password, salt, _COST)))

    def is_right(self, password: str, kept: str | None) -> bool:
        """Whether it is the one whose hash was kept. It takes as long without one. Raises Busy."""
        *cost, salt, expected = (kept or self._nobodys).split("$")
        n, r, p = map(int, cost)
        found = self._in_turn(lambda: _scrypt(password, b64decode(salt), (n, r, p)))
        return hmac.compare_digest(found, b64decode(expected)) and kept is not None

    def _in_turn(self, job: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Busy
        try:  # the place is free again whatever happens
            with self._hashing:
                return job()
        finally:
            self._places.release()


def check(name: str, password: str) -> None:
    """Raises BadPassword for one that a user of that name can't have."""
    if not SHORTEST <= len(_plain(password)) <= LONGEST:
        raise BadPassword(f"A password has {SHORTEST} to {LONGEST} characters.")
    if _plain(password).casefold() == name.casefold():
        raise BadPassword("A password is not the user's name.")


def _plain(password: str) -> str:
    """In one form, however the keyboard wrote it."""
    return unicodedata.normalize("NFC", password)


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    secret = _plain(password).encode("utf-8", "surrogatepass")
    room = 2 * 128 * r * (n + p)
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=room, dklen=32)


def _joined(cost: tuple[int, int, int], salt: bytes, found: bytes) -> str:
    """A hash as it is kept, with all that is needed to compare it."""
    texts = [b64encode(part).decode("ascii") for part in (salt, found)]
    return "$".join([*map(str, cost), *texts])
