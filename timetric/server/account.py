"""The handlers of /account/…: signing in."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.pages import form_page, show
from timetric.server.session import Sessions


class SignInResource:
    """What a one-time link opens. Only its button spends it: programs look at links as well."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, secret: str) -> None:
        self._show(resp, "sign-in", user=self._sessions.invited(req, secret))

    def on_post(self, req: Request, resp: Response, secret: str) -> None:
        self._show(resp, "signed-in", user=self._sessions.sign_in(req, resp, secret))

    def _show(self, resp: Response, name: str, **values: object) -> None:
        show(resp, form_page(name, **values))
        resp.set_header("Referrer-Policy", "no-referrer")  # the address is the secret
