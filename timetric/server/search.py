"""The handlers of the home page and of /search/: series by their titles, the newest first."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.body import only, read_query
from timetric.server.pages import OFTEN_ASKED, show
from timetric.server.storage import Storage

#: How many series a page shows.
MOST = 20


class HomeResource:
    """What stands at the service's own address."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def on_get(self, req: Request, resp: Response) -> None:
        found = self._storage.titled("", req.context.viewer(req), MOST)
        show(req, resp, "home", found=found)
        resp.set_header("Cache-Control", OFTEN_ASKED)


class SearchResource:
    """Public series, and those of whoever is signed in, whose title holds ``q``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def on_get(self, req: Request, resp: Response) -> None:
        words = (only(read_query(req), "q") or "").strip()
        found = self._storage.titled(words, req.context.viewer(req), MOST)
        show(req, resp, "search", q=words, found=found, most=MOST)
        resp.set_header("Cache-Control", OFTEN_ASKED)
