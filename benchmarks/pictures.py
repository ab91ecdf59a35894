"""Measures of pictures: a chart of a long series, each of another width, so that none is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.clock import milliseconds, timed
from benchmarks.points import Points
from benchmarks.stage import Actor, Stage

_WIDTH = 600  # pixels, and one more for each picture


def picture(name: str, points: Callable[[Stage], Points]) -> Callable[[Stage, Actor], float | None]:
    """Milliseconds until a picture of that name is there."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if actor.name != "timetric":
            return None
        session: Any = actor.connect()
        series = actor.loaded(points(stage))
        session.publish(series)
        session.picture(
            series, f"{name}?width={_WIDTH - 1}"
        )  # the service loads what it draws with
        widths = range(_WIDTH, _WIDTH + max(10, stage.sizes.requests // 10))
        return milliseconds(
            timed(session.picture, series, f"{name}?width={width}")[0] for width in widths
        )

    return take
