"""How often somebody may try what can be guessed, or what is dear; kept in memory."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections.abc import Callable
from typing import NamedTuple

_MOST = 100_000  # counted at a time
_NETWORK = 64  # bits of an IPv6 address that are one customer's


class Allowance(NamedTuple):
    """So many at once; they come back one by one, all within that many seconds."""

    of: str
    most: int
    seconds: float


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
        self._whole: dict[tuple[Allowance, str], float] = {}
        self._lock = threading.Lock()

    def count(self, allowance: Allowance, by: str) -> None:
        """Count one, before it is made. Raises TooMany where the allowance is used up."""
        with self._lock:
            now, step = self._clock(), allowance.seconds / allowance.most
            whole = max(now, self._whole.get((allowance, by), now)) + step
            late = whole - now - allowance.seconds
            if late > 1e-3:
                raise TooMany(math.ceil(late))
            self._make_room(now)
            self._whole[allowance, by] = whole

    def give_back(self, allowance: Allowance, by: str) -> None:
        """Count one less: it was none that is limited."""
        with self._lock:
            if (allowance, by) in self._whole:
                self._whole[allowance, by] -= allowance.seconds / allowance.most

    def _make_room(self, now: float) -> None:
        if len(self._whole) < _MOST:
            return
        self._whole = {by: whole for by, whole in self._whole.items() if whole > now}
        while len(self._whole) >= _MOST:  # whoever was counted first goes
            del self._whole[next(iter(self._whole))]


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
