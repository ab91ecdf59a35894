"""What the commands about users, tokens and applications do. Each takes the parsed flags."""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
import time
from datetime import datetime, timezone
from getpass import getpass
from typing import TYPE_CHECKING

from timetric.store import CommandError, existing_store, open_keys

if TYPE_CHECKING:
    from timetric.server.keyring import Keyring
    from timetric.server.storage import AccessToken, Application, Storage, Token


def user_add(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        storage.accounts.add_user(options.name, time.time())
    print(f"Added the user {options.name}; to make a token: timetric token add", end=" ")
    print(f"NAME --user {options.name} --data {shlex.quote(str(options.data))}")


def user_list(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        for user in storage.accounts.users():
            account = storage.accounts.account(user)
            state = "disabled" if account.disabled else "enabled"
            password = "password" if account.has_password else "no password"
            print(user.name, state, password, _iso(account.created), sep="\t")


def user_passwd(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        from timetric.server import password as rules

        user = storage.accounts.user(options.name)
        password = _given_password() if options.stdin else _typed_password(user.name)
        try:
            rules.check(user.name, password)
        except rules.BadPassword as error:
            raise CommandError(str(error).rstrip(".")) from error
        hashed = rules.Passwords(secrets.token_bytes).hash(password)
        storage.accounts.set_password(user, hashed)
    print(f"The password of {user.name} is set, and their browsers are signed out")


def _given_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _typed_password(name: str) -> str:
    """Asked for twice, without an echo. Raises CommandError."""
    try:
        password = getpass(f"New password of {name}: ")
        again = getpass("Once more: ")
    except EOFError as error:
        raise CommandError("no password was typed; --stdin reads it from a pipe") from error
    if password != again:
        raise CommandError("the two are not the same; nothing was changed")
    return password


def user_disable(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        storage.accounts.set_disabled(storage.accounts.user(options.name), disabled=True)
    print(f"The user {options.name} is let in by nothing, until: timetric user enable", end=" ")
    print(f"{options.name} --data {shlex.quote(str(options.data))}")


def user_enable(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        storage.accounts.set_disabled(storage.accounts.user(options.name), disabled=False)
    print(f"The user {options.name} is let in again")


def user_quota(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        user = storage.accounts.user(options.name)
        given = {name: most for name, most in vars(options).items() if name in ("series", "points")}
        if given:
            old = storage.accounts.account(user).quota
            storage.accounts.set_quota(user, old._replace(**given))
        quota, theirs = storage.accounts.account(user).quota, storage.accounts.belongings(user)
    for name, most in quota._asdict().items():
        print(name, getattr(theirs, name), "none" if most is None else most, sep="\t")


def user_remove(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        user = storage.accounts.user(options.name)
        theirs = storage.accounts.belongings(user)
        what = ", ".join(f"{count} {name}" for name, count in theirs._asdict().items())
        if not options.yes:
            raise CommandError(f"with {user.name} go, for ever: {what}; to remove all, add --yes")
        storage.accounts.remove_user(user)
    print(f"Removed the user {options.name}, and with them: {what}")


def user_signin_link(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        print(make_link(storage, options.name, options.url))


def token_add(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        credentials = make_credentials(
            storage,
            options.user,
            options.name,
            options.url,
            read_only=options.read_only,
            expires=options.expires,
        )
    print(json.dumps(credentials, indent=2))


def token_list(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        for token in storage.accounts.tokens():
            user, more = token.user.name, _limits(token)
            print(token.key, user, token.name, _iso(token.created), *more, sep="\t")


def token_revoke(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        storage.accounts.revoke(options.key)
    print(f"Revoked the token {options.key}")


def app_add(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        from timetric.server.credentials import make_application

        keyring = open_keys(storage, options)
        application = make_application(
            storage.grants,
            storage.accounts.user(options.user),
            options.name,
            callback=_registered(options.callback),
            predates_1_0a=options.oauth_1_0,
            read_only=options.read_only,
            expires=options.expires,
            clock=time.time,
            random=secrets.token_bytes,
        )
        print(json.dumps(_consumer(keyring, application, options.url), indent=2))


def app_token(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        from timetric.server.credentials import make_secret
        from timetric.server.keyring import ACCESS_TOKEN
        from timetric.server.storage import AccessToken

        keyring = open_keys(storage, options)
        application, user = (
            storage.grants.application(options.key),
            storage.accounts.user(options.user),
        )
        token = AccessToken(make_secret(secrets.token_bytes), application, user, time.time())
        storage.grants.add_access_token(token)
        its = {"oauth_token": token.key, "oauth_secret": keyring.derive(ACCESS_TOKEN, token.key)}
        print(json.dumps({**_consumer(keyring, application, options.url), **its}, indent=2))


def app_list(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        for app in storage.grants.applications():
            made, more = _iso(app.created), (_access(app.read_only), _until(app.expires), "-")
            print("application", app.key, app.owner.name, app.name, made, *more, sep="\t")
        for token in storage.grants.access_tokens():
            name, made, more = token.application.name, _iso(token.created), _limits(token)
            print("token", token.key, token.user.name, name, made, *more, sep="\t")


def _limits(token: Token | AccessToken) -> tuple[str, str, str]:
    """What it may, until when, and when it was last used."""
    return _access(token.read_only), _until(token.expires), _until(token.last_used)


def _access(read_only: bool) -> str:
    return "read-only" if read_only else "read-write"


def _until(instant: float | None) -> str:
    return "never" if instant is None else _iso(instant)


def app_revoke(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        if options.key in {app.key for app in storage.grants.applications()}:
            storage.grants.remove_application(options.key)
            print(f"Removed the application {options.key} and all its tokens")
        else:
            storage.grants.revoke_access_token(options.key)
            print(f"Revoked the token {options.key}")


def make_credentials(
    storage: Storage,
    user: str,
    name: str,
    url: str,
    *,
    read_only: bool = False,
    expires: float | None = None,
) -> dict[str, str]:
    """Make a token; the client config that holds it."""
    from timetric.server.credentials import make_token

    token, secret = make_token(
        storage.accounts,
        storage.accounts.user(user),
        name,
        read_only=read_only,
        expires=expires,
        clock=time.time,
        random=secrets.token_bytes,
    )
    return {
        "url": url,
        "authtype": "apitoken",
        "apitoken_key": token.key,
        "apitoken_secret": secret,
    }


def _consumer(keyring: Keyring, application: Application, url: str) -> dict[str, str]:
    """The client config of an application that no user has authorized yet."""
    from timetric.server.keyring import APPLICATION

    return {
        "url": url,
        "authtype": "oauth",
        "consumer_key": application.key,
        "consumer_secret": keyring.derive(APPLICATION, application.key),
    }


def _registered(callback: str | None) -> str | None:
    """The beginning of an application's callbacks. Raises CommandError."""
    from timetric.server.callback import is_callback

    if callback is not None and ("?" in callback or not is_callback(callback)):
        raise CommandError(f"{callback} is no plain http or https URL without query and fragment")
    return callback


def make_link(storage: Storage, user: str, url: str) -> str:
    """The URL that signs a browser in as the user, once."""
    from timetric.server import session

    return session.make_link(
        storage.accounts,
        storage.accounts.user(user),
        url,
        clock=time.time,
        random=secrets.token_bytes,
    )


def _iso(created: float) -> str:
    return datetime.fromtimestamp(int(created), timezone.utc).isoformat()
