"""OAuth 1.0a signatures (RFC 5849) by the oauth2 package. Pure: time and chance are arguments.

Of oauth2 only its HMAC-SHA1 is used. Its requests decode a query twice, sort parameters before
they are encoded and keep the case of hosts, so a service refuses many of their signatures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from timetric.exceptions import BadReply, ConfigError
from timetric.request import Request

FORM = "application/x-www-form-urlencoded"

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Consumer:
    """An application, as the service knows it."""

    key: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Token:
    """A request token, on the way through the dance, or the access token at its end."""

    key: str
    secret: str = field(repr=False)

    @classmethod
    def from_string(cls, text: str) -> Token:
        """Of the form-encoded answer to a token request. Raises BadReply."""
        values = dict(parse_qsl(text))
        if "oauth_token" not in values or "oauth_token_secret" not in values:
            del text, values  # half of a secret, which a traceback with locals would show
            raise BadReply("the reply to a token request holds no token; is this a timetric url?")
        return cls(values["oauth_token"], values["oauth_token_secret"])


def sign(request: Request, consumer: Consumer, token: Token | None = None, **oauth: str) -> Request:
    """A copy of the finished request with an Authorization header over all that OAuth signs.

    That is the method, the URL with its query and the fields of an urlencoded form, but no other
    body. ``oauth`` are the protocol's parameters that vary: ``oauth_timestamp``, ``oauth_nonce``
    and what a step of the dance adds. Raises ConfigError where oauth2 is not installed.
    """
    method = _oauth2().SignatureMethod_HMAC_SHA1()
    protocol = {
        "oauth_consumer_key": consumer.key,
        "oauth_signature_method": method.name,
        **({"oauth_token": token.key} if token else {}),
        **oauth,
    }
    parameters = [*protocol.items(), *_sent(request)]
    unsigned = _Unsigned(request.method.upper(), _base_uri(request.url), parameters)
    protocol["oauth_signature"] = method.sign(unsigned, consumer, token).decode("ascii")
    fields = ", ".join(f'{name}="{quote(text, safe="")}"' for name, text in protocol.items())
    return replace(request, headers={**request.headers, "authorization": f"OAuth {fields}"})


class _Unsigned(NamedTuple):
    """What a signature method of oauth2 asks of a request."""

    method: str
    normalized_url: str
    parameters: list[tuple[str, str]]

    def get_normalized_parameters(self) -> str:
        """RFC 5849, 3.4.1.3.2: they are sorted once they are encoded."""
        pairs = ((quote(name, safe=""), quote(text, safe="")) for name, text in self.parameters)
        return "&".join(f"{name}={text}" for name, text in sorted(pairs))


def _sent(request: Request) -> list[tuple[str, str]]:
    """The parameters of the query and of a form (RFC 5849, 3.4.1.3.1)."""
    pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    pairs += parse_qsl(_form(request), keep_blank_values=True)
    return [pair for pair in pairs if pair[0] != "oauth_signature"]


def _form(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return ""
    if isinstance(request.body, (bytes, bytearray, memoryview)):
        return bytes(request.body).decode("utf-8", "replace")
    request.body.seek(0)
    return request.body.read().decode("utf-8", "replace")


def _base_uri(url: str) -> str:
    """RFC 5849, 3.4.1.2: lower case, no default port, no query, and a path in any case."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode("ascii")
    if ":" in host:
        host = f"[{host}]"
    if parts.port not in (None, _PORTS[parts.scheme]):
        host += f":{parts.port}"
    return f"{parts.scheme}://{host}{parts.path or '/'}"


@cache
def _oauth2() -> Any:
    """The oauth2 package, without the distutils that it asks for: gone since Python 3.12."""
    version = ModuleType("oauth2._version")
    vars(version)["__version__"] = "1.9.0.post1"
    sys.modules.setdefault(version.__name__, version)
    try:
        import oauth2
    except ModuleNotFoundError as error:  # the oauth extra is not installed
        raise ConfigError("OAuth needs one more package: pip install 'timetric[oauth]'") from error
    return oauth2
