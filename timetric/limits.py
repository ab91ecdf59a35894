"""Time limits. A leaf."""

from __future__ import annotations

import socket
import time


class Limits:
    """The time limits of the call that a thread is in, in seconds of the monotonic clock.

    ``grace`` is what a step may take longer than others, such as the service's to store an upload.
    """

    def __init__(self, timeout: float, deadline: float) -> None:
        self.timeout = timeout
        self.deadline = deadline
        self.start()

    def start(self) -> None:
        """A new call begins."""
        self._end = time.monotonic() + self.deadline
        self.grace = 0.0

    def left(self) -> float:
        return self._end - time.monotonic()

    def step(self) -> float:
        """How long the next network step may take. Raises socket.timeout where none is left."""
        left = self.left()
        if left <= 0:
            raise socket.timeout
        return min(self.timeout + self.grace, left)

    def __str__(self) -> str:
        """The limit that a step which just ran out of time has met."""
        if self.left() <= 0:
            return f"the call's deadline of {self.deadline:g} s"
        return f"the timeout of {self.timeout + self.grace:.3g} s"
