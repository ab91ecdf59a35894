"""What the commands do, once cli.py has read their flags. Each takes the parsed flags."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from timetric import config
from timetric.admin import make_credentials, make_link
from timetric.exceptions import ConfigError
from timetric.flags import read_limits
from timetric.progress import meter
from timetric.store import (
    CommandError,
    existing_store,
    key_file,
    open_keys,
    open_store,
    require_server,
)
from timetric.terminal import bar

if TYPE_CHECKING:
    from timetric.server.logs import LogSettings
    from timetric.server.serve import Address
    from timetric.server.storage import Quota, Storage

#: The user that the first start of a service makes, and the name of its first token.
OWNER, FIRST_TOKEN = "owner", "this machine"

#: What is listened on, and how it is reached from here; nothing is bound to it unasked.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104


def serve(options: argparse.Namespace) -> None:
    require_server()
    from timetric.server import serve as server
    from timetric.server.logs import LogSettings

    try:
        tls = server.find_tls(options.tls_cert, options.tls_key)
        address = server.find_address(options.host, options.port)
        here = f"{'https' if tls else 'http'}://{address.netloc}/"
        url = options.base_url or _reachable(here)
        key = key_file(options)
        with open_store(options.data) as storage:
            open_keys(storage, options)
            lines = [f"Listening on {here}", f"Data in {options.data}"]
            lines += _first_start(storage, options.data, url)
            _check_administrators(storage, options.administrators)
        if options.base_url:
            lines.insert(1, f"Known as {options.base_url}")
        elif here != _reachable(here):
            lines.insert(1, "Only this machine is answered without --base-url URL")
        log = LogSettings(options.log_json, options.access_log)
        _warn_without_tls(address, url, log)
        settings = server.Settings(
            options.data,
            options.durability,
            options.base_url,
            key,
            options.trust_proxy,
            _signup(options),
            options.administrators,
            log,
            read_limits(options),
        )
        load = partial(server.load, address, settings)
        server.run(load, address, tls, partial(_say, lines))
    except server.ServeError as error:
        raise CommandError(str(error)) from error


def _signup(options: argparse.Namespace) -> Quota | None:
    """The quota of strangers, where they may sign up."""
    from timetric.server.storage import Quota

    return Quota(options.signup_series, options.signup_points) if options.open_signup else None


def _check_administrators(storage: Storage, names: Sequence[str]) -> None:
    known = {user.name for user in storage.accounts.users()}
    for name in names:
        if name not in known:
            raise CommandError(f"there is no user {name!r} to be an administrator")


def _warn_without_tls(address: Address, url: str, log: LogSettings) -> None:
    """Passwords and tokens would travel in clear, for all on the way to read."""
    from timetric.server.logs import set_up
    from timetric.server.site import is_loopback

    if is_loopback(address.ip) or urlsplit(url).scheme == "https":
        return
    warnings = (
        f"{address.netloc} is beyond this machine, and passwords and tokens travel there IN CLEAR.",
        "Give --tls-cert and --tls-key, or an https --base-url of a proxy.",
    )
    if log.json:  # as all of it is, for the program that reads it
        set_up(log)
        logging.getLogger(__name__).warning(" ".join(warnings))
        return
    for warning in warnings:
        print(f"WARNING: {warning}", file=sys.stderr, flush=True)


def _say(lines: Sequence[str]) -> None:
    with suppress(BrokenPipeError):  # whoever started the service may have read enough
        print(*lines, sep="\n", flush=True)


def _reachable(url: str) -> str:
    """The URL of a service on this machine; nobody can connect to a wildcard address."""
    for wildcard, loopback in _WILDCARDS.items():
        url = url.replace(f"//{wildcard}:", f"//{loopback}:")
    return url


def _first_start(storage: Storage, data: Path | str, url: str) -> list[str]:
    """On the first start make the owner, a token and this machine's client config.

    Returns lines that say where the config is, or how to make a token, and how to sign in.
    """
    how = f"timetric token add NAME --user {OWNER} --data {shlex.quote(str(data))} --url {url}"
    is_first = not storage.accounts.users() and _add_owner(storage)
    found = config.source()
    if is_first and not found:
        told = _save_first_config(storage, url, how)
    else:
        there = f"is there already: {found}" if found else "is not there"
        told = f"The client config {there}; to make a token: {how}"
    if not is_first:
        return [told]
    return [told, f"To sign in as {OWNER}, within 15 minutes: {make_link(storage, OWNER, url)}"]


def _add_owner(storage: Storage) -> bool:
    """Whether it was this process that did; several may start at once on one database."""
    from timetric.server.storage import Taken

    try:
        storage.accounts.add_user(OWNER, time.time())
    except Taken:
        return False
    return True


def _save_first_config(storage: Storage, url: str, how: str) -> str:
    credentials = make_credentials(storage, OWNER, FIRST_TOKEN, url)
    path = config.default_path()
    try:
        config.save(credentials, path)
    except ConfigError as error:  # such as an account without a home: the service can run still
        storage.accounts.revoke(credentials["apitoken_key"])
        return f"No client config: {error}; to make a token: {how}"
    return f"Client config for the user {OWNER} saved as {path}"


def backup(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        storage.backup(options.file)
        has_applications = bool(storage.grants.applications())
    print(f"Copied the store to {options.file}")
    if has_applications:
        print("Its applications need the secret key file too; keep a copy of it elsewhere")


def copy(options: argparse.Namespace) -> None:
    with existing_store(options.source) as source, open_store(options.target) as target:
        from timetric.server import move

        try:
            with meter(bar(" points", options.quiet), move.total(source), " points") as tell:
                moved = move.move(source, target, time.time(), tell)
        except move.MoveError as error:
            raise CommandError(str(error)) from error
        needs_key = source.grants.fingerprint() is not None
    print(
        f"Copied and compared {moved.series:,} series with {moved.points:,} points, "
        f"{moved.users:,} users, {moved.tokens:,} tokens and {moved.applications:,} applications"
    )
    if needs_key:
        print("OAuth secrets need the secret key file of the old store; use the same for the new")


def check(options: argparse.Namespace) -> None:
    with existing_store(options.data) as storage:
        faults = 0
        for fault in storage.check():
            print(fault)
            faults += 1
    if faults:
        raise CommandError(f"{faults} faults found in {options.data}; restore a backup")
    print("Everything is as it was written")


def init_cluster(options: argparse.Namespace) -> None:
    require_server()
    from timetric.server.storage import StorageError, is_url, spread

    if not is_url(options.data):
        raise CommandError("a directory has no nodes; give the URL of a database with --data")
    try:
        for line in spread(options.data):
            print(line)
    except StorageError as error:
        raise CommandError(str(error)) from error


def demo(_: argparse.Namespace) -> None:
    require_server()
    from timetric import demo

    try:
        demo.run()
    except demo.DemoFailed as error:
        raise CommandError(str(error)) from error
