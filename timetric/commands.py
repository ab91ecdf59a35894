"""What the commands do, once cli.py has read their flags. Each takes the parsed flags."""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from timetric import config
from timetric.exceptions import ConfigError

if TYPE_CHECKING:
    from timetric.server.keyring import Keyring
    from timetric.server.storage import Application, Storage

#: The user that the first start of a service makes, and the name of its first token.
OWNER, FIRST_TOKEN = "owner", "this machine"

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # listened on: reached from here under


class CommandError(Exception):
    """A command can't be done; the text says why, and what to do, in one line."""


def serve(options: argparse.Namespace) -> None:
    _require_server()
    from timetric.server import serve as server

    try:
        address = server.find_address(options.host, options.port)
        here = f"http://{address.netloc}/"
        url = options.base_url or _reachable(here)
        with _storage(options.data) as storage:
            _keyring(storage, options)
            lines = [f"Listening on {here}", f"Data in {options.data}"]
            lines += _first_start(storage, options.data, url)
        if options.base_url:
            lines.insert(1, f"Known as {options.base_url}")
        elif here != _reachable(here):
            lines.insert(1, "Only this machine is answered without --base-url URL")
        settings = server.Settings(
            options.data,
            options.durability,
            options.base_url,
            _key_file(options),
            options.trust_proxy,
        )
        server.run(partial(server.load, address, settings), address, partial(_say, lines))
    except server.ServeError as error:
        raise CommandError(str(error)) from error


def _say(lines: Sequence[str]) -> None:
    with suppress(BrokenPipeError):  # whoever started the service may have read enough
        print(*lines, sep="\n", flush=True)


def _reachable(url: str) -> str:
    """The URL of a service on this machine; nobody can connect to a wildcard address."""
    for wildcard, loopback in _WILDCARDS.items():
        url = url.replace(f"//{wildcard}:", f"//{loopback}:")
    return url


def _first_start(storage: Storage, data: Path, url: str) -> list[str]:
    """On the first start make the owner, a token and this machine's client config.

    Returns lines that say where the config is, or how to make a token, and how to sign in.
    """
    how = f"timetric token add NAME --user {OWNER} --data {shlex.quote(str(data))} --url {url}"
    is_first = not storage.accounts.users()
    if is_first:
        storage.accounts.add_user(OWNER, time.time())
    found = config.source()
    if is_first and not found:
        told = _save_first_config(storage, url, how)
    else:
        there = f"is there already: {found}" if found else "is not there"
        told = f"The client config {there}; to make a token: {how}"
    if not is_first:
        return [told]
    return [told, f"To sign in as {OWNER}, within 15 minutes: {_link(storage, OWNER, url)}"]


def _save_first_config(storage: Storage, url: str, how: str) -> str:
    credentials = _credentials(storage, OWNER, FIRST_TOKEN, url)
    path = config.default_path()
    try:
        config.save(credentials, path)
    except ConfigError as error:  # such as an account without a home: the service can run still
        storage.accounts.revoke(credentials["apitoken_key"])
        return f"No client config: {error}; to make a token: {how}"
    return f"Client config for the user {OWNER} saved as {path}"


def user_add(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        storage.accounts.add_user(options.name, time.time())
    print(f"Added the user {options.name}; to make a token: timetric token add", end=" ")
    print(f"NAME --user {options.name} --data {shlex.quote(str(options.data))}")


def user_list(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        for user in storage.accounts.users():
            print(user.name)


def user_signin_link(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        print(_link(storage, options.name, options.url))


def token_add(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        credentials = _credentials(storage, options.user, options.name, options.url)
    print(json.dumps(credentials, indent=2))


def token_list(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        for token in storage.accounts.tokens():
            print(token.key, token.user.name, token.name, _iso(token.created), sep="\t")


def token_revoke(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        storage.accounts.revoke(options.key)
    print(f"Revoked the token {options.key}")


def app_add(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        from timetric.server.credentials import make_application

        keyring = _keyring(storage, options)
        application = make_application(
            storage,
            storage.accounts.user(options.user),
            options.name,
            callback=_registered(options.callback),
            predates_1_0a=options.oauth_1_0,
            clock=time.time,
            random=secrets.token_bytes,
        )
        print(json.dumps(_consumer(keyring, application, options.url), indent=2))


def app_token(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        from timetric.server.credentials import make_secret
        from timetric.server.keyring import ACCESS_TOKEN
        from timetric.server.storage import AccessToken

        keyring = _keyring(storage, options)
        application, user = (
            storage.grants.application(options.key),
            storage.accounts.user(options.user),
        )
        token = AccessToken(make_secret(secrets.token_bytes), application, user, time.time())
        storage.grants.add_access_token(token)
        its = {"oauth_token": token.key, "oauth_secret": keyring.derive(ACCESS_TOKEN, token.key)}
        print(json.dumps({**_consumer(keyring, application, options.url), **its}, indent=2))


def app_list(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        for app in storage.grants.applications():
            print("application", app.key, app.owner.name, app.name, _iso(app.created), sep="\t")
        for token in storage.grants.access_tokens():
            name = token.application.name
            print("token", token.key, token.user.name, name, _iso(token.created), sep="\t")


def app_revoke(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        if options.key in {app.key for app in storage.grants.applications()}:
            storage.grants.remove_application(options.key)
            print(f"Removed the application {options.key} and all its tokens")
        else:
            storage.grants.revoke_access_token(options.key)
            print(f"Revoked the token {options.key}")


def backup(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        storage.backup(options.file)
        has_applications = bool(storage.grants.applications())
    print(f"Copied the store to {options.file}")
    if has_applications:
        print("Its applications need the secret key file too; keep a copy of it elsewhere")


def check(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        faults = 0
        for fault in storage.check():
            print(fault)
            faults += 1
    if faults:
        raise CommandError(f"{faults} faults found in {options.data}; restore a backup")
    print("Everything is as it was written")


def demo(_: argparse.Namespace) -> None:
    _require_server()
    from timetric import demo

    try:
        demo.run()
    except demo.DemoFailed as error:
        raise CommandError(str(error)) from error


def _credentials(storage: Storage, user: str, name: str, url: str) -> dict[str, str]:
    """Make a token; the client config that holds it."""
    from timetric.server.credentials import make_token

    token, secret = make_token(
        storage, storage.accounts.user(user), name, clock=time.time, random=secrets.token_bytes
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


def _link(storage: Storage, user: str, url: str) -> str:
    from timetric.server.session import make_link

    return make_link(
        storage, storage.accounts.user(user), url, clock=time.time, random=secrets.token_bytes
    )


def _keyring(storage: Storage, options: argparse.Namespace) -> Keyring:
    from timetric.server.keyring import open_keyring

    return open_keyring(_key_file(options), storage)


def _key_file(options: argparse.Namespace) -> Path:
    path: Path = options.secret_key_file or options.data / "secret.key"
    return path


def _iso(created: float) -> str:
    return datetime.fromtimestamp(int(created), timezone.utc).isoformat()


def _require_server() -> None:
    """Raises CommandError where the service can't run, for want of the extra or of Python."""
    if sys.version_info < (3, 10):
        raise CommandError("the service needs Python 3.10 or newer; the client alone runs on this")
    try:
        import timetric.server.serve  # noqa: F401
    except ModuleNotFoundError as error:  # the server extra is not installed
        raise CommandError(
            f"the service lacks {error.name}; run: pip install 'timetric[server]'"
        ) from error


@contextmanager
def _storage(data: Path, durability: str = "full") -> Iterator[Storage]:
    from timetric.server.storage import StorageError, open_storage

    try:
        with closing(open_storage(data, durability)) as storage:
            yield storage
    except StorageError as error:
        raise CommandError(str(error)) from error


@contextmanager
def _existing_storage(data: Path) -> Iterator[Storage]:
    """A store that is there: a mistyped --data must not make an empty one."""
    _require_server()
    if not data.is_dir():
        raise CommandError(
            f"there is no data directory {data}; name the service's with --data, "
            "or make it by starting the service: timetric serve"
        )
    with _storage(data) as storage:
        yield storage
