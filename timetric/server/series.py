"""The handlers of /create/ and /series/ID/…."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from urllib.parse import urlencode

from falcon import Request, Response

from timetric.exceptions import InvalidPoint
from timetric.points import parse_value
from timetric.server.body import Fields, Form, only, read_form, read_points, read_query
from timetric.server.columns import EMPTY, Columns, from_points, write_csv
from timetric.server.credentials import Random, make_id
from timetric.server.identity import Identity
from timetric.server.metadata import Metadata
from timetric.server.pages import OFTEN_ASKED, PageProblem, is_for_a_person, show
from timetric.server.problem import Problem
from timetric.server.storage import Missing, Series, Storage, StorageError, User, Window
from timetric.timestamps import parse_number, parse_timestamp

log = logging.getLogger(__name__)

_LIMIT = re.compile(r"0*[1-9][0-9]{0,14}")
_PARTS = {"start", "after", "end", "series"}  # of a DELETE that means something else than all
_ABSENT = "There is no such series."
_SIGN_IN = "There is no such public series. If it is a private one of yours, sign in to see it."


class SeriesResource:
    """All of one series' addresses, and the one where series are made.

    ``clock`` gives Unix seconds. A request's ``context.base_url`` is the service's own address.
    """

    def __init__(
        self,
        storage: Storage,
        identity: Identity,
        clock: Callable[[], float],
        random: Random,
        max_body: int,
    ) -> None:
        self._storage = storage
        self._identity = identity
        self._clock = clock
        self._random = random
        self._max_body = max_body
        self._ways = {"value": self._add_value, "increment": self._increment}

    # writing

    def on_post_create(self, req: Request, resp: Response) -> None:
        owner = self._identity.required(req)
        form = read_form(req, self._max_body)
        metadata = Metadata.from_fields(form.fields)
        points = EMPTY if form.points is None else form.points
        series = self._storage.create(make_id(self._random), owner, metadata, points, self._clock())
        resp.status = 201
        resp.location = resp.text = _url(req, series)
        resp.content_type = "text/plain; charset=utf-8"

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._to_write(req, id)
        self._write(series, read_form(req, self._max_body))
        resp.status = 204

    def on_put(self, req: Request, resp: Response, id: str) -> None:
        series = self._to_write(req, id)
        points = read_points(req, self._max_body)
        self._storage.replace(series, points, self._clock())
        resp.status = 204

    def on_delete(self, req: Request, resp: Response, id: str) -> None:
        series = self._to_write(req, id)
        if _PARTS & read_query(req).keys():
            raise Problem(400, "Only the whole history can be cleared; leave out the query.")
        self._storage.replace(series, EMPTY, self._clock())
        resp.status = 204

    def _write(self, series: Series, form: Form) -> None:
        ways = self._ways.keys() & form.fields.keys()
        if len(ways) + (form.points is not None) != 1:
            raise Problem(
                400,
                "Give exactly one of value, increment, a multipart file csv, or points as the "
                "body; CSV is sent with Content-Type: text/csv.",
            )
        if "timestamp" in form.fields and "value" not in ways:
            raise Problem(400, "A timestamp belongs to a value only.", field="timestamp")
        if form.points is not None:
            self._storage.merge(series, form.points, self._clock())
        for way in ways:
            self._ways[way](series, form.fields)

    def _add_value(self, series: Series, fields: Fields) -> None:
        value = parse_value(_text(fields, "value"))
        if "timestamp" not in fields:
            self._storage.append(series, value, self._clock())
            return
        point = (_time(fields, "timestamp"), value)
        self._storage.merge(series, from_points([point]), self._clock())

    def _increment(self, series: Series, fields: Fields) -> None:
        amount = parse_number(_text(fields, "increment"))
        if amount is None or not math.isfinite(amount):
            raise Problem(400, "increment is no number within a double's range.", field="increment")
        self._storage.increment(series, amount, self._clock())

    # reading

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._to_show(req, id)
        show(
            req,
            resp,
            "series",
            cache_control=OFTEN_ASKED,
            series=series,
            about=series.metadata,
            latest=self._storage.latest(series),
            url=_url(req, series),
        )

    def on_get_value(self, req: Request, resp: Response, id: str) -> None:
        latest = self._storage.latest(self._to_read(req, id)) or (None, None)
        resp.text = json.dumps({"timestamp": latest[0], "value": latest[1]}, allow_nan=False)
        resp.content_type = "application/json"

    def on_get_csv(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/")

    def on_get_unix(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/unix.csv")

    def on_get_iso(self, req: Request, resp: Response, id: str) -> None:
        self._send_points(req, resp, id, "csv/iso.csv", iso=True)

    def _send_points(
        self, req: Request, resp: Response, id: str, path: str, *, iso: bool = False
    ) -> None:
        series = self._to_read(req, id)
        window = _window(read_query(req))
        pieces, last = self._page(series, window)
        if last is not None:
            address = f"{_url(req, series)}{path}?{_next_query(window, last)}"
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

    # who may

    def _to_show(self, req: Request, id: str) -> Series:
        """The series, for its page, which a browser that is signed in opens too. Raises Problem."""
        user = self._identity.user(req) or req.context.viewer(req)
        person = user is None and is_for_a_person(req)
        stranger = PageProblem(403, _SIGN_IN, title="Sign in first") if person else _stranger()
        return self._readable(id, user, stranger)

    def _to_read(self, req: Request, id: str) -> Series:
        """The series, when whoever asks may read it. Raises Problem."""
        return self._readable(id, self._identity.user(req), _stranger())

    def _readable(self, id: str, user: User | None, stranger: Problem) -> Series:
        """The series, when the user may read it. Raises Problem, for nobody that for strangers."""
        series = self._find(id, self._storage.series)
        if series and (series.metadata.public or series.owner == user):
            return series
        raise Problem(404, _ABSENT) if user else stranger

    def _to_write(self, req: Request, id: str) -> Series:
        """The series, when whoever asks may write to it. Raises Problem."""
        user = self._identity.required(req)
        series = self._find(id, self._storage.known_series)
        if series and series.owner == user:
            return series
        if series and series.metadata.public:
            raise Problem(403, "The series is someone else's.")
        raise Problem(404, _ABSENT)

    def _find(self, id: str, look_up: Callable[[str], Series]) -> Series | None:
        try:
            return look_up(id)
        except Missing:  # what is answered then depends on who asks
            return None


def _stranger() -> Problem:
    return Problem(401, "There is no such public series; a private one needs credentials.")


def _csv(series: Series, pieces: Iterable[Columns], iso: bool) -> Iterator[bytes]:
    """The pieces as CSV, with a last line that is no point when they end too early."""
    try:
        for piece in pieces:
            yield write_csv(piece, iso=iso)
    except StorageError as error:  # granian would end the reply as if this were all
        log.error("a read of the series %s ends unfinished: %s", series.id, error)
        yield b"unfinished: the rest can not be read\n"
        raise


def _url(req: Request, series: Series) -> str:
    return f"{req.context.base_url}series/{series.id}/"


def _text(fields: Fields, name: str) -> str:
    return (only(fields, name) or "").strip(" \t\r\n")


def _time(fields: Fields, name: str) -> float:
    """A timestamp, in which a blank is the + it was, unless it stands between date and time."""
    text = _text(fields, name)
    head, blank, tail = text.rpartition(" ")
    if blank and (":" in head or ":" not in tail):
        text = f"{head}+{tail}"
    try:
        return parse_timestamp(text)
    except InvalidPoint as error:  # told which field it is
        raise Problem(400, f"{name}: {error.detail}.", field=name) from error


def _window(fields: Fields) -> Window:
    return Window(
        start=math.nextafter(_time(fields, "after"), math.inf) if "after" in fields else -math.inf,
        end=_time(fields, "end") if "end" in fields else math.inf,
        limit=_limit(fields) if "limit" in fields else None,
    )


def _limit(fields: Fields) -> int:
    text = _text(fields, "limit")
    if not _LIMIT.fullmatch(text):
        raise Problem(400, "limit is no whole number from 1 on.", field="limit")
    return int(text)


def _next_query(window: Window, last: float) -> str:
    bounds = {"after": last, "end": window.end, "limit": window.limit}
    return urlencode({name: repr(bound) for name, bound in bounds.items() if bound != math.inf})
