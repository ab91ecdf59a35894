"""The handlers of /account/tokens/: API tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from falcon import Request, Response

from timetric.server.account.expiry import CHOICES, chosen_expiry
from timetric.server.account.form import go_on, named, own, posted, said, text
from timetric.server.body import Fields
from timetric.server.credentials import Random, make_token
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.session import Sessions
from timetric.server.storage import Accounts, Missing, Taken, Token, User

_DONE = {"revoked": "The token was revoked."}
_GONE = "There is no such token of yours; it may have been revoked."


class TokensResource:
    """A user's API tokens, and the form that makes one.

    Its secret is on the page that answers the form, once: sent again, the form is refused, as the
    name is in use.
    """

    def __init__(
        self, accounts: Accounts, sessions: Sessions, clock: Callable[[], float], random: Random
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._clock = clock
        self._random = random

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        show(req, resp, "account/tokens", done=said(req, _DONE), **self._listed(user))

    def on_post(self, req: Request, resp: Response) -> None:
        user, fields = posted(req, self._sessions)
        try:
            token, secret = self._make(user, fields)
        except PageProblem as problem:  # told in the form, with what was typed
            listed = self._listed(user)
            show_problem(req, resp, problem, "account/tokens", typed=fields, **listed)
            return
        config = {
            "url": req.context.base_url,
            "authtype": "apitoken",
            "apitoken_key": token.key,
            "apitoken_secret": secret,
        }
        values = {"token": token, "secret": secret, "config": json.dumps(config, indent=2)}
        show(req, resp, "account/token", **values)

    def _listed(self, user: User) -> dict[str, Any]:
        tokens = self._accounts.tokens_of(user)
        return {"tokens": tokens, "now": self._clock(), "choices": CHOICES}

    def _make(self, user: User, fields: Fields) -> tuple[Token, str]:
        name, now = named(fields), self._clock()
        try:
            return make_token(
                self._accounts,
                user,
                name,
                read_only=bool(text(fields, "read_only")),
                expires=chosen_expiry(fields, now),
                clock=self._clock,
                random=self._random,
            )
        except Taken as error:
            raise PageProblem(409, "You have a token of that name.", field="name") from error


class TokenRevokeResource:
    """The page that asks once more before a token is revoked."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, key: str) -> None:
        user = self._sessions.required(req)
        token = own(self._accounts.tokens_of(user), key, _GONE)
        show(req, resp, "account/token-revoke", token=token)

    def on_post(self, req: Request, resp: Response, key: str) -> None:
        user, _ = posted(req, self._sessions)
        try:
            self._accounts.revoke_own(user, key)
        except Missing as error:
            raise PageProblem(404, _GONE) from error
        go_on(req, resp, "account/tokens/?done=revoked")
