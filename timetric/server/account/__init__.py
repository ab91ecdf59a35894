"""The pages under /account/: what a user keeps in a browser."""

from __future__ import annotations

from collections.abc import Callable

from falcon import App, Request, Response

from timetric.server.account.applications import (
    ApplicationDeleteResource,
    ApplicationResource,
    ApplicationsResource,
)
from timetric.server.account.authorized import AuthorizedResource, AuthorizedRevokeResource
from timetric.server.account.overview import OverviewResource
from timetric.server.account.password import PasswordResource
from timetric.server.account.sessions import SessionEndResource, SessionsResource
from timetric.server.account.sign_in import (
    SignInLinkResource,
    SignInResource,
    SignOutResource,
    SignUpResource,
)
from timetric.server.account.tokens import TokenRevokeResource, TokensResource
from timetric.server.credentials import Random
from timetric.server.keyring import Keyring
from timetric.server.session import Sessions
from timetric.server.storage import Storage


def add_routes(
    app: App[Request, Response],
    storage: Storage,
    keyring: Keyring,
    sessions: Sessions,
    clock: Callable[[], float],
    random: Random,
    *,
    open_signup: bool,
) -> None:
    """Put the pages into the app; the one to sign up only where strangers may."""
    accounts, grants = storage.accounts, storage.grants
    end = SessionEndResource(accounts, sessions)
    add = app.add_route
    add("/account", OverviewResource(storage, sessions, clock))
    add("/account/sign-in", SignInResource(sessions, open_signup))
    add("/account/sign-in/{secret}", SignInLinkResource(sessions))
    add("/account/sign-out", SignOutResource(sessions))
    add("/account/tokens", TokensResource(accounts, sessions, clock, random))
    add("/account/tokens/{key}/revoke", TokenRevokeResource(accounts, sessions))
    add("/account/applications", ApplicationsResource(grants, sessions, clock, random))
    add("/account/applications/{key}", ApplicationResource(grants, sessions, keyring))
    add("/account/applications/{key}/delete", ApplicationDeleteResource(grants, sessions))
    add("/account/authorized", AuthorizedResource(grants, sessions, clock))
    add("/account/authorized/{key}/revoke", AuthorizedRevokeResource(grants, sessions))
    add("/account/password", PasswordResource(accounts, sessions))
    add("/account/sessions", SessionsResource(accounts, sessions, clock))
    add("/account/sessions/{key:int(min=1, max=9223372036854775807)}/end", end, suffix="one")
    add("/account/sessions/end-others", end, suffix="others")
    add("/account/sessions/end-all", end, suffix="all")
    if open_signup:
        add("/account/sign-up", SignUpResource(sessions))
