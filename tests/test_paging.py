"""Paging gives each point once, whatever the limit, the order, and who writes meanwhile."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service import Reply, Service, running_service
from tests.test_service_read import next_of

BINARY = {"Accept": "application/vnd.timetric.points"}
CSV = {"Content-Type": "text/csv"}

#: In steps of a quarter, so that points come between others and in their place.
instants = st.integers(-50, 12_000).map(lambda number: number / 4)
additions = st.lists(st.lists(instants, max_size=30), max_size=8)
#: A run becomes blocks, single points become the tail.
histories = st.builds(
    lambda run, single: sorted({*map(float, range(run)), *single}),
    st.sampled_from([0, 3, 300, 3000]),
    st.lists(instants, max_size=50),
)


class Page(NamedTuple):
    timestamps: list[float]
    is_last: bool


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def rows(timestamps: list[float]) -> bytes:
    return "".join(f"{t!r},1\n" for t in timestamps).encode()


def pages(service: Service, path: str, **query: object) -> Iterator[Page]:
    """A page, then the next, until there is none."""
    address: str | None = f"{path}points/?{urlencode(query)}"
    while address:
        reply = whole(service, address)
        assert reply.status == 200, reply
        address = next_of(reply)
        yield Page(np.frombuffer(reply.body, "<f8")[::2].tolist(), address is None)


def whole(service: Service, address: str) -> Reply:
    """The reply, asked for again where points that came meanwhile have ended it, early or late."""
    while True:
        with suppress(http.client.IncompleteRead):
            reply = service.owner_sends("GET", address, headers=BINARY)
            if reply.status != 503:
                return reply


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(histories, st.integers(1, 4000), st.sampled_from(["asc", "desc"]), additions)
def test_each_point_comes_once(
    service: Service, history: list[float], limit: int, order: str, added: list[list[float]]
) -> None:
    limit = max(limit, len(history) // 20 + 1)
    path = service.create(rows(history))
    sign = 1 if order == "asc" else -1
    must, may, read = set(history), set(history), list[float]()
    waiting = iter(added)
    for page in pages(service, path, limit=limit, order=order):
        assert len(page.timestamps) == limit or page.is_last
        read += page.timestamps
        new = next(waiting, [])
        service.owner_sends("POST", path, rows(new), CSV)
        may.update(new)
        if not page.is_last:  # what comes behind the reader may be missed
            must.update(t for t in new if sign * t > sign * read[-1])
    assert all(sign * one < sign * other for one, other in pairwise(read))
    assert must <= set(read) <= may


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [700, 50_000, 270_000])
def test_each_point_comes_once_while_others_write(service: Service, order: str, limit: int) -> None:
    history = list(map(float, range(max(10_000, 3 * limit))))
    path = service.create(rows(history))
    added = {t + 0.5 for t in random.Random(1).sample(history, 2000)}
    done = threading.Event()

    def write() -> None:
        left = list(added)
        while left and not done.is_set():
            service.owner_sends("POST", path, rows([left.pop() for _ in range(8)]), CSV)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        read = [t for page in pages(service, path, limit=limit, order=order) for t in page[0]]
    finally:
        done.set()
        writer.join()
    sign = 1 if order == "asc" else -1
    assert all(sign * one < sign * other for one, other in pairwise(read))
    assert set(history) <= set(read) <= added | set(history)
