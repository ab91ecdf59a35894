"""Browsers that are signed in: by a one-time link, then by a cookie."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from timetric.server.callback import origin
from timetric.server.credentials import Random, digest, make_secret
from timetric.server.pages import PageProblem
from timetric.server.storage import Accounts, Missing, Storage, User

#: Seconds that a sign-in link and a session are good for.
LINK, SESSION = 15 * 60, 14 * 24 * 60 * 60

_SIGN_IN_FIRST = (
    "Where the service runs, type: timetric user signin-link NAME. Open the link it prints in this "
    "browser, then come back to this page and reload it."
)
_NO_LINK = (
    "A sign-in link works once, within 15 minutes, unless another has been made since. For a new "
    "one, type where the service runs: timetric user signin-link NAME."
)


class Sessions:
    """Who is signed in. The store knows no more of links and sessions than their SHA-256."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float], random: Random) -> None:
        self._accounts = accounts
        self._clock = clock
        self._random = random

    def user(self, req: Request) -> User | None:
        """Who is signed in, if anybody."""
        # A cookie goes with every request of a browser; beside other credentials it does not count.
        cookies = req.get_cookie_values(_cookie(req)) or []
        if len(cookies) != 1 or req.get_header("Authorization") is not None:
            return None
        try:
            return self._accounts.session(digest(cookies[0]), self._clock())
        except Missing:  # it has ended
            return None

    def required(self, req: Request) -> User:
        """Who is signed in. Raises PageProblem where nobody is."""
        user = self.user(req)
        if user is None:
            raise PageProblem(403, _SIGN_IN_FIRST, title="Sign in first")
        return user

    def invited(self, secret: str) -> User:
        """Whose a sign-in link is. Raises PageProblem."""
        try:
            return self._accounts.link(digest(secret), self._clock())
        except Missing as error:
            raise PageProblem(404, _NO_LINK, title="This link has ended") from error

    def sign_in(self, req: Request, resp: Response, secret: str) -> User:
        """Spend a sign-in link for a session. Raises PageProblem."""
        check_origin(req)
        session, now = make_secret(self._random), self._clock()
        try:
            user = self._accounts.sign_in(digest(secret), digest(session), now + SESSION, now)
        except Missing as error:
            raise PageProblem(404, _NO_LINK, title="This link has ended") from error
        resp.set_cookie(
            _cookie(req),
            session,
            max_age=SESSION,
            path="/",
            secure=_is_https(req),
            http_only=True,
            same_site="Lax",
        )
        return user


def check_origin(req: Request) -> None:
    """Let a form be sent from this service's own pages only. Raises PageProblem."""
    site = req.get_header("Sec-Fetch-Site")
    own = origin(req.context.base_url)
    if site == "same-origin" or (site is None and req.get_header("Origin") == own):
        return
    raise PageProblem(
        403,
        "The form was not sent from a page of this service. Open the page again; beyond this "
        "machine, by https.",
    )


def make_link(
    storage: Storage, user: User, base_url: str, *, clock: Callable[[], float], random: Random
) -> str:
    """The URL that signs a browser in as the user, once; the one made before is void."""
    secret = make_secret(random)
    storage.accounts.put_link(user, digest(secret), clock() + LINK)
    return f"{base_url}account/sign-in/{secret}/"


def _is_https(req: Request) -> bool:
    return bool(req.context.base_url.startswith("https:"))


def _cookie(req: Request) -> str:
    """Its name; that prefix lets no other host of the domain set it."""
    return "__Host-timetric" if _is_https(req) else "timetric"
