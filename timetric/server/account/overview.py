"""The handler of /account/ itself."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.server.pages import show
from timetric.server.session import Sessions
from timetric.server.storage import Storage


class OverviewResource:
    """What a user has, and where to find it."""

    def __init__(self, storage: Storage, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._accounts = storage.accounts
        self._grants = storage.grants
        self._sessions = sessions
        self._clock = clock

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        counts = {
            "tokens": len(self._accounts.tokens_of(user)),
            "applications": len(self._grants.applications_of(user)),
            "authorized": len(self._grants.access_tokens_of(user)),
            "sessions": len(self._accounts.sessions_of(user, self._clock())),
        }
        show(req, resp, "account/overview", **counts)
