"""What is known of some points, in words: how many, from when to when, the latest. Pure."""

from __future__ import annotations

from typing import Protocol

from timetric.display.wording import ago, day, value
from timetric.points import Point


class Known(Protocol):
    """What isn't known is None."""

    count: int | None
    first: Point | None
    latest: Point | None


def facts(known: Known, now: float, unit: str = "", spark: str = "") -> list[str]:
    """Each in a text of its own, such as "41,208 points" and "2019-03-02 … 4 min ago"."""
    told = [] if known.count is None else [_count(known.count)]
    if known.latest is None:
        return told
    since = ago(known.latest[0], now)
    last = f"latest {value(known.latest[1], unit)}"
    if known.first is None:
        return [*told, last, since]
    begun = day(known.first[0])
    span = since if since == begun or known.first[0] == known.latest[0] else f"{begun} … {since}"
    return [*told, span, *([spark] if spark else []), last]


def _count(count: int) -> str:
    return {0: "no points", 1: "1 point"}.get(count, f"{count:,} points")
