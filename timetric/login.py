"""Signing this machine in: an API token, checked and kept, or an access token by OAuth."""

from __future__ import annotations

import argparse
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Any

from timetric import config as configs
from timetric.client import TimetricClient
from timetric.store import CommandError
from timetric.terminal import say


def login(options: argparse.Namespace) -> None:
    path = configs.default_path()
    if os.path.lexists(path) and not options.replace:
        raise CommandError(f"there is a config already: {path}; --replace overwrites it")
    kind = "application" if options.oauth else "API token"
    key, secret = _pair(_typed(kind, options), kind)
    if options.oauth:
        config = configs.Config(url=options.url, consumer_key=key, consumer_secret=secret)
    else:
        config = configs.Config(url=options.url, apitoken_key=key, apitoken_secret=secret)
    config["authtype"] = "oauth" if options.oauth else "apitoken"
    with TimetricClient(config) as client:
        if options.oauth:
            client.authorize(open_browser=not options.no_browser)
        next(client.mine(), None)  # a wrong token must not be kept
    _save(config, path)
    say(f"saved as {path}", options.quiet)
    if configs.source() == "the environment":
        say("timetric: warning: credentials in the environment are used before this file")


def _typed(kind: str, options: argparse.Namespace) -> str:
    """Never from the arguments, which all users of a machine can see."""
    if options.token_stdin:
        return sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        raise CommandError("nobody is here to type a token; --token-stdin reads it from a pipe")
    say(f"To make one, sign in at {options.url}account/", options.quiet)
    try:
        return getpass(f"{kind} (KEY:SECRET, not shown): ").strip()
    except EOFError as error:
        raise CommandError("no token was typed; nothing was changed") from error


def _pair(typed: str, kind: str) -> tuple[str, str]:
    key, colon, secret = typed.partition(":")
    if not (key and colon and secret):
        raise CommandError(f"that is no {kind}; it is a key, a colon and a secret, as KEY:SECRET")
    return key, secret


def _save(config: Any, path: Path) -> None:
    """In one step: what was there stays until the new one is whole."""
    if not os.path.lexists(path):
        configs.save(config, path)
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    configs.save(config, beside)
    os.replace(beside, path)
