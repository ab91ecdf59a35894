"""The handlers of /embed/ID/, a chart to be framed by other sites, and of what it shows."""

from __future__ import annotations

import json

from falcon import Request, Response

from timetric.server import fields
from timetric.server.access import Access, series_url
from timetric.server.assets import address
from timetric.server.body import read_query
from timetric.server.caching import Caching
from timetric.server.compression import is_packed
from timetric.server.pages import is_for_a_person, rendered, root
from timetric.server.problem import REASON, Problem
from timetric.server.sharing.fluid import fluid
from timetric.server.sharing.outline import outline, thinned
from timetric.server.sharing.pictures import label, read_dark, read_window
from timetric.server.storage import Series, Storage, Window

#: Any site may frame this page, and no other page of the service.
_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
)

_HTML = "text/html; charset=utf-8"
_COLUMNS = 1000  # of what is drawn in a frame, of whatever size that is

#: How many points the data have: usually, at least and at most.
GRAPH = (1000, 2, 10_000)


class EmbedResource:
    """/embed/ID/ and /embed/ID/graph/: of public series only, whoever asks."""

    def __init__(self, storage: Storage, access: Access, caching: Caching) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        try:  # a frame of another site says why it is empty, rather than look broken
            series = self._access.to_embed(id)
        except Problem as problem:
            if not is_for_a_person(req):
                raise
            _show(resp, "gone", root=root(req))
            req.env[REASON] = problem.detail
            resp.status = problem.status
            return
        query = read_query(req)
        window, dark = read_window(query), read_dark(query)
        # The page names its style sheet, which another release may have changed.
        if not self._holds(req, resp, series, _HTML, address("embed.css")):
            self._show_chart(req, resp, series, window, dark)

    def on_get_graph(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_embed(id)
        query = read_query(req)
        window, most = read_window(query), fields.number(query, "max_points", *GRAPH)
        if self._holds(req, resp, series, "application/json", "graph"):
            return
        about, latest = series.metadata, self._storage.latest(series)
        points = thinned(self._storage, series, window, most)
        graph = {
            "title": about.title,
            "caption": about.caption,
            "unit": about.unit or None,
            "url": series_url(req, series),
            "latest": latest,
            "points": points,
        }
        resp.text = json.dumps(graph, ensure_ascii=False, allow_nan=False)

    def _show_chart(
        self, req: Request, resp: Response, series: Series, window: Window, dark: bool | None
    ) -> None:
        _show(
            resp,
            "embed",
            about=series.metadata,
            chart=fluid(outline(self._storage, series, window, _COLUMNS)),
            label=label(series),
            latest=self._storage.latest(series),
            root=root(req),
            scheme={True: "dark", False: "light", None: ""}[dark],
            url=series_url(req, series),
        )

    def _holds(
        self, req: Request, resp: Response, series: Series, media_type: str, name: str
    ) -> bool:
        """Whether the reader's copy does."""
        packed = "+gzip" if is_packed(req, media_type) else ""
        if self._caching.answers(req, resp, series, f"{name}{packed}", weak=True):
            return True
        resp.content_type = media_type
        return False


def _show(resp: Response, name: str, **values: object) -> None:
    resp.text, resp.content_type = rendered(name, **values), _HTML
    resp.set_header("Content-Security-Policy", _POLICY)
