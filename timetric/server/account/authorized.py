"""The handlers of /account/authorized/: applications that a user lets in."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.server.account.form import go_on, own, posted, said
from timetric.server.pages import PageProblem, show
from timetric.server.session import Sessions
from timetric.server.storage import Grants, Missing

_DONE = {"revoked": "The access was revoked."}
_GONE = "You let in no such application; its access may have been revoked."


class AuthorizedResource:
    """The access tokens that act for a user."""

    def __init__(self, grants: Grants, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._grants = grants
        self._sessions = sessions
        self._clock = clock

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        tokens, done = self._grants.access_tokens_of(user), said(req, _DONE)
        show(req, resp, "account/authorized", tokens=tokens, now=self._clock(), done=done)


class AuthorizedRevokeResource:
    """The page that asks once more before an application is shut out."""

    def __init__(self, grants: Grants, sessions: Sessions) -> None:
        self._grants = grants
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, key: str) -> None:
        user = self._sessions.required(req)
        token = own(self._grants.access_tokens_of(user), key, _GONE)
        show(req, resp, "account/authorized-revoke", token=token)

    def on_post(self, req: Request, resp: Response, key: str) -> None:
        user, _ = posted(req, self._sessions)
        try:
            self._grants.revoke_own_access_token(user, key)
        except Missing as error:
            raise PageProblem(404, _GONE) from error
        go_on(req, resp, "account/authorized/?done=revoked")
