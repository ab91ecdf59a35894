"""The handlers of /account/password/."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.account.form import go_on, posted, said
from timetric.server.body import Fields, only
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.session import Sessions
from timetric.server.storage import Accounts, User

_DONE = {"changed": "The password is set. All other browsers are signed out."}


class PasswordResource:
    """Sets a password, or changes it for whoever knows the one before."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response) -> None:
        has_password = self._has_password(self._sessions.required(req))
        show(req, resp, "account/password", done=said(req, _DONE), has_password=has_password)

    def on_post(self, req: Request, resp: Response) -> None:
        user, fields = posted(req, self._sessions)
        try:
            self._change(req, user, fields)
        except PageProblem as problem:  # told in the form
            values = {"has_password": self._has_password(user)}
            show_problem(req, resp, problem, "account/password", **values)
            return
        go_on(req, resp, "account/password/?done=changed")

    def _change(self, req: Request, user: User, fields: Fields) -> None:
        new = only(fields, "new") or ""
        if new != only(fields, "again"):
            raise PageProblem(400, "The two new passwords differ.", field="again")
        self._sessions.change_password(req, only(fields, "current") or "", new)

    def _has_password(self, user: User) -> bool:
        return self._accounts.account(user).has_password
