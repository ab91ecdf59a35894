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
    _add_serve(names, data)
    _add_user(names, data)
    _add_token(names, data)
    _add_store(names, data)
    demo = names.add_parser("demo", help="show the main job on real data, and clean up")
    demo.set_defaults(run=commands.demo)
    return parser


def _add_serve(names: Any, data: argparse.ArgumentParser) -> None:
    serve = names.add_parser("serve", parents=[data], help="run the service")
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
    serve.set_defaults(run=commands.serve)


def _add_user(names: Any, data: argparse.ArgumentParser) -> None:
    user = names.add_parser("user", help="add and list users")
    actions = user.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", parents=[data], help="add a user")
    add.add_argument("name", metavar="NAME", type=_user_name)
    add.set_defaults(run=commands.user_add)
    listing = actions.add_parser("list", parents=[data], help="list the users, one a line")
    listing.set_defaults(run=commands.user_list)


def _add_token(names: Any, data: argparse.ArgumentParser) -> None:
    token = names.add_parser("token", help="add, list and revoke API tokens")
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
    add.set_defaults(run=commands.token_add)
    listing = actions.add_parser(
        "list", parents=[data], help="list key, user, name and time, with tabs between"
    )
    listing.set_defaults(run=commands.token_list)
    revoke = actions.add_parser("revoke", parents=[data], help="make a token worthless")
    revoke.add_argument("key", metavar="KEY")
    revoke.set_defaults(run=commands.token_revoke)


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
