"""What the Python client costs over the HTTP library that it stands on."""

from __future__ import annotations

import statistics
from typing import Any

import httplib2

import timetric
from benchmarks.clock import timed
from benchmarks.contenders.timetric import TimetricSession
from benchmarks.stage import Actor, Stage


def latest_over_bare(stage: Stage, actor: Actor) -> float | None:
    """The client's ``latest()`` over the same request by bare httplib2, asked in turn."""
    session: Any = actor.connect()
    if not isinstance(session, TimetricSession):
        return None
    name, bare = actor.loaded(stage.small), httplib2.Http(timeout=10)
    with timetric.TimetricClient(session.config) as client:
        series = client.series(session.id(name))
        url, ours, theirs = f"{series.url}value/json/", list[float](), list[float]()
        for _ in range(stage.sizes.requests):
            theirs.append(timed(bare.request, url, "GET", None, dict(session.headers))[0])
            took, point = timed(series.latest)
            ours.append(took)
    bare.close()
    if point[0] != stage.small.t[-1]:
        raise RuntimeError(f"{point} is not the latest of {name}")
    return statistics.median(ours) / statistics.median(theirs)
