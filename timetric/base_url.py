"""The address of the service, as a config gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timetric import config as configs
from timetric.exceptions import ConfigError
from timetric.timestamps import shown
from timetric.transport import is_address

DEFAULT_URL = "http://127.0.0.1:8000/"


def base_url(config: Mapping[str, Any]) -> str:
    """The service's URL with one slash at its end. Raises ConfigError where it can be none."""
    flaw = _flaw(configs.lookup(config, "url") or DEFAULT_URL)
    if flaw:
        raise ConfigError(flaw)
    return (configs.lookup(config, "url") or DEFAULT_URL).rstrip("/") + "/"


def _flaw(url: object) -> str:
    """What is wrong with a URL that may hold a password, so that nothing is raised here."""
    if any(sign in str(url) for sign in "@?#"):
        return "url may hold no credentials, query or fragment"
    if not isinstance(url, str) or not is_address(url):
        return f"url {shown(url)} is no http or https address"
    return ""
