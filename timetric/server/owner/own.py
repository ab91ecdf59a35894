"""Whose the series of a page is, whose forms are only for its owner."""

from __future__ import annotations

from falcon import Request

from timetric.server.pages import PageProblem
from timetric.server.session import Sessions
from timetric.server.storage import Missing, Series, Storage, User

GONE = "There is no such series."


class Owners:
    """Finds series for their owners, who are signed in."""

    def __init__(self, storage: Storage, sessions: Sessions) -> None:
        self._storage = storage
        self._sessions = sessions

    def required(self, req: Request) -> User:
        """Who asks, from a page of this service where it changes a thing. Raises PageProblem."""
        return self._sessions.required(req)

    def series(self, req: Request, id: str) -> Series:
        """The series, for its owner. Raises PageProblem."""
        return self.own(self.required(req), id)

    def own(self, user: User, id: str) -> Series:
        """The series as it stands, if it is the user's. Raises PageProblem."""
        try:
            series = self._storage.series(id)
        except Missing as error:  # answered as a private one of somebody else's
            raise PageProblem(404, GONE) from error
        if series.owner == user:
            return series
        if series.metadata.public:
            raise PageProblem(403, "The series is someone else's.")
        raise PageProblem(404, GONE)
