"""The config: where it is, who can read it, and whether a client can be made of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

from timetric import auth
from timetric import config as configs
from timetric.client import TimetricClient
from timetric.config import Config
from timetric.examine.finding import Finding, fail, ok, warn
from timetric.exceptions import ConfigError, InsecureWarning

_KINDS = {auth.ApiToken: "an API token", auth.OAuth: "OAuth"}


class Examined:
    """The findings about a config, and the client it makes, if any."""

    def __init__(self) -> None:
        self.client: TimetricClient | None = None
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", InsecureWarning)
            self.findings = [*self._look()]
        self.findings += [warn("config", str(warning.message)) for warning in told]

    def _look(self) -> Iterator[Finding]:
        try:
            config = configs.load()
            self.client = TimetricClient(config, "timetric-doctor")
        except ConfigError as error:
            yield fail("config", str(error))
            return
        yield ok("config", f"{configs.source()}: {_KINDS[type(self.client.auth)]}")
        yield from _oddities(config)


def _oddities(config: Config) -> Iterator[Finding]:
    unknown = sorted({str(key) for key in config} - {*_spellings()})
    if unknown:
        yield warn("config", f"nobody reads {', '.join(unknown)}; is it a slip of the pen?")
    path = configs.default_path()
    if configs.source() == "the environment" and path.exists():
        yield warn("config", f"credentials in the environment are used, and {path} is not")
    elif path.exists() and hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
        yield warn("config", f"{path} is another user's, who can change it; make one of your own")


def _spellings() -> Iterator[str]:
    """In a key a dash counts as an underscore."""
    for key in configs.KEYS:
        yield from (key, key.replace("_", "-"))
