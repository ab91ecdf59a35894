"""The handler of /account/ itself."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.server.account.form import said
from timetric.server.pages import show
from timetric.server.session import Sessions
from timetric.server.storage import Search, Storage, User

_DONE = {"series-removed": "The series was removed, with all its points."}


class OverviewResource:
    """What a user has, and where to find it."""

    def __init__(self, storage: Storage, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._accounts = storage.accounts
        self._grants = storage.grants
        self._sessions = sessions
        self._clock = clock

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        counts = {
            "series": self._series(user),
            "tokens": len(self._accounts.tokens_of(user)),
            "applications": len(self._grants.applications_of(user)),
            "authorized": len(self._grants.access_tokens_of(user)),
            "sessions": len(self._accounts.sessions_of(user, self._clock())),
        }
        show(req, resp, "account/overview", done=said(req, _DONE), **counts)

    def _series(self, user: User) -> int:
        return self._storage.search(Search(owner=user.name, viewer=user, limit=1)).total
