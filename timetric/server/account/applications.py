"""The handlers of /account/applications/: programs that a user offers to others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from falcon import Request, Response

from timetric.server.account.expiry import CHOICES, chosen_expiry
from timetric.server.account.form import go_on, named, own, posted, said, text
from timetric.server.body import Fields
from timetric.server.callback import is_callback
from timetric.server.credentials import Random, make_application
from timetric.server.keyring import APPLICATION, Keyring
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.session import Sessions
from timetric.server.storage import Application, Grants, Missing, Taken, User

_DONE = {
    "registered": "The application is registered.",
    "deleted": "The application was deleted.",
}
_GONE = "There is no such application of yours; it may have been deleted."


class ApplicationsResource:
    """A user's applications, and the form that registers one."""

    def __init__(
        self, grants: Grants, sessions: Sessions, clock: Callable[[], float], random: Random
    ) -> None:
        self._grants = grants
        self._sessions = sessions
        self._clock = clock
        self._random = random

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        show(req, resp, "account/applications", done=said(req, _DONE), **self._listed(user))

    def on_post(self, req: Request, resp: Response) -> None:
        user, fields = posted(req, self._sessions)
        try:
            made = self._make(user, fields)
        except PageProblem as problem:  # told in the form, with what was typed
            listed = self._listed(user)
            show_problem(req, resp, problem, "account/applications", typed=fields, **listed)
            return
        go_on(req, resp, f"account/applications/{made.key}/?done=registered")

    def _listed(self, user: User) -> dict[str, Any]:
        applications = self._grants.applications_of(user)
        return {"applications": applications, "now": self._clock(), "choices": CHOICES}

    def _make(self, user: User, fields: Fields) -> Application:
        name, now = named(fields), self._clock()
        callback = text(fields, "callback") or None
        if callback and not is_callback(callback):
            raise PageProblem(
                400,
                "A callback is a plain http or https address, without credentials, dots as steps, "
                "and fragment.",
                field="callback",
            )
        try:
            return make_application(
                self._grants,
                user,
                name,
                callback=callback,
                read_only=bool(text(fields, "read_only")),
                expires=chosen_expiry(fields, now),
                clock=self._clock,
                random=self._random,
            )
        except Taken as error:
            raise PageProblem(409, "You have an application of that name.", field="name") from error


class ApplicationResource:
    """The key and the secret of an application; the secret is derived, so it can be shown again."""

    def __init__(self, grants: Grants, sessions: Sessions, keyring: Keyring) -> None:
        self._grants = grants
        self._sessions = sessions
        self._keyring = keyring

    def on_get(self, req: Request, resp: Response, key: str) -> None:
        user = self._sessions.required(req)
        application = own(self._grants.applications_of(user), key, _GONE)
        secret = self._keyring.derive(APPLICATION, application.key)
        config = {
            "url": req.context.base_url,
            "authtype": "oauth",
            "consumer_key": application.key,
            "consumer_secret": secret,
        }
        values = {"application": application, "secret": secret, "done": said(req, _DONE)}
        show(req, resp, "account/application", config=json.dumps(config, indent=2), **values)


class ApplicationDeleteResource:
    """The page that asks once more before an application goes with all its tokens."""

    def __init__(self, grants: Grants, sessions: Sessions) -> None:
        self._grants = grants
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, key: str) -> None:
        user = self._sessions.required(req)
        application = own(self._grants.applications_of(user), key, _GONE)
        show(req, resp, "account/application-delete", application=application)

    def on_post(self, req: Request, resp: Response, key: str) -> None:
        user, _ = posted(req, self._sessions)
        try:
            self._grants.remove_own_application(user, key)
        except Missing as error:
            raise PageProblem(404, _GONE) from error
        go_on(req, resp, "account/applications/?done=deleted")
