"""Auth strategies: each signs a finished request. The one reader of ``authtype``."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from timetric import oauth1
from timetric.config import lookup
from timetric.exceptions import ConfigError, NotAuthorized
from timetric.oauth1 import Consumer, Token
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


#: The names of an access token's key and secret in a config; the first pair found counts.
TOKEN_NAMES = (
    ("oauth_token", "oauth_secret"),
    ("oauth_key", "oauth_secret"),
    ("access_key", "access_token"),
)

_NOBODY_YET = (
    "there is no access token yet; client.authorize() gets one, or in three steps: "
    "get_request_token(), get_authorize_url() for the user's browser, get_access_token()"
)


class OAuth:
    """An application that acts for a user (OAuth 1.0a, RFC 5849), signing with HMAC-SHA1.

    ``token`` is the access token, or None until the user has let the application in. ``clock``
    gives Unix seconds.
    """

    def __init__(
        self,
        consumer: Consumer,
        token: Token | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.consumer = consumer
        self.token = token
        self.clock = clock
        #: Seconds by which the service's clock is ahead of ours.
        self.ahead = 0.0

    def __repr__(self) -> str:
        token = self.token.key if self.token else "without a token"
        return f"<OAuth {self.consumer.key} {token}>"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> OAuth:
        """Reads ``consumer_key``, ``consumer_secret`` and the token, which may be missing.

        Raises ConfigError.
        """
        consumer = Consumer(_required(config, "consumer_key"), _required(config, "consumer_secret"))
        return cls(consumer, _token(config))

    def sign(self, request: Request) -> Request:
        """Raises ConfigError without an access token."""
        if self.token is None:
            raise ConfigError(_NOBODY_YET)
        return self.sign_with(self.token, request)

    def sign_with(self, token: Token | None, request: Request, **oauth: str) -> Request:
        """Sign with another token, or none, and further parameters: a step of the dance."""
        return oauth1.sign(
            request,
            self.consumer,
            token,
            oauth_timestamp=str(int(self.clock() + self.ahead)),
            oauth_nonce=os.urandom(12).hex(),  # oauthlib wants 20 to 30 characters
            **oauth,
        )

    def correct_clock(self, error: NotAuthorized, ahead: float) -> bool:
        """Go by the service's clock where it refused our time; whether a new attempt can help.

        ``ahead`` is what the refused request went by: another thread may have corrected it since.
        """
        challenge = error.response.get("www-authenticate", "")
        if "timestamp_refused" not in error.detail + challenge:
            return False
        now = _unix_time(error.response.get("date", ""))
        if now is None:
            return False
        self.ahead = now - self.clock()
        return abs(self.ahead - ahead) > 5  # a Date is rounded, and was on its way


STRATEGIES: dict[str, Callable[[Mapping[str, Any]], Auth]] = {
    "oauth": OAuth.from_config,
    "apitoken": ApiToken.from_config,
}


def from_config(config: Mapping[str, Any]) -> Auth:
    """The strategy a config asks for. Raises ConfigError."""
    authtype = lookup(config, "authtype") or "oauth"
    if authtype not in STRATEGIES:
        raise ConfigError(f"authtype {authtype!r} is none of: {', '.join(STRATEGIES)}")
    return STRATEGIES[authtype](config)


def _required(config: Mapping[str, Any], key: str) -> str:
    value = lookup(config, key)
    if not isinstance(value, str) or not value:
        hint = "; for an API token, authtype is 'apitoken'" if key == "consumer_key" else ""
        raise ConfigError(f"the config lacks {key}{hint}")
    return value


def _token(config: Mapping[str, Any]) -> Token | None:
    """The access token. Raises ConfigError for half of one."""
    found = {name for pair in TOKEN_NAMES for name in pair if lookup(config, name)}
    for key, secret in TOKEN_NAMES:
        if {key, secret} <= found:
            return Token(_required(config, key), _required(config, secret))
    if found:
        raise ConfigError(
            f"the config holds half an access token, {' and '.join(sorted(found))}; the whole "
            "is oauth_token and oauth_secret"
        )
    return None


def _unix_time(date: str) -> float | None:
    """Of a Date header; None of what is none."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):  # no date: a TypeError before Python 3.10
        return None
