"""The handlers of /create/ and of /series/ID/: making, writing, clearing, and the page."""

from __future__ import annotations

import math
from collections.abc import Callable

from falcon import Request, Response

from timetric.points import parse_value
from timetric.server import fields
from timetric.server.access import Access, series_url
from timetric.server.body import Fields, Form, read_form, read_points, read_query
from timetric.server.columns import EMPTY, from_points
from timetric.server.credentials import Random, make_id
from timetric.server.metadata import Metadata
from timetric.server.pages import OFTEN_ASKED, show
from timetric.server.problem import Problem
from timetric.server.storage import Series, Storage
from timetric.timestamps import parse_number

_PARTS = {"start", "after", "end", "series"}  # of a DELETE that means something else than all


class CreateResource:
    """/create/. ``clock`` gives Unix seconds."""

    def __init__(
        self,
        storage: Storage,
        access: Access,
        clock: Callable[[], float],
        random: Random,
        max_body: int,
    ) -> None:
        self._storage = storage
        self._access = access
        self._clock = clock
        self._random = random
        self._max_body = max_body

    def on_post(self, req: Request, resp: Response) -> None:
        owner = self._access.to_create(req)
        form = read_form(req, self._max_body)
        metadata = Metadata.from_fields(form.fields)
        points = EMPTY if form.points is None else form.points
        series = self._storage.create(make_id(self._random), owner, metadata, points, self._clock())
        resp.status = 201
        resp.location = resp.text = series_url(req, series)
        resp.content_type = "text/plain; charset=utf-8"


class SeriesResource:
    """/series/ID/. ``clock`` gives Unix seconds."""

    def __init__(
        self, storage: Storage, access: Access, clock: Callable[[], float], max_body: int
    ) -> None:
        self._storage = storage
        self._access = access
        self._clock = clock
        self._max_body = max_body
        self._ways = {"value": self._add_value, "increment": self._increment}

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_show(req, id)
        show(
            req,
            resp,
            "series",
            series=series,
            about=series.metadata,
            latest=self._storage.latest(series),
            url=series_url(req, series),
        )
        resp.set_header("Cache-Control", OFTEN_ASKED)

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        self._write(series, read_form(req, self._max_body))
        resp.status = 204

    def on_put(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        points = read_points(req, self._max_body)
        self._storage.replace(series, points, self._clock())
        resp.status = 204

    def on_delete(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
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

    def _add_value(self, series: Series, given: Fields) -> None:
        value = parse_value(fields.text(given, "value"))
        if "timestamp" not in given:
            self._storage.append(series, value, self._clock())
            return
        point = (fields.time(given, "timestamp"), value)
        self._storage.merge(series, from_points([point]), self._clock())

    def _increment(self, series: Series, given: Fields) -> None:
        amount = parse_number(fields.text(given, "increment"))
        if amount is None or not math.isfinite(amount):
            raise Problem(400, "increment is no number within a double's range.", field="increment")
        self._storage.increment(series, amount, self._clock())
