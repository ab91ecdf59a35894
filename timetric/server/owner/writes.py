"""The handlers that put points into a series, in a browser."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.exceptions import InvalidPoint
from timetric.points import parse_value
from timetric.server import fields as reading
from timetric.server.account.form import go_on, text
from timetric.server.body import Fields, read_own_form
from timetric.server.credentials import Random
from timetric.server.owner.once import KeyedForm, done_query, form_key
from timetric.server.owner.own import Owners
from timetric.server.owner.points import Sent, read_sent
from timetric.server.owner.wrong import WRONG, told
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.receipt import ERROR, KEEP, REPLACE, Key, Terms
from timetric.server.storage import Series, Storage

#: What becomes of a point whose time is taken, in the words of the form.
CONFLICTS = {
    REPLACE: "the new value takes its place",
    KEEP: "it stays as it is",
    ERROR: "nothing is stored at all",
}


class AddResource(KeyedForm):
    """/series/ID/add/: one value."""

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        show(req, resp, "owner/add", series=series, key=self._new_key())

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        fields = read_own_form(req)
        key = form_key(req, fields)
        again = self._writes.is_done(series.owner, id, key)
        try:
            self._add(series, fields, Terms(key=key))
        except WRONG as error:  # told in the form, with what was typed
            values = {"series": series, "typed": fields, "key": self._new_key()}
            show_problem(req, resp, told(error, _field(error)), "owner/add", **values)
            return
        go_on(req, resp, f"series/{id}/?{done_query('added', key, again)}")

    def _add(self, series: Series, fields: Fields, terms: Terms) -> None:
        value, now = parse_value(text(fields, "value")), self._clock()
        if text(fields, "timestamp"):
            point = (_time(fields), value)
            self._storage.put(series, point, now, terms)
        else:
            self._storage.append(series, value, now, terms)


class UploadResource(KeyedForm):
    """/series/ID/upload/: many points."""

    def __init__(
        self,
        storage: Storage,
        owners: Owners,
        clock: Callable[[], float],
        random: Random,
        max_body: int,
    ) -> None:
        super().__init__(storage, owners, clock, random)
        self._max_body = max_body

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        show(req, resp, "owner/upload", **self._shown(self._owners.series(req, id)))

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        sent = read_sent(req, self._max_body)
        key = form_key(req, sent.fields, sent.upload)
        again = self._writes.is_done(series.owner, id, key)
        try:
            self._merge(series, sent, key)
        except WRONG as error:  # told in the form, with what was typed
            values = {"typed": sent.fields, "sent": sent, **self._shown(series)}
            show_problem(req, resp, told(error), "owner/upload", **values)
            return
        go_on(req, resp, f"series/{id}/?{done_query('uploaded', key, again)}")

    def _merge(self, series: Series, sent: Sent, key: Key | None) -> None:
        if sent.fault is not None:
            raise sent.fault
        if not sent.upload.rows:
            raise PageProblem(400, "There are no points in it.", field="csv")
        on_conflict = reading.choice(sent.fields, "on_conflict", *CONFLICTS)
        terms = Terms(rows=sent.upload.rows, key=key, on_conflict=on_conflict)
        self._storage.merge(series, sent.upload.points, self._clock(), terms)

    def _shown(self, series: Series) -> dict[str, object]:
        return {
            "series": series,
            "conflicts": CONFLICTS,
            "most": self._max_body,
            "key": self._new_key(),
        }


def _field(error: Exception) -> str | None:
    return "value" if isinstance(error, InvalidPoint) else None


def _time(fields: Fields) -> float:
    """Raises PageProblem, in which the field needs no name."""
    try:
        return reading.time(fields, "timestamp")
    except WRONG as error:  # told at the field
        problem = told(error)
        raise PageProblem(
            400, problem.detail.removeprefix("timestamp: "), field="timestamp"
        ) from error
