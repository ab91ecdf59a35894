"""What a call may take: its limits, and the time that is left of them."""

from __future__ import annotations

import time
from typing import NamedTuple

from timetric.exceptions import ConfigError

#: Seconds, some 11 days: the system's own limit of a wait is a few weeks.
_MOST = 1e6


class Limits(NamedTuple):
    """``timeout`` bounds one network step, ``deadline`` a call with its retries and waits.

    All in seconds. ``max_wait`` is the longest wait before a retry: a service that asks for more
    gets none.
    """

    timeout: float
    deadline: float
    retries: int
    max_wait: float

    def checked(self) -> Limits:
        """Itself. Raises ConfigError where a call would have no time, or no end."""
        if not (0 < self.timeout <= _MOST and 0 < self.deadline <= _MOST):
            raise ConfigError(
                "timeout and deadline are seconds, and must be above 0 and at most a million"
            )
        if not isinstance(self.retries, int) or self.retries < 0:
            raise ConfigError("retries is a whole number, and 0 where nothing is to be tried again")
        if not 0 <= self.max_wait <= _MOST:
            raise ConfigError("max_wait is seconds, from 0 to a million")
        return self


class Countdown:
    """The time that is left of a call, in seconds of the monotonic clock. For one call at a time.

    ``grace`` is what a step may take longer than others, such as the service's to store an upload.
    """

    def __init__(self) -> None:
        self.start(0.0, 0.0)

    def start(self, timeout: float, deadline: float) -> None:
        """A new call begins."""
        self.timeout = timeout
        self.deadline = deadline
        self.grace = 0.0
        self._end = time.monotonic() + deadline

    def left(self) -> float:
        return self._end - time.monotonic()

    def step(self) -> float:
        """How long the next network step may take. Raises TimeoutError where none is left."""
        left = self.left()
        if left <= 0:
            raise TimeoutError
        return min(self.timeout + self.grace, left)

    def __str__(self) -> str:
        """The limit that a step which just ran out of time has met, and how to have more."""
        if self.left() <= 0:
            return f"the call's deadline of {self.deadline:g} s; within(deadline=...) gives more"
        step = self.timeout + self.grace
        return f"the timeout of {step:.3g} s for one step; within(timeout=...) gives more"
