"""The two who dance with the service: an application that signs with oauthlib, and a browser."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from oauthlib.oauth1 import (
    SIGNATURE_TYPE_AUTH_HEADER,
    SIGNATURE_TYPE_BODY,
    SIGNATURE_TYPE_QUERY,
    Client,
)

from tests.service import Headers, Reply, Service
from timetric.server.credentials import make_application, make_secret
from timetric.server.keyring import ACCESS_TOKEN, APPLICATION
from timetric.server.session import make_link
from timetric.server.storage import AccessToken, User

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HEADER, QUERY, BODY = SIGNATURE_TYPE_AUTH_HEADER, SIGNATURE_TYPE_QUERY, SIGNATURE_TYPE_BODY
CALLBACK = "http://127.0.0.1:5000/done?x=%2520y"

Token = dict[str, str]


@dataclass(frozen=True)
class Program:
    """An application as it was added to a service, and the token it has by now."""

    service: Service
    key: str
    secret: str
    token: Token = field(default_factory=dict)

    def sign(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Headers | None = None,
        **changes: Any,
    ) -> tuple[str, Any, Headers]:
        """Path, body and headers to send; ``changes`` are oauthlib's settings of a client."""
        settings = {
            "resource_owner_key": self.token.get("oauth_token"),
            "resource_owner_secret": self.token.get("oauth_token_secret"),
            "timestamp": str(int(self.service.clock())),
            "nonce": secrets.token_hex(12),
            **changes,
        }
        base = settings.pop("base", self.service.url)
        client = Client(self.key, settings.pop("client_secret", self.secret), **settings)
        url, headers, body = client.sign(base + path.lstrip("/"), method, body, headers or {})
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Headers | None = None,
        **changes: Any,
    ) -> Reply:
        path, body, headers = self.sign(method, path, body, headers, **changes)
        if isinstance(body, str):
            body = body.encode()
        return self.service.send(method, path, body, headers)

    def begins(self, callback: str | None = "oob", **changes: Any) -> Program:
        """The same with a request token."""
        reply = self.send("POST", "/oauth/request_token/", callback_uri=callback, **changes)
        return self.becomes(reply)

    def finishes(self, verifier: str | None = None, **changes: Any) -> Program:
        """The same with an access token."""
        return self.becomes(self.trades(verifier, **changes))

    def trades(self, verifier: str | None = None, **changes: Any) -> Reply:
        return self.send("POST", "/oauth/access_token/", verifier=verifier, **changes)

    def authorize_path(self, **more: str) -> str:
        return f"/oauth/authorize/?{urlencode({'oauth_token': self.token['oauth_token'], **more})}"

    def becomes(self, reply: Reply) -> Program:
        assert reply.status == 200, reply
        return replace(self, token=dict(parse_qsl(reply.body.decode())))


def program(service: Service, *, old: bool = False, callback: str | None = None) -> Program:
    """A new application of the owner's."""
    application = make_application(
        service.storage.grants,
        service.owner,
        f"Plotter {secrets.token_hex(4)}",
        callback=callback,
        predates_1_0a=old,
        clock=service.clock,
    )
    return Program(service, application.key, service.keyring.derive(APPLICATION, application.key))


def authorized(service: Service) -> Program:
    """One that may act for the owner."""
    begun = program(service).begins()
    return begun.finishes(pin(signed_in(service).decides(begun)))


def signed_by_hand(
    program: Program, method: str, path: str, fields: dict[str, str], **oauth: str
) -> list[tuple[str, str]]:
    """All parameters, with those of OAuth and their signature, as a program of 2009 makes them."""
    token = {"oauth_token": program.token["oauth_token"]} if program.token else {}
    protocol = {
        "oauth_version": "1.0",
        "oauth_consumer_key": program.key,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(program.service.clock())),
        "oauth_nonce": str(secrets.randbelow(10**8)),
        **token,
        **oauth,
    }
    pairs = [*fields.items(), *protocol.items()]
    encoded = sorted(f"{encode(name)}={encode(text)}" for name, text in pairs)
    base = [method, f"{program.service.url}{path.lstrip('/')}", "&".join(encoded)]
    key = f"{program.secret}&{program.token.get('oauth_token_secret', '')}"
    text = "&".join(map(encode, base))
    signature = hmac.new(key.encode(), text.encode(), "sha1").digest()
    return [*pairs, ("oauth_signature", b64encode(signature).decode())]


def encode(text: str) -> str:
    return quote(text, safe="~")


def entrusted(service: Service) -> Program:
    """One that may act for the owner, who used no browser for it."""
    made = program(service)
    key = make_secret(secrets.token_bytes)
    application = service.storage.grants.application(made.key)
    service.storage.grants.add_access_token(
        AccessToken(key, application, service.owner, service.clock())
    )
    secret = service.keyring.derive(ACCESS_TOKEN, key)
    return replace(made, token={"oauth_token": key, "oauth_token_secret": secret})


class Browser:
    """What the service needs of one: cookies, and where a form was sent from."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookie = ""

    def get(self, path: str, headers: Headers | None = None) -> Reply:
        return self._send("GET", path, None, headers or {})

    def post(self, path: str, body: str = "", headers: Headers | None = None) -> Reply:
        sent_from_here = {"Sec-Fetch-Site": "same-origin"} if headers is None else headers
        return self._send("POST", path, body.encode(), {**FORM, **sent_from_here})

    def decides(self, program: Program, decision: str = "authorize", **more: str) -> Reply:
        return self.post(program.authorize_path(**more), f"decision={decision}")

    def _send(self, method: str, path: str, body: bytes | None, headers: Headers) -> Reply:
        cookies = {"Cookie": self.cookie} if self.cookie else {}
        reply = self.service.send(method, path, body, {**cookies, **headers})
        self.cookie = (reply.headers["Set-Cookie"] or self.cookie).partition(";")[0]
        return reply


def link(service: Service, user: User | None = None) -> str:
    """The path of a new sign-in link."""
    url = make_link(
        service.storage.accounts,
        user or service.owner,
        service.url,
        clock=service.clock,
        random=secrets.token_bytes,
    )
    return urlsplit(url).path


def signed_in(service: Service, user: User | None = None) -> Browser:
    browser = Browser(service)
    assert browser.post(link(service, user)).status == 200
    return browser


def pin(page: Reply) -> str:
    """What the page shows to be typed."""
    assert page.status == 200, page
    [shown] = re.findall(r'class="pin">([^<]+)<', page.body.decode())
    return shown


def query(reply: Reply) -> Token:
    """The query that a redirect adds."""
    assert reply.status == 303, reply
    return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


def multipart(fields: dict[str, str], csv: bytes | None = None) -> tuple[bytes, Headers]:
    parts = [
        f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    if csv is not None:
        head = 'Content-Disposition: form-data; name="csv"; filename="power.csv"'
        parts.append(f"--frontier\r\n{head}\r\n\r\n".encode() + csv + b"\r\n")
    body = b"".join(parts) + b"--frontier--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=frontier"}
