"""What stands at the service's own address: the home page, and what robots are told."""

from __future__ import annotations

from typing import Any

from falcon import App, Request, Response

from timetric.server.caching import PUBLIC
from timetric.server.pages import OFTEN_ASKED, root, show
from timetric.server.search import found_items
from timetric.server.storage import Search, Storage

#: How much of each the home page shows.
OWN, NEWEST, TAGS = 6, 12, 24

#: Where robots find nothing but forms, and what changes while they read.
_NOT_FOR_ROBOTS = ("account/", "oauth/", "metrics/", "health/")


class HomeResource:
    """The home page. Strangers are told what the place is; others see their own series first."""

    def __init__(self, storage: Storage, *, open_signup: bool) -> None:
        self._storage = storage
        self._open_signup = open_signup

    def on_get(self, req: Request, resp: Response) -> None:
        viewer, search = req.context.viewer(req), self._storage.search
        own = search(Search(owner=viewer.name, viewer=viewer, limit=OWN)) if viewer else None
        shown = own.series if own else []
        keys = {series.key for series in shown}
        public = [each for each in search(Search(limit=NEWEST)).series if each.key not in keys]
        show(
            req,
            resp,
            "home",
            own=found_items(req, shown, self._storage),
            own_total=own.total if own else 0,
            newest=found_items(req, public, self._storage),
            tags=self._storage.tags(viewer, TAGS),
            most_tags=TAGS,
            open_signup=self._open_signup,
        )
        resp.set_header("Cache-Control", OFTEN_ASKED)


class RobotsResource:
    """/robots.txt (RFC 9309): series, searches and help may be read."""

    def on_get(self, req: Request, resp: Response) -> None:
        closed = [f"Disallow: {root(req)}{place}\n" for place in _NOT_FOR_ROBOTS]
        resp.text = "".join(["User-agent: *\n", *closed])
        resp.content_type = "text/plain; charset=utf-8"
        resp.set_header("Cache-Control", PUBLIC)


def add_routes(app: App[Any, Any], storage: Storage, *, open_signup: bool) -> None:
    app.add_route("/", HomeResource(storage, open_signup=open_signup))
    app.add_route("/robots.txt", RobotsResource())
