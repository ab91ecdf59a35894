"""The handlers of /create/ and of /series/ID/: making, writing, clearing, and the page."""

from __future__ import annotations

import math
from collections.abc import Callable

from falcon import Request, Response

from timetric.points import parse_value
from timetric.server import fields
from timetric.server.access import Access, url_of
from timetric.server.body import Form, read_form, read_points, read_query
from timetric.server.credentials import Random, make_id, make_secret
from timetric.server.intake import NOTHING
from timetric.server.metadata import Metadata
from timetric.server.pages import OFTEN_ASKED, show
from timetric.server.problem import Problem
from timetric.server.receipt import REPLACE, Receipt, Terms
from timetric.server.showing import shown
from timetric.server.storage import Series, Storage
from timetric.server.terms import flag, read_terms
from timetric.timestamps import parse_number

_OF_DELETE = {"start", "end", "series", "dry_run"}  # what its query may have


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
        metadata, upload = Metadata.from_fields(form.fields), form.upload or NOTHING
        id, terms = make_id(self._random), read_terms(req, form.fields, form.upload)
        receipt = self._storage.create(id, owner, metadata, upload.points, self._clock(), terms)
        resp.set_headers(receipt.headers())
        if receipt.made is None:  # it was only tried
            return
        resp.status = 201
        resp.context.receipt = receipt
        resp.location = resp.text = url_of(req, receipt.made)
        resp.content_type = "text/plain; charset=utf-8"


class SeriesResource:
    """/series/ID/. ``clock`` gives Unix seconds."""

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
        self._ways = {"value": self._add_value, "increment": self._increment}

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_show(req, id)
        now, key = self._clock(), make_secret(self._random)
        show(req, resp, "series", key=key, **shown(req, self._storage, series, now))
        resp.set_header("Cache-Control", OFTEN_ASKED)

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        form = read_form(req, self._max_body)
        way = self._way(form)
        terms = read_terms(req, form.fields, form.upload)
        _acknowledge(resp, way(series, form, terms), terms)

    def on_put(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        upload = read_points(req, self._max_body)
        terms = read_terms(req, read_query(req), upload)
        if terms.on_conflict != REPLACE:
            raise Problem(400, "PUT replaces all there is.", field="on_conflict")
        receipt = self._storage.replace(series, upload.points, self._clock(), terms)
        _acknowledge(resp, receipt, terms)

    def on_delete(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        query = read_query(req)
        for name in query:  # one that is mistaken shall not clear more than was meant
            if name not in _OF_DELETE and not name.startswith("oauth_"):
                raise Problem(400, f"{name} means nothing to DELETE.", field=name)
        terms, now = read_terms(req, query), self._clock()
        start = fields.time(query, "start") if "start" in query else -math.inf
        end = fields.time(query, "end") if "end" in query else math.inf
        if not flag(query, "series"):
            receipt = self._storage.clear(series, start, end, now, terms)
        elif "start" in query or "end" in query:
            raise Problem(400, "Give series, or a range to be cleared; not both.", field="series")
        else:
            receipt = self._storage.remove(series, now, terms)
        _acknowledge(resp, receipt, terms)

    def _way(self, form: Form) -> Callable[[Series, Form, Terms], Receipt]:
        """The one thing that a POST asks for. Raises Problem."""
        ways = [way for name, way in self._ways.items() if name in form.fields]
        ways += [self._merge] if form.upload else []
        if len(ways) != 1:
            raise Problem(
                400,
                "Give exactly one of value, increment, a multipart file csv, or points as the "
                "body; CSV is sent with Content-Type: text/csv.",
            )
        if "timestamp" in form.fields and "value" not in form.fields:
            raise Problem(400, "A timestamp belongs to a value only.", field="timestamp")
        return ways[0]

    def _merge(self, series: Series, form: Form, terms: Terms) -> Receipt:
        points = (form.upload or NOTHING).points
        return self._storage.merge(series, points, self._clock(), terms)

    def _add_value(self, series: Series, form: Form, terms: Terms) -> Receipt:
        value = parse_value(fields.text(form.fields, "value"))
        if "timestamp" not in form.fields:
            return self._storage.append(series, value, self._clock(), terms)
        point = (fields.time(form.fields, "timestamp"), value)
        return self._storage.put(series, point, self._clock(), terms)

    def _increment(self, series: Series, form: Form, terms: Terms) -> Receipt:
        amount = parse_number(fields.text(form.fields, "increment"))
        if amount is None or not math.isfinite(amount):
            raise Problem(400, "increment is no number within a double's range.", field="increment")
        return self._storage.increment(series, amount, self._clock(), terms)


def _acknowledge(resp: Response, receipt: Receipt, terms: Terms) -> None:
    resp.status = 204
    if not terms.dry_run:
        resp.context.receipt = receipt
    resp.set_headers(receipt.headers())
