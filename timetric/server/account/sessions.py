"""The handlers of /account/sessions/: the browsers that a user is signed in with."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.server.account.agent import described
from timetric.server.account.form import go_on, posted, said
from timetric.server.pages import PageProblem, show
from timetric.server.session import Sessions
from timetric.server.storage import Accounts, Missing

_DONE = {
    "ended": "That browser is signed out.",
    "others-ended": "All other browsers are signed out.",
}


class SessionsResource:
    """The list of them."""

    def __init__(self, accounts: Accounts, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._clock = clock

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        values = {
            "sessions": self._accounts.sessions_of(user, self._clock()),
            "current": self._sessions.current(req),
            "described": described,
            "done": said(req, _DONE),
        }
        show(req, resp, "account/sessions", **values)


class SessionEndResource:
    """Signs one browser out, all others, or all."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    def on_post_one(self, req: Request, resp: Response, key: int) -> None:
        user, _ = posted(req, self._sessions)
        try:
            self._accounts.end_session(user, key)
        except Missing as error:
            raise PageProblem(404, "That browser is not signed in any more.") from error
        go_on(req, resp, "account/sessions/?done=ended")

    def on_post_others(self, req: Request, resp: Response) -> None:
        user, _ = posted(req, self._sessions)
        self._sessions.end_others(req, user)
        go_on(req, resp, "account/sessions/?done=others-ended")

    def on_post_all(self, req: Request, resp: Response) -> None:
        user, _ = posted(req, self._sessions)
        self._accounts.end_sessions(user)
        self._sessions.sign_out(req, resp)
        go_on(req, resp, "account/sign-in/?done=signed-out-everywhere")
