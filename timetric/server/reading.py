"""The handlers that read a series' points."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import urlencode

from falcon import Request, Response

from timetric.server import fields
from timetric.server.access import Access, series_url
from timetric.server.body import Fields, read_query
from timetric.server.columns import EMPTY, Columns, write_csv
from timetric.server.problem import Problem
from timetric.server.storage import Series, Storage, StorageError, Window

log = logging.getLogger(__name__)

_LIMIT = re.compile(r"0*[1-9][0-9]{0,14}")


class ValueResource:
    """/series/ID/value/json/: the latest point."""

    def __init__(self, storage: Storage, access: Access) -> None:
        self._storage = storage
        self._access = access

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        latest = self._storage.latest(self._access.to_read(req, id)) or (None, None)
        resp.text = json.dumps({"timestamp": latest[0], "value": latest[1]}, allow_nan=False)
        resp.content_type = "application/json"


class PointsResource:
    """/series/ID/csv/…: the points of a window."""

    def __init__(self, storage: Storage, access: Access) -> None:
        self._storage = storage
        self._access = access

    def on_get_csv(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/")

    def on_get_unix(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/unix.csv")

    def on_get_iso(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/iso.csv", iso=True)

    def _send_points(
        self, req: Request, resp: Response, id: str, path: str, *, iso: bool = False
    ) -> None:
        series = self._access.to_read(req, id)
        window = _window(read_query(req))
        pieces, last = self._page(series, window)
        if last is not None:
            address = f"{series_url(req, series)}{path}?{_next_query(window, last)}"
            resp.set_header("Link", f'<{address}>; rel="next"')
        resp.content_type = "text/csv; charset=utf-8"
        first = next(pieces, EMPTY)  # what fails at once is an error, and not half a reply
        resp.stream = _csv(series, chain([first], pieces), iso)

    def _page(self, series: Series, window: Window) -> tuple[Iterator[Columns], float | None]:
        """The window's points, and where its limit leaves some out, the last timestamp in it."""
        if window.limit is None:
            return self._storage.read(series, window), None
        # One more than asked for shows whether any are left; a Link stands ahead of the points.
        pieces = list(self._storage.read(series, window._replace(limit=window.limit + 1)))
        if sum(len(piece.t) for piece in pieces) <= window.limit:
            return iter(pieces), None
        t, v = pieces.pop()
        pieces.append(Columns(t[:-1], v[:-1]))
        last = max(float(piece.t[-1]) for piece in pieces if len(piece.t))
        return iter(pieces), last


def _csv(series: Series, pieces: Iterable[Columns], iso: bool) -> Iterator[bytes]:
    """The pieces as CSV, with a last line that is no point when they end too early."""
    try:
        for piece in pieces:
            yield write_csv(piece, iso=iso)
    except StorageError as error:  # granian would end the reply as if this were all
        log.error("a read of the series %s ends unfinished: %s", series.id, error)
        yield b"unfinished: the rest can not be read\n"
        raise


def _window(query: Fields) -> Window:
    return Window(
        start=math.nextafter(fields.time(query, "after"), math.inf)
        if "after" in query
        else -math.inf,
        end=fields.time(query, "end") if "end" in query else math.inf,
        limit=_limit(query) if "limit" in query else None,
    )


def _limit(query: Fields) -> int:
    text = fields.text(query, "limit")
    if not _LIMIT.fullmatch(text):
        raise Problem(400, "limit is no whole number from 1 on.", field="limit")
    return int(text)


def _next_query(window: Window, last: float) -> str:
    bounds = {"after": last, "end": window.end, "limit": window.limit}
    return urlencode({name: repr(bound) for name, bound in bounds.items() if bound != math.inf})
