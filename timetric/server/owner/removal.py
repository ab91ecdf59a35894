"""The handlers that take points away, or a series: each asks once more."""

from __future__ import annotations

import math

from falcon import Request, Response

from timetric.server.account.form import go_on
from timetric.server.body import read_own_form
from timetric.server.owner.once import KeyedForm, done_query, form_key
from timetric.server.pages import show
from timetric.server.receipt import Terms


class ClearResource(KeyedForm):
    """/series/ID/clear/: all its points."""

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        show(req, resp, "owner/clear", series=series, key=self._new_key())

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        key = form_key(req, read_own_form(req))
        again = self._writes.is_done(series.owner, id, key)
        self._storage.clear(series, -math.inf, math.inf, self._clock(), Terms(key=key))
        go_on(req, resp, f"series/{id}/?{done_query('cleared', key, again)}")


class RemoveResource(KeyedForm):
    """/series/ID/remove/: the series itself."""

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        show(req, resp, "owner/remove", series=series, key=self._new_key())

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        user = self._owners.required(req)
        key = form_key(req, read_own_form(req))
        if not self._writes.is_done(user, id, key):  # a second click finds no series any more
            self._storage.remove(self._owners.own(user, id), self._clock(), Terms(key=key))
        go_on(req, resp, "account/?done=series-removed")
