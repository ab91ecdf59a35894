"""Auth strategies: each signs a finished request. The one reader of ``authtype``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from timetric.config import lookup
from timetric.exceptions import ConfigError
from timetric.request import Request


class Auth(Protocol):
    """What the client needs of a strategy."""

    def sign(self, request: Request) -> Request:
        """A copy of the finished request that proves who sends it. Called for each attempt."""


class ApiToken:
    """An API token over HTTP Basic (RFC 7617), sent ahead of any challenge.

    The token is only as secret as the connection: use https beyond your own machine.
    """

    def __init__(self, key: str, secret: str) -> None:
        self.key = key
        self._secret = secret

    def __repr__(self) -> str:
        return f"<ApiToken {self.key}>"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ApiToken:
        """Reads ``apitoken_key`` and ``apitoken_secret``. Raises ConfigError."""
        return cls(_required(config, "apitoken_key"), _required(config, "apitoken_secret"))

    def sign(self, request: Request) -> Request:
        credentials = b64encode(f"{self.key}:{self._secret}".encode()).decode("ascii")
        return replace(
            request, headers={**request.headers, "authorization": f"Basic {credentials}"}
        )


STRATEGIES = {"apitoken": ApiToken.from_config}


def from_config(config: Mapping[str, Any]) -> Auth:
    """The strategy a config asks for. Raises ConfigError."""
    authtype = lookup(config, "authtype") or "oauth"
    if authtype not in STRATEGIES:
        raise ConfigError(f"authtype {authtype!r} is none of: {', '.join(STRATEGIES)}")
    return STRATEGIES[authtype](config)


def _required(config: Mapping[str, Any], key: str) -> str:
    value = lookup(config, key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"the config lacks {key}")
    return value
