"""How often somebody may ask, and try what can be guessed or what is dear; kept in memory."""

from __future__ import annotations

import ipaddress
import math
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_MOST = 100_000  # counted at a time
_NETWORK = 64  # bits of an IPv6 address that are one customer's
_SLACK = 1e-3  # seconds that sums may be off by


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


class Attempts:
    """Counts attempts by whoever makes them. ``clock`` gives Unix seconds.

    Of each is kept no more than the moment when its allowance will be whole again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._whole: dict[tuple[str, str], float] = {}  # by the allowance's name, and whose it is
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
        return min(wait, seconds)

    def give_back(self, allowance: Allowance, by: str) -> None:
        """Count one less: it was none that is limited."""
        with self._lock:
            if (allowance.of, by) in self._whole:
                self._whole[allowance.of, by] -= allowance.seconds / allowance.most

    def _make_room(self, now: float) -> None:
        """Forget those whose allowance is whole again, and a tenth at least: counted first."""
        kept = [item for item in self._whole.items() if item[1] > now]
        self._whole = dict(kept[max(0, len(kept) - _MOST * 9 // 10) :])


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
