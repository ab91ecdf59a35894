"""How often somebody may ask, and try what can be guessed or what is dear.

It is counted in memory. Processes that serve one store tell each other, often enough that what can
be guessed is not tried oftener for there being several.
"""

from __future__ import annotations

import ipaddress
import math
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

_MOST = 100_000  # counted at a time
_NETWORK = 64  # bits of an IPv6 address that are one customer's
_SLACK = 1e-3  # seconds that sums may be off by
_UNTOLD = 0.05  # of an allowance is at most used without telling the other processes


class Allowance(NamedTuple):
    """So many at once; they come back one by one, all within that many seconds."""

    of: str
    most: int
    seconds: float


_RATE = re.compile(r"(?P<most>[1-9][0-9]{0,8})/(?P<unit>s|min|h|d)")
_UNITS = {"s": 1, "min": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def parse_rate(text: str) -> Allowance | None:
    """The allowance of requests that ``600/min`` writes; None for ``off``. Raises ValueError."""
    if text == "off":
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is neither a rate, such as 600/min (s, min, h, d), nor off")
    return Allowance("requests", int(match["most"]), _UNITS[match["unit"]])


_QUARTER, _DAY = 15 * 60, 24 * 60 * 60

#: Of an account and an address together, so that nobody can lock the owner out from elsewhere.
SIGN_IN = Allowance("sign-in", 10, _QUARTER)

#: Of an address: over all accounts, wrong links, changes of passwords, new accounts.
SIGN_INS = Allowance("sign-ins", 50, _QUARTER)
LINKS = Allowance("links", 20, _QUARTER)
PASSWORDS = Allowance("passwords", 10, _QUARTER)
SIGN_UPS = Allowance("sign-ups", 5, _DAY)


class TooMany(Exception):
    """The allowance is used up; in ``retry_after`` seconds there is one more."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many attempts; the next may be made in {retry_after} s")
        self.retry_after = retry_after


class Share(Protocol):
    """What several processes count together."""

    def add(self, of: str, by: str, seconds: float, now: float) -> float | None:
        """Add what was used of an allowance; when all of it will be there again, for all of them.

        None where that can't be told just now.
        """


class Attempts:
    """Counts attempts by whoever makes them. ``clock`` gives Unix seconds.

    Of each is kept no more than the moment when its allowance will be whole again, and how much was
    used that the ``share`` was not told of yet.
    """

    def __init__(self, clock: Callable[[], float], share: Share | None = None) -> None:
        self._clock = clock
        self._share = share
        self._whole: dict[tuple[str, str], float] = {}  # by the allowance's name, and whose it is
        self._untold: dict[tuple[str, str], float] = {}  # likewise, in seconds
        self._lock = threading.Lock()

    def count(self, allowance: Allowance, by: str) -> float:
        """Count one, before it is made; in how many seconds the allowance is whole again.

        Raises TooMany where it is used up.
        """
        of, most, seconds = allowance
        now, step, key = self._clock(), seconds / most, (of, by)
        with self._lock:
            whole = self._whole.get(key, now)
            wait = step + (whole - now if whole > now else 0.0)
            if wait > seconds + _SLACK:
                raise TooMany(math.ceil(wait - seconds))
            if len(self._whole) >= _MOST:
                self._make_room(now)
            self._whole[key] = now + wait
        told = self._tell(allowance, by, step, now)
        if told is not None:
            wait = told - now
        if wait > seconds + _SLACK:  # other processes used it up
            self.give_back(allowance, by)
            raise TooMany(math.ceil(wait - seconds))
        return min(wait, seconds)

    def give_back(self, allowance: Allowance, by: str) -> None:
        """Count one less: it was none that is limited."""
        step, key = allowance.seconds / allowance.most, (allowance.of, by)
        with self._lock:
            if key not in self._whole:
                return
            self._whole[key] -= step
        self._tell(allowance, by, -step, self._clock())

    def _tell(self, allowance: Allowance, by: str, used: float, now: float) -> float | None:
        """Tell the share, once that is worth while; when the allowance is whole for all, if told.

        Other threads count on meanwhile, as the lock is not held.
        """
        if self._share is None:
            return None
        key = (allowance.of, by)
        with self._lock:
            untold = self._untold.pop(key, 0.0) + used
            if abs(untold) < allowance.seconds * _UNTOLD:
                self._untold[key] = untold
                return None
        whole = self._share.add(*key, untold, now)
        with self._lock:
            rest = self._untold.get(key, 0.0)
            if whole is None:
                self._untold[key] = rest + untold
            else:
                self._whole[key] = whole + rest
        return whole

    def _make_room(self, now: float) -> None:
        """Forget those whose allowance is whole again, and a tenth at least: counted first."""
        kept = [item for item in self._whole.items() if item[1] > now]
        self._whole = dict(kept[max(0, len(kept) - _MOST * 9 // 10) :])
        self._untold = {key: self._untold[key] for key in self._untold.keys() & self._whole.keys()}


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """What an address is counted by: itself, or in IPv6 the network of one customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a server on a socket file gives none
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:  # as a socket for both kinds tells it
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed, _NETWORK), strict=False))
