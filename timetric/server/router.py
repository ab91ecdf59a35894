"""How requests find their handler."""

from __future__ import annotations

from functools import partial
from typing import Any

from falcon import Request, Response
from falcon.routing import CompiledRouter


class Router(CompiledRouter):
    """Routes that answer HEAD as GET, without the body, and OPTIONS with the methods they take."""

    def map_http_methods(self, resource: object, **kwargs: Any) -> dict[str, Any]:
        methods: dict[str, Any] = super().map_http_methods(resource, **kwargs)
        if "GET" in methods:
            methods["HEAD"] = methods["GET"]
        allowed = ", ".join(sorted([*methods, "OPTIONS"]))
        return {**methods, "OPTIONS": partial(_tell_methods, allowed)}


def _tell_methods(allowed: str, req: Request, resp: Response, **_: object) -> None:
    resp.status = 204
    resp.set_header("Allow", allowed)
