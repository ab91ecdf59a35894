"""The pages under /help/, whose examples name the service by its own address."""

from __future__ import annotations

from typing import Any

from falcon import App, Request, Response

from timetric.server.pages import OFTEN_ASKED, show


class HelpResource:
    """One page. ``name`` is that of its template."""

    def __init__(self, name: str, *, open_signup: bool) -> None:
        self._name = name
        self._open_signup = open_signup

    def on_get(self, req: Request, resp: Response) -> None:
        show(req, resp, f"help/{self._name}", open_signup=self._open_signup)
        resp.set_header("Cache-Control", OFTEN_ASKED)


def add_routes(app: App[Any, Any], *, open_signup: bool) -> None:
    app.add_route("/help", HelpResource("overview", open_signup=open_signup))
    for name in ("start", "protocol"):
        app.add_route(f"/help/{name}", HelpResource(name, open_signup=open_signup))
