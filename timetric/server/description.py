"""The handlers of /series/ID/metadata/: what a series says of itself, and changes to it."""

from __future__ import annotations

import json
from collections.abc import Callable

from falcon import Request, Response

from timetric.server.access import Access, series_url
from timetric.server.body import read_document
from timetric.server.caching import Caching
from timetric.server.item import thick_item
from timetric.server.metadata import read_changes
from timetric.server.problem import Problem
from timetric.server.receipt import Terms
from timetric.server.storage import Series, Storage
from timetric.server.terms import read_versions

_TYPES = ("application/merge-patch+json", "application/json")


class MetadataResource:
    """/series/ID/metadata/. ``clock`` gives Unix seconds."""

    def __init__(
        self, storage: Storage, access: Access, caching: Caching, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching
        self._clock = clock

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_read(req, id)
        if not self._caching.answers(req, resp, series, "metadata"):
            self._show(req, resp, series)

    def on_patch(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_write(req, id)
        patch = read_document(req, _TYPES)
        if not isinstance(patch, dict):
            raise Problem(400, "The body is no JSON object.")
        terms = Terms(versions=read_versions(req))
        series = self._storage.amend(series, read_changes(patch), self._clock(), terms)
        resp.set_header("Timetric-Version", str(series.version))
        self._show(req, resp, series)

    def _show(self, req: Request, resp: Response, series: Series) -> None:
        item = thick_item(series, self._storage.latest(series), series_url(req, series))
        resp.text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        resp.content_type = "application/json"
