"""What points and series take in a database: the bytes of its tables, with their indexes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from benchmarks.node import Node
from benchmarks.points import jittered, regular

KINDS = {"regular": regular, "jittered": jittered}

_TABLES = ("series", "states", "tail", "blocks", "bodies", "receipts")


class Taken(NamedTuple):
    """Bytes of each of the tables, for one point or series."""

    title: str
    each: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.each.values())


def space(node: Node, points: int, series: int) -> Iterator[Taken]:
    for kind, make in KINDS.items():
        before = _sizes(node)
        node.store(make(points))
        yield _taken(f"a point, {kind}", before, _sizes(node), points)
    before = _sizes(node)
    fill(node.postgres.url(), series)
    yield _taken("a series without points", before, _sizes(node), series)


def fill(url: str, count: int) -> None:
    """Make so many public series without points, straight in the store, several at once."""
    from timetric.server.columns import EMPTY
    from timetric.server.metadata import Metadata
    from timetric.server.storage import open_storage

    with closing(open_storage(url, durability="normal")) as storage:
        [owner] = storage.accounts.users()

        def make(number: int) -> None:
            title = f"Meter {number} in s{number % 100}"
            about = Metadata(title, "kWh, each minute", "", ("meter", f"s{number}"), public=True)
            storage.create(secrets.token_urlsafe(16), owner, about, EMPTY, 1e9 + number)

        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(make, range(count)):
                pass


def _taken(title: str, before: dict[str, int], after: dict[str, int], count: int) -> Taken:
    return Taken(title, {table: (after[table] - before[table]) / count for table in _TABLES})


def _sizes(node: Node) -> dict[str, int]:
    asked = "SELECT name, pg_total_relation_size(name::regclass) FROM unnest(%s::text[]) name"
    return dict(node.ask(asked, list(_TABLES)))
