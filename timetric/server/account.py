"""The handlers of /account/…: signing in."""

from __future__ import annotations

from falcon import Request, Response

from timetric.server.pages import show
from timetric.server.session import Sessions


class SignInResource:
    """How to sign in."""

    def on_get(self, req: Request, resp: Response) -> None:
        show(req, resp, "sign-in")


class SignInLinkResource:
    """What a one-time link opens. Only its button spends it: programs look at links as well."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_get(self, req: Request, resp: Response, secret: str) -> None:
        show(req, resp, "sign-in-link", user=self._sessions.invited(secret))
        _keep_address_secret(resp)

    def on_post(self, req: Request, resp: Response, secret: str) -> None:
        show(req, resp, "signed-in", viewer=self._sessions.sign_in(req, resp, secret))
        _keep_address_secret(resp)


def _keep_address_secret(resp: Response) -> None:
    resp.set_header("Referrer-Policy", "no-referrer")
