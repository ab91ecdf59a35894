"""Browsers that are signed in: by a password or a one-time link, then by a cookie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from falcon import HTTPSeeOther, Request, Response

from timetric.server import attempts
from timetric.server import password as rules
from timetric.server.attempts import Allowance, Attempts, TooMany, network
from timetric.server.callback import origin
from timetric.server.cookie import give_secret, session_secret
from timetric.server.credentials import Random, digest, make_secret
from timetric.server.names import BadName, check_user_name
from timetric.server.pages import READS, PageProblem, sign_in_address
from timetric.server.password import BadPassword, Busy, Passwords
from timetric.server.storage import (
    Accounts,
    Missing,
    Opening,
    Quota,
    Session,
    Taken,
    User,
)
from timetric.server.usage import Usage

_DAY = 24 * 60 * 60

#: Seconds that a sign-in link is good for, and a session after it was last seen.
LINK, IDLE = 15 * 60, 30 * _DAY

_AGENT = 200  # characters that are kept of what a browser says it is
_NAME = 65  # characters by which a name is told from others

_WRONG = "The name or the password is wrong."
_NO_LINK = (
    "A sign-in link works once, within 15 minutes, unless another has been made since. For a new "
    "one, type where the service runs: timetric user signin-link NAME."
)


class Sessions:
    """Who is signed in. The store knows no more of links and sessions than their SHA-256.

    ``quota`` is that of strangers who sign up, None where they can't.
    """

    def __init__(
        self,
        accounts: Accounts,
        usage: Usage,
        clock: Callable[[], float],
        random: Random,
        quota: Quota | None,
        attempts: Attempts,
    ) -> None:
        self._accounts = accounts
        self._usage = usage
        self._clock = clock
        self._random = random
        self._quota = quota
        self._attempts = attempts
        self._passwords = Passwords(random)

    # who is there

    def current(self, req: Request) -> Session | None:
        """The session of the browser that asks, if it is signed in."""
        secret, now = session_secret(req), self._clock()
        if secret is None:
            return None
        try:
            session = self._accounts.session(digest(secret), now)
        except Missing:  # it has ended
            return None
        self._usage.note(
            f"session {session.key}",
            lambda minute: self._accounts.note_visit(session, minute, now + IDLE),
        )
        return session

    def user(self, req: Request) -> User | None:
        """Who is signed in, if anybody."""
        session = self.current(req)
        return session and session.user

    def required(self, req: Request) -> User:
        """Who is signed in; and what changes a thing comes from a page of this service.

        Whoever is not goes to sign in, and from there to the page they asked for. Raises
        PageProblem.
        """
        if req.method not in READS:
            check_origin(req)
        return self.user(req) or _sign_in_first(req)

    # signing in and out

    def sign_in_password(self, req: Request, resp: Response, name: str, password: str) -> User:
        """Open a session for a name and a password. Raises PageProblem."""
        check_origin(req)
        place = _place(req)
        account = f"{place} {name[:_NAME]}"
        with self._counted((attempts.SIGN_IN, account), (attempts.SIGN_INS, place)):
            kept = self._accounts.password(name)
            if not self._passwords.is_right(password, kept) or kept is None:
                raise PageProblem(403, _WRONG, title="Not signed in")
        try:
            user = self._accounts.user(name)
            self._open(req, resp, user, kept)
        except Missing as error:  # removed, disabled or given another password in this moment
            raise PageProblem(403, _WRONG, title="Not signed in") from error
        return user

    def invited(self, req: Request, secret: str) -> User:
        """Whose a sign-in link is. Raises PageProblem."""
        with self._counted((attempts.LINKS, _place(req))):
            try:
                return self._accounts.link(digest(secret), self._clock())
            except Missing as error:
                raise PageProblem(404, _NO_LINK, title="This link has ended") from error

    def sign_in(self, req: Request, resp: Response, secret: str) -> User:
        """Spend a sign-in link for a session. Raises PageProblem."""
        check_origin(req)
        self.invited(req, secret)
        cookie = make_secret(self._random)
        try:
            user = self._accounts.sign_in(digest(secret), self._opening(req, cookie))
        except Missing as error:  # another browser was faster
            raise PageProblem(404, _NO_LINK, title="This link has ended") from error
        give_secret(req, resp, cookie)
        return user

    def sign_up(self, req: Request, resp: Response, name: str, password: str) -> User:
        """Make an account for a stranger, and open its first session. Raises PageProblem."""
        check_origin(req)
        if self._quota is None:
            raise PageProblem(403, "Only whoever keeps this service makes accounts here.")
        _check_name(name)
        _check_password(name, password)
        place = _place(req)
        with self._counted((attempts.SIGN_INS, place)):
            kept = self._passwords.hash(password)
            user = self._add_user(name, kept, self._quota, place)
        self._open(req, resp, user, kept)
        return user

    def sign_out(self, req: Request, resp: Response) -> None:
        """End the session of the browser that asks, if there is one. Raises PageProblem."""
        check_origin(req)
        session = self.current(req)
        if session is not None:
            with suppress(Missing):  # it was ended from elsewhere meanwhile
                self._accounts.end_session(session.user, session.key)
        give_secret(req, resp, "")

    def end_others(self, req: Request, user: User) -> None:
        """End all of a user's sessions but that of the browser that asks."""
        self._accounts.end_sessions(user, keep=_own(req))

    def change_password(self, req: Request, old: str, new: str) -> None:
        """Change the password of whoever is signed in, and end their other sessions.

        The ``old`` one counts where there is one. Raises PageProblem.
        """
        user = self.required(req)
        _check_password(user.name, new, field="new")
        with self._counted((attempts.PASSWORDS, _place(req))):
            kept = self._accounts.password(user.name)
            if kept is not None and not self._passwords.is_right(old, kept):
                raise PageProblem(403, "The current password is wrong.", field="current")
            self._accounts.set_password(user, self._passwords.hash(new), keep=_own(req))

    def _add_user(self, name: str, password: str, quota: Quota, place: str) -> User:
        self._count(attempts.SIGN_UPS, place)
        try:
            return self._accounts.add_user(name, self._clock(), password, quota)
        except Taken as error:
            self._attempts.give_back(attempts.SIGN_UPS, place)
            raise PageProblem(409, f"{error}; choose another name.", field="name") from error

    def _open(self, req: Request, resp: Response, user: User, password: str) -> None:
        """Open a session for a password of that hash. Raises Missing where it is so no more."""
        cookie = make_secret(self._random)
        self._accounts.open_session(user, self._opening(req, cookie), password)
        give_secret(req, resp, cookie)

    def _opening(self, req: Request, cookie: str) -> Opening:
        """A session of the browser that asks; the one that it has had is to end."""
        now, agent = self._clock(), (req.user_agent or "")[:_AGENT]
        return Opening(digest(cookie), now, now + IDLE, agent, req.context.address, _own(req))

    @contextmanager
    def _counted(self, *limits: tuple[Allowance, str]) -> Iterator[None]:
        """Around an attempt, which is given back unless it fails. Raises PageProblem."""
        for allowance, by in limits:
            self._count(allowance, by)
        try:
            yield
        except Busy as error:  # nothing was tried
            self._give_back(limits)
            raise PageProblem(
                503, "Many are signing in at this moment. Try again.", retry_after=5
            ) from error
        self._give_back(limits)

    def _give_back(self, limits: Iterable[tuple[Allowance, str]]) -> None:
        for allowance, by in limits:
            self._attempts.give_back(allowance, by)

    def _count(self, allowance: Allowance, by: str) -> None:
        try:
            self._attempts.count(allowance, by)
        except TooMany as error:
            minutes = -(-error.retry_after // 60)
            raise PageProblem(
                429,
                f"That was tried too often from here. Try again in {minutes} min.",
                title="Too many attempts",
                retry_after=error.retry_after,
            ) from error


def check_origin(req: Request) -> None:
    """Let a form be sent from this service's own pages only. Raises PageProblem.

    ``Sec-Fetch-Site`` says so, "none" where the user did it by themself; or else ``Origin``.
    """
    site = req.get_header("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return
    if site is None and req.get_header("Origin") == origin(req.context.base_url):
        return
    raise PageProblem(
        403,
        "The form was not sent from a page of this service. Open the page again; beyond this "
        "machine, by https.",
    )


def make_link(
    accounts: Accounts, user: User, base_url: str, *, clock: Callable[[], float], random: Random
) -> str:
    """The URL that signs a browser in as the user, once; the one made before is void."""
    secret = make_secret(random)
    accounts.put_link(user, digest(secret), clock() + LINK)
    return f"{base_url}account/sign-in/{secret}/"


def _sign_in_first(req: Request) -> NoReturn:
    if req.method not in READS or req.get_header("Authorization") is not None:
        raise PageProblem(403, "Sign in in a browser, then come back.", title="Sign in first")
    raise HTTPSeeOther(sign_in_address(req))


def _check_name(name: str) -> None:
    try:
        check_user_name(name)
    except BadName as error:
        raise PageProblem(400, f"{error}.", field="name") from error


def _check_password(name: str, password: str, field: str = "password") -> None:
    try:
        rules.check(name, password)
    except BadPassword as error:
        raise PageProblem(400, str(error), field=field) from error


def _place(req: Request) -> str:
    """What the attempts of whoever asks are counted by."""
    return network(req.context.address)


def _own(req: Request) -> bytes | None:
    """The digest of the session of the browser that asks."""
    secret = session_secret(req)
    return None if secret is None else digest(secret)
