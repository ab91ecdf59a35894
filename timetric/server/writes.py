"""The handlers of writes/KEY/: what a write that carried an Idempotency-Key did."""

from __future__ import annotations

import json
from collections.abc import Callable

from falcon import Request, Response

from timetric.server.access import Access
from timetric.server.problem import Problem
from timetric.server.storage import Missing, Storage
from timetric.server.terms import checked_key


class WritesResource:
    """/series/ID/writes/KEY/, and /create/writes/KEY/. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, access: Access, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._access = access
        self._clock = clock

    def on_get(self, req: Request, resp: Response, key: str, id: str = "") -> None:
        user = self._access.to_look_up(req)
        try:
            receipt = self._storage.receipt(user, id, checked_key(key), self._clock())
        except Missing as error:  # which may yet change
            raise Problem(
                404, "No write with this key is stored yet; repeat it to be sure."
            ) from error
        resp.text = json.dumps(receipt.document(), allow_nan=False)
        resp.content_type = "application/json"
