"""Writes through a network that drops, delays, duplicates and cuts: each is done, and once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import timetric
from tests.conftest import RunningService
from tests.proxy import misbehaving_proxy
from timetric.write import new_key

FATES = {"forward", "drop", "lose", "cut", "late", "duplicate", "pause"}


def sure(write: Callable[[], Any]) -> Any:
    """What a program does that wants it done, once."""
    while True:
        try:
            return write()
        except timetric.WriteInDoubt as doubt:
            write = doubt.resolve
        except timetric.ConnectionFailed as error:
            assert not error.sent


def test_a_thousand_increments_come_out_exact(
    service: RunningService, series: timetric.Series
) -> None:
    def count(_: int) -> list[timetric.Value]:
        with timetric.TimetricClient({**service.config, "url": url}, retries=2) as client:
            shared = client.series(series.id)
            return [sure(lambda: shared.increment(1)).value for _ in range(125)]

    with misbehaving_proxy(service.url, seed=1) as (url, proxy), ThreadPoolExecutor(8) as pool:
        values = [value for values in pool.map(count, range(8)) for value in values]
    assert set(proxy.met) == FATES
    assert float(series) == 1000
    assert sorted(values) == [float(n) for n in range(1, 1001)]
    assert [value for _, value in series] == sorted(values)


def test_series_are_made_once_and_whole(service: RunningService) -> None:
    rows = [(t, t % 7) for t in range(2000)]
    title = f"made {new_key()}"
    with misbehaving_proxy(service.url, seed=2) as (url, proxy):
        client = timetric.TimetricClient({**service.config, "url": url}, retries=1)
        made = [
            sure(lambda: client.create_series(rows, title=title, caption="c")) for _ in range(30)
        ]
        receipts = [sure(lambda: one.update(rows[:1000])) for one in made]  # noqa: B023
        receipts += [sure(lambda: one.rewrite(rows[:10])) for one in made]  # noqa: B023
    assert set(proxy.met) == FATES
    assert {receipt[:5] for receipt in receipts} == {(1000, 0, 0, 1000, 0), (10, 0, 0, 10, 1990)}
    assert {receipt.version for receipt in receipts} == {1, 2}
    assert len({one.id for one in made}) == 30
    _, found = service.client.get("search/results.thin.json", {"q": title, "u": "me"})
    assert json.loads(found)["total"] == 30
