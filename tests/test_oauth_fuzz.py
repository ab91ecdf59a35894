"""Whatever our client signs, our service takes; what was altered on the way, it does not."""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.dancing import Program, entrusted
from tests.service import Service, running_service
from tests.test_oauth1 import requests
from timetric.oauth1 import Consumer, Token, sign
from timetric.request import Request


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("fuzz")) as service:
        yield service


def awkward(service: Service, seed: int, count: int) -> Iterator[Request]:
    """Requests of every legal form to a series of the service's, as a client may write its URL."""
    parts = urlsplit(service.url)
    hosts = [f"127.0.0.1:{parts.port}", f"localhost:{parts.port}", f"LocalHost:{parts.port}"]
    path = service.create()
    for number, request in enumerate(requests(seed, count)):
        method = "POST" if request.method == "PATCH" else request.method.upper()
        query = urlsplit(request.url).query
        url = f"http://{hosts[number % 3]}{path}{'?' if query else ''}{query}"
        has_body = method in ("POST", "PUT")
        headers = {"host": hosts[number % 3], **(request.headers if has_body else {})}
        yield Request(method, url, headers, request.body if has_body else b"")


def status(connection: http.client.HTTPConnection, signed: Request) -> int:
    parts = urlsplit(signed.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request(signed.method, target, signed.body, dict(signed.headers))
    reply = connection.getresponse()
    reply.read()
    return reply.status


def signed_by(program: Program, request: Request) -> Request:
    token = Token(program.token["oauth_token"], program.token["oauth_token_secret"])
    moment = {
        "oauth_timestamp": str(int(program.service.clock())),
        "oauth_nonce": secrets.token_hex(12),
    }
    return sign(request, Consumer(program.key, program.secret), token, **moment)


@pytest.mark.parametrize("seed", range(5))
def test_the_service_takes_whatever_the_client_signs(service: Service, seed: int) -> None:
    program = entrusted(service)
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    refused, altered = [], []
    for number, request in enumerate(awkward(service, seed, 1000)):
        signed = signed_by(program, request)
        if status(connection, signed) == 401:
            refused.append((request.method, request.url, request.body))
        if number % 20 == 0:
            further = "&" if "?" in signed.url else "?"
            signed = replace(signed_by(program, request), url=f"{signed.url}{further}more=1")
            altered.append(status(connection, signed))
    connection.close()
    assert refused == []
    assert set(altered) == {401}
