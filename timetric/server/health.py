"""/health/: whether the service answers, and its store."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.storage import Storage


class HealthResource:
    """For whoever watches over the service; it says no more than that it is well."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def on_get(self, req: Request, resp: Response) -> None:
        resp.set_header("Cache-Control", "no-store")
        self._storage.ping()
        resp.data = b'{"status": "ok"}'
