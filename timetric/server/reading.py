"""The handlers that read a series' points."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from threading import BoundedSemaphore

from falcon import Request, Response
from falcon.util.mediatypes import best_match

from timetric.server import fields
from timetric.server.access import Access, series_url
from timetric.server.body import read_query
from timetric.server.caching import Caching
from timetric.server.columns import Columns
from timetric.server.compression import is_packed
from timetric.server.formats import BINARY, CSV, FORMATS, ISO_CSV, JSON, Format
from timetric.server.overview import Overview, read_overview
from timetric.server.problem import Problem
from timetric.server.selection import SIDES, Page, promise_numbers, read_page, read_window
from timetric.server.storage import Series, Storage, StorageError, Window

_encode = json.JSONEncoder(allow_nan=False).encode

#: Of how many long replies a piece is made at once, for which Python is busy some ten milliseconds:
#: were there hundreds, all others would wait for each of them. Whoever begins does not wait for
#: those who go on. And how many points make it long.
_BEGINNING, _GOING_ON, _SHORT = BoundedSemaphore(4), BoundedSemaphore(4), 4096


class ValueResource:
    """/series/ID/value/json/: the latest point, or the one near a time."""

    def __init__(self, storage: Storage, access: Access, caching: Caching) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_read(req, id)
        query = read_query(req)
        side = fields.choice(query, "side", *SIDES)
        at = fields.time(query, "at") if "at" in query else None
        if at is None and "side" in query:
            raise Problem(400, "side is that of a time, which at gives.", field="at")
        if self._caching.answers(req, resp, series, "json"):
            return
        if at is None:
            point = self._storage.latest(series)
        else:
            point = SIDES[side](self._storage, series, at)
        timestamp, value = point or (None, None)
        resp.text = _encode({"timestamp": timestamp, "value": value})
        resp.content_type = "application/json"


class PointsResource:
    """/series/ID/points/, /series/ID/points.json and /series/ID/csv/…: the points of a window."""

    def __init__(self, storage: Storage, access: Access, caching: Caching) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        self._send(req, resp, id, "points/", None)

    def on_get_json(self, req: Request, resp: Response, id: str) -> None:
        self._send(req, resp, id, "points.json", JSON)

    def on_get_csv(self, req: Request, resp: Response, id: str) -> None:
        self._send(req, resp, id, "csv/", CSV)

    def on_get_unix(self, req: Request, resp: Response, id: str) -> None:
        self._send(req, resp, id, "csv/unix.csv", CSV)

    def on_get_iso(self, req: Request, resp: Response, id: str) -> None:
        self._send(req, resp, id, "csv/iso.csv", ISO_CSV)

    def _send(self, req: Request, resp: Response, id: str, path: str, form: Format | None) -> None:
        """Send the points in this form, or in the one that the client prefers."""
        series = self._access.to_read(req, id)
        form = form or _preferred(req)
        query = read_query(req)
        window, overview = read_window(query), read_overview(query)
        name = form.name + ("+gzip" if is_packed(req, form.media_type) else "")
        if self._caching.answers(req, resp, series, name, weak=overview is not None):
            return
        with nullcontext() if _is_short(series, window, overview) else _BEGINNING:
            pieces, following, numeric = self._page(series, window, overview, form)
            ahead = list(islice(pieces, 1))  # what fails at once is an error, and not half a reply
        written = _written(series, form, chain(ahead, pieces))
        is_long = bool(ahead) and len(ahead[0].t) > _SHORT
        resp.stream = _in_turn(written) if is_long else written
        resp.content_type = form.media_type
        if following is not None:
            url = f"{series_url(req, series)}{path}?{following}"
            resp.set_header("Link", f'<{url}>; rel="next"')
        if form is BINARY and numeric:
            resp.set_header("Timetric-Words", "no")

    def _page(
        self, series: Series, window: Window, overview: Overview | None, form: Format
    ) -> Page:
        if overview is not None:
            return overview.page(self._storage, series, window)
        page = read_page(self._storage, series, window)
        if form is not BINARY:
            return page
        pieces, numeric = promise_numbers(self._storage, series, window, page.pieces)
        return Page(pieces, page.following, numeric)


def _is_short(series: Series, window: Window, overview: Overview | None) -> bool:
    """Whether few points are looked at, for certain."""
    limited = overview is None and window.limit is not None and window.limit <= _SHORT
    return limited or series.points <= _SHORT


def _in_turn(written: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece is made in a turn, and sent, which may take long, out of it."""
    while True:
        with _GOING_ON:
            pieces = list(islice(written, 1))
        if not pieces:
            return
        yield pieces.pop()


def _preferred(req: Request) -> Format:
    """The form that the client likes best. Raises Problem where it takes none."""
    try:
        chosen = best_match(FORMATS, req.accept.lower())
    except ValueError:  # Accept is no list of media types
        chosen = ""
    if not chosen:
        types = ", ".join(name.partition(";")[0] for name in FORMATS)
        raise Problem(406, f"Points come as {types}; Accept names none of these.")
    return FORMATS[chosen]


def _written(series: Series, form: Format, pieces: Iterable[Columns]) -> Iterator[bytes]:
    try:
        yield from form.write(pieces)
    except StorageError:  # the server would end the reply as if this were all
        yield form.broken
        raise
