"""Signatures over the address that clients were given, which is not the one that is reached."""

from __future__ import annotations

from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest

from tests.dancing import Program, entrusted
from tests.service import Headers, running_service
from timetric.server import create_app

BASE = "https://TS.example:443/at/home/"
HTTP, HTTPS = {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https"}


def status(plotter: Program, base: str, headers: Headers) -> int:
    """Of a request for one address, as a proxy passes it on; 404 when the signature is right."""
    _, _, signed = plotter.sign("GET", "/series/a%2520b;/?a=b", base=base)
    return plotter.service.send("GET", "/series/a%2520b;/?a=b", None, {**signed, **headers}).status


def test_host_scheme_and_prefix_are_those_of_the_base_url(tmp_path: Path) -> None:
    with running_service(tmp_path, base_url=BASE) as service:
        plotter = entrusted(service)
        for headers in ({}, HTTP, HTTPS, {"Host": "inside:8000"}):
            assert status(plotter, "https://ts.example/at/home/", headers) == 404
            for wrong in ("http://ts.example/at/home/", "https://ts.example/", service.url):
                assert status(plotter, wrong, headers) == 401
        assert status(plotter, BASE, {"X-Forwarded-Host": "evil.example"}) == 404


def test_a_trusted_proxy_tells_the_scheme_and_no_more(tmp_path: Path) -> None:
    with running_service(tmp_path, base_url="https://ts.example/", trust_proxy=[]) as service:
        plotter = entrusted(service)
        over_http, over_https = "http://ts.example/", "https://ts.example/"
        cases: list[tuple[str, Headers, int]] = [
            (over_http, HTTP, 404),
            (over_https, HTTP, 401),
            (over_https, HTTPS, 404),
            (over_https, {}, 404),
            (over_http, {}, 401),
            (over_http, {"X-Forwarded-Proto": "https, http"}, 404),
            (over_https, {"X-Forwarded-Proto": "http, HTTPS"}, 404),
            (over_https, {"X-Forwarded-Proto": "gopher"}, 404),
            (over_https, {"X-Forwarded-Host": "ts.example"}, 404),
            (over_https, {"X-Forwarded-Host": "evil.example, TS.example:443"}, 404),
            (over_https, {"X-Forwarded-Host": "evil.example"}, 400),
            (over_https, {"X-Forwarded-Host": "ts.example:8443"}, 400),
        ]
        for base, headers, expected in cases:
            assert status(plotter, base, headers) == expected, (base, headers)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = plotter.send(
            "POST", "/create/", "title=T&caption=C", {**form, **HTTP}, base=over_http
        )
        assert reply.headers["Location"].startswith(over_https)


@pytest.mark.parametrize(
    ("peer", "believed"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.1", True), ("192.0.2.2", False), ("", False)],
)
def test_loopback_and_the_proxies_that_are_listed_are_trusted(
    tmp_path: Path, peer: str, believed: bool
) -> None:
    with running_service(tmp_path) as service:
        app = create_app(
            service.storage,
            keyring=service.keyring,
            base_url="https://ts.example/",
            clock=service.clock,
            trust_proxy=["192.0.2.1"],
        )
        path = service.create(b"0,1")
        _, _, signed = entrusted(service).sign("GET", path, base="http://ts.example/")
        environ = {
            "PATH_INFO": path,
            "REMOTE_ADDR": peer,
            "HTTP_AUTHORIZATION": signed["Authorization"],
            "HTTP_X_FORWARDED_PROTO": "http",
        }
        setup_testing_defaults(environ)
        statuses: list[str] = []
        list(app(environ, lambda status, *_: statuses.append(status)))  # type: ignore[arg-type]
    assert statuses == ["200 OK" if believed else "401 Unauthorized"]
