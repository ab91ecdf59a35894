"""The command line: the commands and their flags. Scripts rely on the names."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from timetric import admin, commands, flag_types
from timetric.diagnosis_flags import add_diagnosis
from timetric.doctor import add_doctor
from timetric.exceptions import TimetricClientError
from timetric.flags import add_limits, add_quota, add_signup
from timetric.store import CommandError
from timetric.terminal import plain
from timetric.user_flags import add_user_commands

DEFAULT_DATA, DEFAULT_HOST, DEFAULT_PORT = "timetric-data", "127.0.0.1", 8000
DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Errors are one line on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a title need not fit a terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
        sys.stdout.flush()  # here, where a reader that has gone is caught
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `timetric token list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CommandError, TimetricClientError, OSError) as error:  # OSError: say, a full disk
        print(f"timetric: {plain(str(error))}", file=sys.stderr)  # a service may have written it
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """Tells a usage error in one line, and takes no flag cut short: scripts rely on the names."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        #: Whether its last argument, which may be left out, may also stand behind flags.
        self.is_mixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if not self.is_mixed:
            return super().parse_known_args(args, namespace)
        self.is_mixed = False  # it asks this method in turn, for the flags and for the rest
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.is_mixed = True

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
        metavar="DIR_OR_URL",
        type=flag_types.store,
        default=Path(DEFAULT_DATA).absolute(),
        help=f"where the service keeps its data (./{DEFAULT_DATA}): a directory, or a PostgreSQL "
        "database, as in postgresql://user@host/name",
    )
    url = argparse.ArgumentParser(add_help=False)
    url.add_argument(
        "--url", type=flag_types.url, default=DEFAULT_URL, help=f"of the service ({DEFAULT_URL})"
    )
    key = argparse.ArgumentParser(add_help=False)
    key.add_argument(
        "--secret-key-file",
        metavar="FILE",
        type=flag_types.path,
        help="holds the key that OAuth secrets are derived from (secret.key in the data directory; "
        "needed with a database)",
    )
    _add_serve(names, [data, key])
    _add_user(names, data, url)
    _add_token(names, data, url)
    _add_app(names, data, [data, url, key])
    _add_store(names, data)
    add_doctor(names, Path(DEFAULT_DATA).absolute())
    add_user_commands(names)
    parser.set_defaults(parser=lambda: parser)
    demo = names.add_parser("demo", help="show the main job on real data, and clean up")
    demo.set_defaults(run=commands.demo)
    return parser


def _add_serve(names: Any, parents: list[argparse.ArgumentParser]) -> None:
    serve = names.add_parser("serve", parents=parents, help="run the service")
    serve.add_argument(
        "--host", default=DEFAULT_HOST, help=f"address to listen on ({DEFAULT_HOST})"
    )
    serve.add_argument(
        "--port",
        type=flag_types.port,
        default=DEFAULT_PORT,
        help=f"{DEFAULT_PORT}; 0 is any that is free",
    )
    serve.add_argument(
        "--base-url",
        metavar="URL",
        type=flag_types.url,
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
        help="believe X-Forwarded-Proto and X-Forwarded-For of proxies on this machine, and at "
        "these addresses",
    )
    serve.add_argument(
        "--tls-cert",
        metavar="FILE",
        type=flag_types.path,
        help="to speak https: the certificate with its chain (PEM)",
    )
    serve.add_argument(
        "--tls-key",
        metavar="FILE",
        type=flag_types.path,
        help="its key (PEM), without a passphrase",
    )
    add_limits(serve)
    add_signup(serve)
    add_diagnosis(serve)
    serve.set_defaults(run=commands.serve)


def _add_user(names: Any, data: argparse.ArgumentParser, url: argparse.ArgumentParser) -> None:
    user = names.add_parser("user", help="add, list and remove users, and let them sign in")
    actions = user.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", parents=[data], help="add a user")
    add.add_argument("name", metavar="NAME", type=flag_types.user_name)
    add.set_defaults(run=admin.user_add)
    listing = actions.add_parser("list", parents=[data], help="list the users, one a line")
    listing.set_defaults(run=admin.user_list)
    password = actions.add_parser("passwd", parents=[data], help="set a user's password")
    password.add_argument("name", metavar="NAME")
    password.add_argument(
        "--stdin", action="store_true", help="read it as a line, and do not ask for it twice"
    )
    password.set_defaults(run=admin.user_passwd)
    disable = actions.add_parser("disable", parents=[data], help="let a user in by nothing")
    disable.add_argument("name", metavar="NAME")
    disable.set_defaults(run=admin.user_disable)
    enable = actions.add_parser("enable", parents=[data], help="let a disabled user in again")
    enable.add_argument("name", metavar="NAME")
    enable.set_defaults(run=admin.user_enable)
    quota = actions.add_parser(
        "quota", parents=[data], help="show or set how much a user may have, a line each"
    )
    quota.add_argument("name", metavar="NAME")
    add_quota(quota)
    quota.set_defaults(run=admin.user_quota)
    remove = actions.add_parser("remove", parents=[data], help="remove a user with all they have")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do it; else only what would go is told")
    remove.set_defaults(run=admin.user_remove)
    link = actions.add_parser(
        "signin-link", parents=[data, url], help="print a link that signs a browser in, once"
    )
    link.add_argument("name", metavar="NAME")
    link.set_defaults(run=admin.user_signin_link)


def _add_token(names: Any, data: argparse.ArgumentParser, url: argparse.ArgumentParser) -> None:
    token = names.add_parser("token", help="add, list and revoke API tokens")
    actions = token.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", parents=[data, url], help="make a token and print a client config"
    )
    add.add_argument("name", metavar="NAME", type=flag_types.token_name, help="what it is for")
    add.add_argument("--user", metavar="U", required=True, help="whose token it is")
    _add_limits(add)
    add.set_defaults(run=admin.token_add)
    listing = actions.add_parser(
        "list", parents=[data], help="list all, a line each, with tabs between"
    )
    listing.set_defaults(run=admin.token_list)
    revoke = actions.add_parser("revoke", parents=[data], help="make a token worthless")
    revoke.add_argument("key", metavar="KEY")
    revoke.set_defaults(run=admin.token_revoke)


def _add_app(
    names: Any, data: argparse.ArgumentParser, parents: list[argparse.ArgumentParser]
) -> None:
    app = names.add_parser("app", help="add, list and revoke applications that use OAuth")
    actions = app.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", parents=parents, help="add an application and print its client config"
    )
    add.add_argument(
        "name", metavar="NAME", type=flag_types.token_name, help="as its users know it"
    )
    add.add_argument("--user", metavar="U", required=True, help="whose application it is")
    _add_limits(add)
    add.add_argument(
        "--oauth-1.0",
        dest="oauth_1_0",
        action="store_true",
        help="it predates OAuth 1.0a: it may leave out the verifier, which is less safe",
    )
    add.add_argument(
        "--callback", metavar="URL", help="what its callbacks begin with; loopback needs none"
    )
    add.set_defaults(run=admin.app_add)
    token = actions.add_parser(
        "token", parents=parents, help="authorize it without a browser and print a client config"
    )
    token.add_argument("key", metavar="CONSUMER_KEY")
    token.add_argument("--user", metavar="U", required=True, help="who authorizes it")
    token.set_defaults(run=admin.app_token)
    listing = actions.add_parser(
        "list", parents=[data], help="list all and their tokens, a line each, with tabs between"
    )
    listing.set_defaults(run=admin.app_list)
    revoke = actions.add_parser(
        "revoke", parents=[data], help="remove an application with its tokens, or revoke one token"
    )
    revoke.add_argument("key", metavar="KEY", help="a consumer key, or a token's")
    revoke.set_defaults(run=admin.app_revoke)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """The flags that make a token, or all tokens of an application, less than its user."""
    parser.add_argument("--read-only", action="store_true", help="nothing is written with it")
    parser.add_argument(
        "--expires",
        metavar="WHEN",
        type=flag_types.expiry,
        help="so long from now, as in 12h, 30d or 1y (s, min, h, d, w, y), or an ISO date",
    )


def _add_store(names: Any, data: argparse.ArgumentParser) -> None:
    backup = names.add_parser("backup", parents=[data], help="copy the store, while it is in use")
    backup.add_argument("file", metavar="FILE", type=Path, help="a new file")
    backup.set_defaults(run=commands.backup)
    copy = names.add_parser(
        "copy", help="move all that a store holds to another one, and compare the two"
    )
    for flag, name, help in (
        ("--from", "source", "the old store, a directory or a PostgreSQL URL"),
        ("--to", "target", "the new one, where no service was started yet"),
    ):
        copy.add_argument(
            flag, dest=name, metavar="DIR_OR_URL", type=flag_types.store, required=True, help=help
        )
    copy.add_argument("--quiet", action="store_true", help="show no progress")
    copy.set_defaults(run=commands.copy)
    check = names.add_parser("check", parents=[data], help="look at every block and count")
    check.set_defaults(run=commands.check)
    cluster = names.add_parser("cluster", help="spread a database over the nodes of Citus")
    actions = cluster.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser("init", parents=[data], help="spread the series over all nodes")
    init.set_defaults(run=commands.init_cluster)
