"""What the service says of itself: /openapi.json."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.caching import PUBLIC
from timetric.server.openapi.document import document


class OpenApiResource:
    """The description, the same for everybody."""

    def __init__(self, *, open_signup: bool) -> None:
        self._open_signup = open_signup

    def on_get(self, req: Request, resp: Response) -> None:
        resp.data = document(req.context.base_url, self._open_signup)
        resp.content_type = "application/json"
        resp.set_header("Cache-Control", PUBLIC)
