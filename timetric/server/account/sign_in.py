"""The handlers that sign browsers in and out, and where strangers sign up."""

from __future__ import annotations

import re

from falcon import Request, Response

from timetric.server.account.form import go_on, said, text
from timetric.server.body import Fields, only, read_own_form, read_query
from timetric.server.pages import PageProblem, root, show, show_problem
from timetric.server.session import Sessions

#: A path of this service, below its root; no host, and nothing that a browser takes for one.
_PATH = re.compile(r"(?!/|[^/]*:)[!-\[\]-~]*")

_DONE = {
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out everywhere.",
}


class SignInResource:
    """By name and password; says how to sign in by a link."""

    def __init__(self, sessions: Sessions, open_signup: bool) -> None:
        self._sessions = sessions
        self._open_signup = open_signup

    def on_get(self, req: Request, resp: Response) -> None:
        back = {"next": read_query(req).get("next", [""])}
        values = {"typed": back, "open_signup": self._open_signup}
        show(req, resp, "account/sign-in", done=said(req, _DONE), **values)

    def on_post(self, req: Request, resp: Response) -> None:
        fields = read_own_form(req)
        password = only(fields, "password") or ""
        try:
            self._sessions.sign_in_password(req, resp, text(fields, "name"), password)
        except PageProblem as problem:  # told in the form, with the name that was typed
            values = {"typed": fields, "open_signup": self._open_signup}
            show_problem(req, resp, problem, "account/sign-in", **values)
            return
        go_on(req, resp, _next(req, fields))


class SignInLinkResource:
    """What a one-time link opens. Only its button spends it: programs look at links as well."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, secret: str) -> None:
        show(req, resp, "account/sign-in-link", user=self._sessions.invited(req, secret))
        _keep_address_secret(resp)

    def on_post(self, req: Request, resp: Response, secret: str) -> None:
        user = self._sessions.sign_in(req, resp, secret)
        show(req, resp, "account/signed-in", viewer=user)
        _keep_address_secret(resp)


class SignUpResource:
    """Makes an account, where strangers may."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response) -> None:
        show(req, resp, "account/sign-up")

    def on_post(self, req: Request, resp: Response) -> None:
        fields = read_own_form(req)
        try:
            self._sign_up(req, resp, fields)
        except PageProblem as problem:  # told in the form, with the name that was typed
            show_problem(req, resp, problem, "account/sign-up", typed=fields)
            return
        go_on(req, resp, "account/")

    def _sign_up(self, req: Request, resp: Response, fields: Fields) -> None:
        password = only(fields, "password") or ""
        if password != only(fields, "again"):
            raise PageProblem(400, "The two passwords differ.", field="again")
        self._sessions.sign_up(req, resp, text(fields, "name"), password)


class SignOutResource:
    """Signs this browser out."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_post(self, req: Request, resp: Response) -> None:
        self._sessions.sign_out(req, resp)
        go_on(req, resp, "account/sign-in/?done=signed-out")


def _next(req: Request, fields: Fields) -> str:
    """Where a browser goes on to once it is signed in, below the root."""
    path = text(fields, "next").removeprefix(root(req))
    return path if path and _PATH.fullmatch(path) else "account/"


def _keep_address_secret(resp: Response) -> None:
    resp.set_header("Referrer-Policy", "no-referrer")
