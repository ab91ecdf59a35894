"""The OAuth dance: the steps by which a user lets an application in (RFC 5849, section 2)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from timetric.auth import TOKEN_NAMES, OAuth
from timetric.exceptions import BadRequest, ConfigError, NotAuthorized
from timetric.oauth1 import Token
from timetric.request import Request

if TYPE_CHECKING:
    from timetric.client import TimetricClient

#: The callback of a program that can't be called back: the user is shown a PIN.
OUT_OF_BAND = "oob"


def request_token(client: TimetricClient, callback: str) -> Token:
    return _exchange(client, "oauth/request_token/", None, oauth_callback=callback)


def authorize_url(client: TimetricClient, token: Token | None, callback: str | None) -> str:
    token = token or request_token(client, OUT_OF_BAND)
    query = {"oauth_token": token.key, **({"oauth_callback": callback} if callback else {})}
    return f"{client.url}oauth/authorize/?{urlencode(query)}"


def access_token(client: TimetricClient, token: Token, verifier: str | None) -> Token:
    _check_writable(client)
    oauth = _oauth(client)
    further = {"oauth_verifier": verifier} if verifier else {}
    try:
        granted = _exchange(client, "oauth/access_token/", token, **further)
    except (NotAuthorized, BadRequest) as error:  # most often for want of the verifier
        if verifier:
            raise
        raise _without_verifier(error) from error
    oauth.token = granted
    _save(granted, client)
    return granted


def authorize(client: TimetricClient, open_browser: bool, timeout: float) -> Token:
    _check_writable(client)
    if not open_browser:
        return _by_pin(client)
    import webbrowser

    from timetric.callback import listening

    with listening() as listener:
        token = request_token(client, listener.url)
        listener.expect(token.key)
        if webbrowser.open(authorize_url(client, token, None)):
            return access_token(client, token, listener.wait(timeout))
    return _by_pin(client)


def _by_pin(client: TimetricClient) -> Token:
    token = request_token(client, OUT_OF_BAND)
    url = authorize_url(client, token, None)
    try:
        pin = input(f"Open this page in a browser and let the program in:\n{url}\nPIN: ").strip()
    except EOFError:  # nobody is at a terminal
        pin = ""
    if not pin:
        raise NotAuthorized("no PIN was given, so the application was not let in")
    return access_token(client, token, pin)


def _exchange(client: TimetricClient, path: str, token: Token | None, **oauth: str) -> Token:
    strategy = _oauth(client)

    def sign(request: Request) -> Request:
        return strategy.sign_with(token, request, **oauth)

    return Token.from_string(client.request("POST", path, sign=sign)[1].decode("utf-8", "replace"))


def _oauth(client: TimetricClient) -> OAuth:
    if not isinstance(client.auth, OAuth):
        raise ConfigError("the config's authtype is not oauth, so there is no access token to get")
    return client.auth


def _without_verifier(error: NotAuthorized | BadRequest) -> NotAuthorized:
    return NotAuthorized(
        f"{error.detail} (no verifier was given; where the service shows the user a PIN, pass it: "
        "get_access_token(token, verifier=PIN))",
        status=error.status,
        request_id=error.request_id,
        response=error.response,
    )


def _check_writable(client: TimetricClient) -> None:
    """Raises ConfigError before a token is made that could not be kept."""
    if not isinstance(client.config, MutableMapping):
        raise ConfigError("the config can't be changed, so no access token can be kept in it")


def _save(token: Token, client: TimetricClient) -> None:
    try:
        client.config.update(zip(TOKEN_NAMES[0], (token.key, token.secret)))  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:  # a shelf that is read only or closed, a full disk
        raise ConfigError(
            f"the config can't keep the access token, which is client.auth.token: {error}"
        ) from error
