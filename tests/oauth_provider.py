"""An OAuth provider on oauthlib's own endpoints, which share no code with what they verify."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from oauthlib.common import Request
from oauthlib.oauth1 import RequestValidator, WebApplicationServer
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

SECRET = "hush-hush"
APPLICATION = "an-application-of-2026"
OLD_APPLICATION = "an-application-of-2009"  # predates OAuth 1.0a: no verifier

_NO_VERIFIER = "none"


class Tokens(RequestValidator):
    """What is remembered, and oauthlib's questions about it."""

    enforce_ssl = False
    timestamp_lifetime = 1 << 40  # the provider looks, by its own clock
    dummy_client = dummy_request_token = dummy_access_token = "nobody-and-nothing-at-all"

    def __init__(self) -> None:
        super().__init__()
        self.requested: dict[str, dict[str, Any]] = {}
        self.granted: dict[str, dict[str, Any]] = {}
        self.nonces: set[tuple[str, ...]] = set()

    def check_client_key(self, client_key: str) -> bool:
        return True

    def validate_client_key(self, client_key: str, request: Request) -> bool:
        return client_key in (APPLICATION, OLD_APPLICATION)

    def get_client_secret(self, client_key: str, request: Request) -> str:
        return SECRET

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: Request, **tokens: str
    ) -> bool:
        spent = (client_key, timestamp, nonce) in self.nonces
        self.nonces.add((client_key, timestamp, nonce))
        return not spent

    # request tokens

    def save_request_token(self, token: dict[str, str], request: Request) -> None:
        self.requested[token["oauth_token"]] = {**token, "callback": request.redirect_uri}

    def validate_request_token(self, client_key: str, token: str, request: Request) -> bool:
        return "verifier" in self.requested.get(token, {})

    def get_request_token_secret(self, client_key: str, token: str, request: Request) -> str:
        return str(self.requested.get(token, {}).get("oauth_token_secret", "none"))

    def verify_request_token(self, token: str, request: Request) -> bool:
        return token in self.requested

    def validate_redirect_uri(self, client_key: str, redirect_uri: str, request: Request) -> bool:
        return True

    def get_redirect_uri(self, token: str, request: Request) -> str:
        return str(self.requested[token]["callback"])

    def get_default_realms(self, client_key: str, request: Request) -> list[str]:
        return []

    def validate_requested_realms(
        self, client_key: str, realms: list[str], request: Request
    ) -> bool:
        return True

    def get_realms(self, token: str, request: Request) -> list[str]:
        return []

    # verifiers

    def check_verifier(self, verifier: str) -> bool:
        return True

    def save_verifier(self, token: str, verifier: dict[str, str], request: Request) -> None:
        self.requested[token]["verifier"] = verifier["oauth_verifier"]

    def validate_verifier(
        self, client_key: str, token: str, verifier: str, request: Request
    ) -> bool:
        if client_key == OLD_APPLICATION and verifier == _NO_VERIFIER:
            return True
        return bool(self.requested.get(token, {}).get("verifier") == verifier)

    def invalidate_request_token(self, client_key: str, token: str, request: Request) -> None:
        del self.requested[token]

    # access tokens

    def save_access_token(self, token: dict[str, str], request: Request) -> None:
        self.granted[token["oauth_token"]] = token

    def validate_access_token(self, client_key: str, token: str, request: Request) -> bool:
        return token in self.granted

    def get_access_token_secret(self, client_key: str, token: str, request: Request) -> str:
        return str(self.granted.get(token, {}).get("oauth_token_secret", "none"))

    def validate_realms(self, *request: Any, **realms: Any) -> bool:
        return True


class Endpoints(WebApplicationServer):
    """oauthlib's, with a verifier for an application that can't have one."""

    def _create_request(self, *parts: Any, **named: Any) -> Request:
        request = super()._create_request(*parts, **named)
        if request.client_key == OLD_APPLICATION and not request.verifier:
            request.verifier = _NO_VERIFIER
        return request


class Provider:
    """A running provider: any series it is asked for has one point.

    ``requests`` are the methods and paths that came in, ``says_no`` is what its user does, and
    ``window`` the seconds by which clocks may differ.
    """

    def __init__(self) -> None:
        self.tokens = Tokens()
        self.endpoints = Endpoints(self.tokens)
        self.clock: Callable[[], float] = time.time
        self.requests: list[tuple[str, str]] = []
        self.says_no = False
        self.window = 300.0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.provider = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def config(self, application: str = APPLICATION) -> dict[str, str]:
        return {"url": self.url, "consumer_key": application, "consumer_secret": SECRET}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.provider: Provider = self.server.provider  # type: ignore[attr-defined]
        length = int(self.headers.get("content-length", 0))
        whole = f"{self.provider.url.rstrip('/')}{self.path}"
        body = self.rfile.read(length).decode("latin-1")
        path = urlsplit(whole).path
        self.provider.requests.append((self.command, path))
        if self.clock_is_off():
            self.refuse("timestamp_refused: the clocks differ")
            return
        step = STEPS.get(path, Handler.resource)
        step(self, whole, self.command, body, dict(self.headers.items()))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def clock_is_off(self) -> bool:
        header = self.headers.get("authorization", "")
        stamp = dict(parse_authorization_header(header)).get("oauth_timestamp") if header else None
        return stamp is not None and abs(int(stamp) - self.provider.clock()) > self.provider.window

    def request_token(self, *request: Any) -> None:
        self.reply(*self.provider.endpoints.create_request_token_response(*request))

    def access_token(self, *request: Any) -> None:
        self.reply(*self.provider.endpoints.create_access_token_response(*request))

    def authorize(self, url: str, *request: Any) -> None:
        if self.provider.says_no:
            token = dict(parse_qsl(urlsplit(url).query))["oauth_token"]
            query = urlencode({"oauth_token": token, "oauth_problem": "permission_denied"})
            location = f"{self.provider.tokens.requested[token]['callback']}?{query}"
            self.reply({"Location": location}, "", 302)
            return
        self.reply(*self.provider.endpoints.create_authorization_response(url, *request))

    def resource(self, *request: Any) -> None:
        valid, _ = self.provider.endpoints.validate_protected_resource_request(*request)
        if not valid:
            self.refuse("the signature is wrong")
            return
        point = json.dumps({"timestamp": 1.0, "value": 2.0})
        self.reply({"Content-Type": "application/json"}, point, 200)

    def refuse(self, detail: str) -> None:
        headers = {
            "Content-Type": "application/problem+json",
            "WWW-Authenticate": 'OAuth realm="Timetric"',
        }
        self.reply(headers, json.dumps({"status": 401, "detail": detail}), 401)

    def reply(self, headers: dict[str, str], body: str | None, status: int) -> None:
        content = (body or "").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(self.provider.clock()))  # type: ignore[arg-type]

    def log_message(self, format: str, *args: Any) -> None:
        pass


STEPS: dict[str, Callable[..., None]] = {
    "/oauth/request_token/": Handler.request_token,
    "/oauth/authorize/": Handler.authorize,
    "/oauth/access_token/": Handler.access_token,
}


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider = Provider()
    threading.Thread(target=provider.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
