"""A table of many series: rows of a timestamp and the value of each series there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from timetric.pages import Page, Read
from timetric.points import Point
from timetric.window import Window, reading

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

#: A timestamp in Unix seconds, and as many values as there are series.
Row = tuple[Any, ...]

#: Requests, and so connections, at a time.
_TOGETHER = 8

#: Points of all series that are asked for at a time, and of one at the least.
_POINTS, _LEAST = 1 << 18, 256


def rows(windows: Sequence[Window], **fields: str) -> Iterator[Row]:
    """The points of windows, or their buckets, joined by timestamp, oldest first; lazily.

    Each series' next page is fetched while the last one is read, so that what is kept in memory is
    two pages of each.
    """
    from concurrent.futures import ThreadPoolExecutor  # few programs need it

    limit = max(_LEAST, _POINTS // (len(windows) or 1))
    pool = ThreadPoolExecutor(_TOGETHER, "timetric-table")
    try:  # however the caller leaves it, the threads are to end
        readings = [reading(window, limit, **fields) for window in windows]
        first = [(read, pool.submit(read, query)) for read, query in readings]
        yield from _joined([_column(pool, read, page) for read, page in first])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _column(pool: Executor, read: Read, coming: Future[Page] | None) -> Iterator[Point]:
    while coming:
        page = coming.result()
        coming = pool.submit(read, page.following) if page.following else None
        yield from page.points()


def _joined(columns: Sequence[Iterator[Point]]) -> Iterator[Row]:
    heads = [next(column, None) for column in columns]
    while times := [head[0] for head in heads if head]:
        earliest = min(times)
        row: list[Any] = [earliest]
        for index, head in enumerate(heads):
            if head is None or head[0] != earliest:
                row.append(None)
                continue
            row.append(head[1])
            heads[index] = next(columns[index], None)
        yield tuple(row)
