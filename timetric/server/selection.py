"""Which points a request asks for: one near a time, or a page of a window."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import NamedTuple
from urllib.parse import urlencode

from timetric.points import Point
from timetric.server import fields
from timetric.server.body import Fields
from timetric.server.columns import Columns, has_words, to_points
from timetric.server.storage import Rewritten, Series, Storage, Window

#: The largest limit whose points are all read before the first is sent: 4 MiB of them.
AHEAD = 1 << 18


class Page(NamedTuple):
    """Points as they are sent, and the query that asks for those after them, if any are left.

    It is ``numeric`` where it is certain that no value is a word.
    """

    pieces: Iterator[Columns]
    following: str | None
    numeric: bool = False


def read_window(query: Fields) -> Window:
    """The window that a query asks for. Raises Problem."""
    starts = [-math.inf]
    if "start" in query:
        starts.append(fields.time(query, "start"))
    if "after" in query:
        starts.append(math.nextafter(fields.time(query, "after"), math.inf))
    return Window(
        start=max(starts),
        end=fields.time(query, "end") if "end" in query else math.inf,
        limit=fields.count(query, "limit") if "limit" in query else None,
        descending=fields.choice(query, "order", "asc", "desc") == "desc",
    )


def read_page(storage: Storage, series: Series, window: Window) -> Page:
    """The points of a window, and what follows where its limit leaves some out.

    That is said ahead of the points, so a short page is read whole before. Of a long one only its
    last instant is looked up; points that are added to it meanwhile may run over its limit, which
    ends it unfinished: its pieces raise Rewritten.
    """
    if window.limit is None:
        return Page(storage.read(series, window), None)
    if window.limit <= AHEAD:
        return _short_page(storage, series, window, window.limit)
    last = storage.cut(series, window)
    pieces = storage.read(series, _up_to(window, last)._replace(limit=window.limit + 1))
    return Page(within(pieces, window.limit), _following(window, last))


def _short_page(storage: Storage, series: Series, window: Window, limit: int) -> Page:
    # One more than asked for shows whether any are left.
    pieces = list(storage.read(series, window._replace(limit=limit + 1)))
    if sum(len(piece.t) for piece in pieces) <= limit:
        return Page(iter(pieces), None)
    t, v = pieces.pop()
    pieces.append(Columns(t[:-1], v[:-1]))
    last = [float(piece.t[-1]) for piece in pieces if len(piece.t)][-1]
    return Page(iter(pieces), _following(window, last))


def within(pieces: Iterator[Columns], limit: int) -> Iterator[Columns]:
    """The pieces, as long as they hold no more than the limit; they raise Rewritten."""
    left = limit
    for piece in pieces:
        left -= len(piece.t)
        if left < 0:
            raise Rewritten("points were added to the page while it was read")
        yield piece


def _up_to(window: Window, last: float | None) -> Window:
    """The window as far as its last point in reading order; None means all of it."""
    if last is None:
        return window
    if window.descending:
        return window._replace(start=last)
    return window._replace(end=math.nextafter(last, math.inf))


def _following(window: Window, last: float | None) -> str | None:
    """The query for what comes after the last point."""
    if last is None:
        return None
    bounds = {"after": last, "end": window.end}
    if window.descending:
        bounds = {"start": window.start, "end": last}
    query = {name: repr(bound) for name, bound in bounds.items() if math.isfinite(bound)}
    order = {"order": "desc"} if window.descending else {}
    return urlencode({**query, "limit": window.limit, **order})


def promise_numbers(
    storage: Storage, series: Series, window: Window, pieces: Iterator[Columns]
) -> tuple[Iterator[Columns], bool]:
    """The pieces, and whether it is certain that they hold no words.

    Where not all of them are there yet the store is asked; a word that is added meanwhile ends
    them unfinished: they raise Rewritten.
    """
    ahead = list(islice(pieces, 2))
    pieces = chain(ahead, pieces)
    if any(has_words(piece.v) for piece in ahead):
        return pieces, False
    if len(ahead) == 2 and storage.may_hold_words(series, window):
        return pieces, False
    return _without_words(pieces), True


def _without_words(pieces: Iterator[Columns]) -> Iterator[Columns]:
    for piece in pieces:
        if has_words(piece.v):
            raise Rewritten("a word was added while it was read, after it was said there is none")
        yield piece


def _before(storage: Storage, series: Series, at: float) -> Point | None:
    end = math.nextafter(at, math.inf)
    return _only(storage.read(series, Window(end=end, limit=1, descending=True)))


def _after(storage: Storage, series: Series, at: float) -> Point | None:
    return _only(storage.read(series, Window(start=at, limit=1)))


def _nearest(storage: Storage, series: Series, at: float) -> Point | None:
    sides = (_before(storage, series, at), _after(storage, series, at))
    found = [point for point in sides if point is not None]
    return min(found, key=lambda point: abs(point[0] - at), default=None)  # the earlier of equals


def _only(pieces: Iterator[Columns]) -> Point | None:
    return next(chain.from_iterable(map(to_points, pieces)), None)


#: How one point is found by a time, at which it may stand itself. The first is the default.
SIDES: dict[str, Callable[[Storage, Series, float], Point | None]] = {
    "before": _before,
    "after": _after,
    "nearest": _nearest,
}
