"""The command line: the commands and their flags. Scripts rely on the names."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from timetric import commands
from timetric.commands import CommandError
from timetric.exceptions import TimetricClientError

DEFAULT_DATA, DEFAULT_HOST, DEFAULT_PORT = "timetric-data", "127.0.0.1", 8000
DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/"

_USER_NAME = re.compile(r"(?!me\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # u=me is whoever asks


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
    except (CommandError, TimetricClientError, OSError) as error:  # OSError: say, a full disk
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
    names = parser.add_subparsers(metavar="COMMAND", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data",
        metavar="DIR",
        type=lambda text: Path(text).absolute(),
        default=Path(DEFAULT_DATA).absolute(),
        help=f"where the service keeps its data (./{DEFAULT_DATA})",
    )
    url = argparse.ArgumentParser(add_help=False)
    url.add_argument(
        "--url", type=_url, default=DEFAULT_URL, help=f"of the service ({DEFAULT_URL})"
    )
    key = argparse.ArgumentParser(add_help=False)
    key.add_argument(
        "--secret-key-file",
        metavar="FILE",
        type=lambda text: Path(text).absolute(),
        help="holds the key that OAuth secrets are derived from (secret.key in the data directory)",
    )
    _add_serve(names, [data, key])
    _add_user(names, data, url)
    _add_token(names, data, url)
    _add_app(names, data, [data, url, key])
    _add_store(names, data)
    demo = names.add_parser("demo", help="show the main job on real data, and clean up")
    demo.set_defaults(run=commands.demo)
    return parser


def _add_serve(names: Any, parents: list[argparse.ArgumentParser]) -> None:
    serve = names.add_parser("serve", parents=parents, help="run the service")
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
    serve.add_argument(
        "--durability",
        choices=("full", "normal"),
        default="full",
        help="full: what is acknowledged is on the disk; normal: faster, but the last moments may "
        "be lost with the machine's power (full)",
    )
    serve.add_argument(
        "--trust-proxy",
        metavar="ADDRESS",
        nargs="*",
        help="believe X-Forwarded-Proto of proxies on this machine, and at these addresses",
    )
    serve.set_defaults(run=commands.serve)


def _add_user(names: Any, data: argparse.ArgumentParser, url: argparse.ArgumentParser) -> None:
    user = names.add_parser("user", help="add and list users, and sign them in")
    actions = user.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", parents=[data], help="add a user")
    add.add_argument("name", metavar="NAME", type=_user_name)
    add.set_defaults(run=commands.user_add)
    listing = actions.add_parser("list", parents=[data], help="list the users, one a line")
    listing.set_defaults(run=commands.user_list)
    link = actions.add_parser(
        "signin-link", parents=[data, url], help="print a link that signs a browser in, once"
    )
    link.add_argument("name", metavar="NAME")
    link.set_defaults(run=commands.user_signin_link)


def _add_token(names: Any, data: argparse.ArgumentParser, url: argparse.ArgumentParser) -> None:
    token = names.add_parser("token", help="add, list and revoke API tokens")
    actions = token.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", parents=[data, url], help="make a token and print a client config"
    )
    add.add_argument("name", metavar="NAME", type=_token_name, help="what it is for")
    add.add_argument("--user", metavar="U", required=True, help="whose token it is")
    add.set_defaults(run=commands.token_add)
    listing = actions.add_parser(
        "list", parents=[data], help="list key, user, name and time, with tabs between"
    )
    listing.set_defaults(run=commands.token_list)
    revoke = actions.add_parser("revoke", parents=[data], help="make a token worthless")
    revoke.add_argument("key", metavar="KEY")
    revoke.set_defaults(run=commands.token_revoke)


def _add_app(
    names: Any, data: argparse.ArgumentParser, parents: list[argparse.ArgumentParser]
) -> None:
    app = names.add_parser("app", help="add, list and revoke applications that use OAuth")
    actions = app.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", parents=parents, help="add an application and print its client config"
    )
    add.add_argument("name", metavar="NAME", type=_token_name, help="as its users know it")
    add.add_argument("--user", metavar="U", required=True, help="whose application it is")
    add.add_argument(
        "--oauth-1.0",
        dest="oauth_1_0",
        action="store_true",
        help="it predates OAuth 1.0a: it may leave out the verifier, which is less safe",
    )
    add.add_argument(
        "--callback", metavar="URL", help="what its callbacks begin with; loopback needs none"
    )
    add.set_defaults(run=commands.app_add)
    token = actions.add_parser(
        "token", parents=parents, help="authorize it without a browser and print a client config"
    )
    token.add_argument("key", metavar="CONSUMER_KEY")
    token.add_argument("--user", metavar="U", required=True, help="who authorizes it")
    token.set_defaults(run=commands.app_token)
    listing = actions.add_parser(
        "list", parents=[data], help="list kind, key, user, name and time, with tabs between"
    )
    listing.set_defaults(run=commands.app_list)
    revoke = actions.add_parser(
        "revoke", parents=[data], help="remove an application with its tokens, or revoke one token"
    )
    revoke.add_argument("key", metavar="KEY", help="a consumer key, or a token's")
    revoke.set_defaults(run=commands.app_revoke)


def _add_store(names: Any, data: argparse.ArgumentParser) -> None:
    backup = names.add_parser("backup", parents=[data], help="copy the store, while it is in use")
    backup.add_argument("file", metavar="FILE", type=Path, help="a new file")
    backup.set_defaults(run=commands.backup)
    check = names.add_parser("check", parents=[data], help="look at every block and count")
    check.set_defaults(run=commands.check)


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
