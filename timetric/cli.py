"""The command line: ``timetric serve``, ``user``, ``token`` and ``demo``."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from timetric import config
from timetric.exceptions import ConfigError, TimetricClientError

if TYPE_CHECKING:
    from timetric.server.storage import Storage

DEFAULT_DATA, DEFAULT_HOST, DEFAULT_PORT = "timetric-data", "127.0.0.1", 8000
DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/"

#: The user that the first start of a service makes, and the name of its first token.
OWNER, FIRST_TOKEN = "owner", "this machine"

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # listened on: reached from here under
_USER_NAME = re.compile(r"(?!me\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # u=me is whoever asks


class CommandError(Exception):
    """A command can't be done; the text says why, and what to do, in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Errors are one line on standard error."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `timetric token list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandError, TimetricClientError, OSError) as error:  # OSError: a full disk, say
        print(f"timetric: {error}", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """Tells a usage error in one line, and takes no flag cut short: scripts rely on the names."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"timetric: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """``--version``; the metadata is read only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"timetric {version('timetric')}")
        except PackageNotFoundError as error:
            raise CommandError("this copy is not installed, so it has no version") from error
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="timetric", description="A home for time series on the web.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data",
        metavar="DIR",
        type=lambda text: Path(text).absolute(),
        default=Path(DEFAULT_DATA).absolute(),
        help=f"where the service keeps its data (./{DEFAULT_DATA})",
    )
    _add_serve(commands, data)
    _add_user(commands, data)
    _add_token(commands, data)
    demo = commands.add_parser("demo", help="show the main job on real data, and clean up")
    demo.set_defaults(run=_demo)
    return parser


def _add_serve(commands: Any, data: argparse.ArgumentParser) -> None:
    serve = commands.add_parser("serve", parents=[data], help="run the service")
    serve.add_argument(
        "--host", default=DEFAULT_HOST, help=f"address to listen on ({DEFAULT_HOST})"
    )
    serve.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help=f"{DEFAULT_PORT}; 0 is any that is free"
    )
    serve.add_argument(
        "--base-url",
        metavar="URL",
        type=_url,
        help="the public address, where a proxy stands ahead",
    )
    serve.set_defaults(run=_serve)


def _add_user(commands: Any, data: argparse.ArgumentParser) -> None:
    user = commands.add_parser("user", help="add and list users")
    actions = user.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", parents=[data], help="add a user")
    add.add_argument("name", metavar="NAME", type=_user_name)
    add.set_defaults(run=_user_add)
    listing = actions.add_parser("list", parents=[data], help="list the users, one a line")
    listing.set_defaults(run=_user_list)


def _add_token(commands: Any, data: argparse.ArgumentParser) -> None:
    token = commands.add_parser("token", help="add, list and revoke API tokens")
    actions = token.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", parents=[data], help="make a token and print a client config")
    add.add_argument("name", metavar="NAME", type=_token_name, help="what it is for")
    add.add_argument("--user", metavar="U", required=True, help="whose token it is")
    add.add_argument(
        "--url",
        type=_url,
        default=DEFAULT_URL,
        help=f"of the service, for the config ({DEFAULT_URL})",
    )
    add.set_defaults(run=_token_add)
    listing = actions.add_parser(
        "list", parents=[data], help="list key, user, name and time, with tabs between"
    )
    listing.set_defaults(run=_token_list)
    revoke = actions.add_parser("revoke", parents=[data], help="make a token worthless")
    revoke.add_argument("key", metavar="KEY")
    revoke.set_defaults(run=_token_revoke)


# what a flag or argument may be


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError("it begins with http:// or https:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("it holds no credentials, query or fragment")
    return text.rstrip("/") + "/"


def _user_name(text: str) -> str:
    if not _USER_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no user name (1 to 64 letters, digits, '.', '_' and '-'; not 'me')"
        )
    return text


def _token_name(text: str) -> str:
    if not (text.isprintable() and 0 < len(text) <= 64):
        raise argparse.ArgumentTypeError("a name has 1 to 64 printable characters")
    return text


# the commands


def _serve(options: argparse.Namespace) -> None:
    _require_server()
    from timetric.server import serve

    try:
        address = serve.find_address(options.host, options.port)
        here = f"http://{address.netloc}/"
        with _storage(options.data) as storage:
            credentials = _first_start(storage, options.data, options.base_url or _reachable(here))
        lines = [f"Listening on {here}", f"Data in {options.data}", credentials]
        if options.base_url:
            lines.insert(1, f"Known as {options.base_url}")
        elif here != _reachable(here):
            lines.insert(1, "Only this machine is answered without --base-url URL")
        serve.run(options.data, address, options.base_url, partial(_say, lines))
    except serve.ServeError as error:
        raise CommandError(str(error)) from error


def _say(lines: Sequence[str]) -> None:
    with suppress(BrokenPipeError):  # whoever started the service may have read enough
        print(*lines, sep="\n", flush=True)


def _reachable(url: str) -> str:
    """The URL of a service on this machine; nobody can connect to a wildcard address."""
    for wildcard, loopback in _WILDCARDS.items():
        url = url.replace(f"//{wildcard}:", f"//{loopback}:")
    return url


def _first_start(storage: Storage, data: Path, url: str) -> str:
    """On the first start make the owner, a token and this machine's client config.

    Returns a line that says where the config is, or how to make a token.
    """
    how = f"timetric token add NAME --user {OWNER} --data {shlex.quote(str(data))} --url {url}"
    if not storage.users():
        storage.add_user(OWNER, time.time())
        if not config.source():
            return _save_first_config(storage, url, how)
    found = config.source()
    there = f"is there already: {found}" if found else "is not there"
    return f"The client config {there}; to make a token: {how}"


def _save_first_config(storage: Storage, url: str, how: str) -> str:
    credentials = _credentials(storage, OWNER, FIRST_TOKEN, url)
    path = config.default_path()
    try:
        config.save(credentials, path)
    except ConfigError as error:  # such as an account without a home: the service can run still
        storage.revoke(credentials["apitoken_key"])
        return f"No client config: {error}; to make a token: {how}"
    return f"Client config for the user {OWNER} saved as {path}"


def _user_add(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        storage.add_user(options.name, time.time())
    print(f"Added the user {options.name}; to make a token: timetric token add", end=" ")
    print(f"NAME --user {options.name} --data {shlex.quote(str(options.data))}")


def _user_list(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        for user in storage.users():
            print(user.name)


def _token_add(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        credentials = _credentials(storage, options.user, options.name, options.url)
    print(json.dumps(credentials, indent=2))


def _token_list(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        for token in storage.tokens():
            created = datetime.fromtimestamp(int(token.created), timezone.utc)
            print(token.key, token.user.name, token.name, created.isoformat(), sep="\t")


def _token_revoke(options: argparse.Namespace) -> None:
    with _existing_storage(options.data) as storage:
        storage.revoke(options.key)
    print(f"Revoked the token {options.key}")


def _demo(_: argparse.Namespace) -> None:
    _require_server()
    from timetric import demo

    try:
        demo.run()
    except demo.DemoFailed as error:
        raise CommandError(str(error)) from error


# what they share


def _credentials(storage: Storage, user: str, name: str, url: str) -> dict[str, str]:
    """Make a token; the client config that holds it."""
    from timetric.server.credentials import make_token

    token, secret = make_token(
        storage, storage.user(user), name, clock=time.time, random=secrets.token_bytes
    )
    return {
        "url": url,
        "authtype": "apitoken",
        "apitoken_key": token.key,
        "apitoken_secret": secret,
    }


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
def _storage(data: Path) -> Iterator[Storage]:
    from timetric.server.storage import StorageError, open_storage

    try:
        with closing(open_storage(data)) as storage:
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
