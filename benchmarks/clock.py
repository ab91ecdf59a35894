"""Taking the time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def timed(call: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    """The seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def milliseconds(seconds: Iterable[float]) -> float:
    """The median."""
    return 1000 * statistics.median(seconds)
