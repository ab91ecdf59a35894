"""The environment's proxies, by a proxy on loopback; and whom TLS trusts."""

from __future__ import annotations

import logging
import os
import ssl
import time
from pathlib import Path

import pytest
import trustme

import timetric
from tests.conftest import RunningService
from tests.misbehaving import (
    PATIENCE,
    STORED,
    Behaviour,
    Peer,
    answer,
    answer_and_close,
    drip,
    http,
    keep_silent,
    misbehaving,
)
from tests.proxying import basic, proxy
from timetric.proxy import proxy_for

TOKEN = {"authtype": "apitoken", "apitoken_key": "the-key", "apitoken_secret": "hush-hush"}
POINT = http(body=b'{"timestamp": 1, "value": 2}')
ID = "A" * 22


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without any proxy."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_certs(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return str(tmp_path / "authority.pem")


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def latest(url: str, timeout: float = 5, **config: str) -> timetric.Point | tuple[None, None]:
    """The latest point of a series, by a client of its own."""
    with timetric.TimetricClient(
        {**TOKEN, "url": url, **config}, timeout=timeout, deadline=PATIENCE, retries=0
    ) as client:
        return client.series(ID).latest()


# through a proxy


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_plain_request_goes_through_the_proxy(environment: pytest.MonkeyPatch, name: str) -> None:
    with misbehaving(answer(POINT)) as service, proxy() as through:
        environment.setenv(name, f"http://127.0.0.1:{through.port}")
        assert latest(service.url) == (1.0, 2.0)
    assert [request.method for request in service.requests] == ["GET"]
    [request] = through.requests
    assert request.target == f"{service.url}/series/{ID}/value/json/"
    assert request.headers["host"] == f"127.0.0.1:{service.port}"


def test_an_upload_goes_through_the_proxy_whole(environment: pytest.MonkeyPatch) -> None:
    with misbehaving(answer(STORED)) as service, proxy() as through:
        environment.setenv("http_proxy", f"127.0.0.1:{through.port}")
        with timetric.TimetricClient({**TOKEN, "url": service.url}) as client:
            client.series(ID).update([(second, second) for second in range(50_000)])
    assert len(service.requests[0].body) == 50_000 * 16


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_secure_request_goes_through_a_tunnel_and_the_proxy_sees_nothing_of_it(
    environment: pytest.MonkeyPatch, name: str, tls: ssl.SSLContext, ca_certs: str
) -> None:
    with misbehaving(answer(POINT, POINT), tls=tls) as service, proxy() as through:
        environment.setenv(name, f"http://me:p%40ss@127.0.0.1:{through.port}")
        config = {**TOKEN, "url": service.url, "ca_certs": ca_certs}
        with timetric.TimetricClient(config) as client:
            assert [client.series(ID).latest() for _ in range(2)] == [(1.0, 2.0)] * 2
    [request] = through.requests
    assert (request.method, request.target) == ("CONNECT", f"127.0.0.1:{service.port}")
    assert request.headers == {
        "host": request.target,
        "proxy-authorization": basic("me", "p@ss"),
    }
    assert len(service.requests) == 2
    assert "proxy-authorization" not in service.requests[0].headers


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("given", ["me:p%40ss@", "me:wrong-hush@", ""])
def test_the_proxy_s_password_is_used_and_a_wrong_one_is_told(
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    secure: bool,
    given: str,
    tls: ssl.SSLContext,
    ca_certs: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        misbehaving(answer(POINT), tls=tls if secure else None) as service,
        proxy(basic("me", "p@ss")) as through,
    ):
        for name in ("http_proxy", "https_proxy"):
            environment.setenv(name, f"http://{given}127.0.0.1:{through.port}/")
        if given == "me:p%40ss@":
            assert latest(service.url, ca_certs=ca_certs) == (1.0, 2.0)
            return
        client = timetric.TimetricClient({**TOKEN, "url": service.url, "ca_certs": ca_certs})
        with pytest.raises(timetric.ConnectionFailed, match="407") as caught:
            client.series(ID).update(1)
    assert f"through the proxy 127.0.0.1:{through.port}" in str(caught.value)
    assert "password" in str(caught.value)
    assert not caught.value.sent
    assert len(through.requests) == 1  # not tried again
    assert caplog.messages == []
    assert "hush" not in str(caught.value)
    assert service.requests == []


def test_a_proxy_that_can_not_reach_the_service_is_asked_again(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, ca_certs: str
) -> None:
    refused = http("503 Service Unavailable")
    with misbehaving(answer_and_close(refused), answer_and_close(refused)) as through:
        environment.setenv("https_proxy", through.url)
        client = timetric.TimetricClient({**TOKEN, "url": "https://series.example/"}, retries=1)
        with pytest.raises(timetric.ConnectionFailed, match="answered 503") as caught:
            client.series(ID).update(1)
    assert not caught.value.sent
    assert [request.target for request in through.requests] == ["series.example:443"] * 2


def test_a_proxy_that_is_not_there_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://me:hush-hush@127.0.0.1:1/")
    with pytest.raises(timetric.ConnectionFailed, match=r"the proxy 127\.0\.0\.1:1") as caught:
        latest("http://127.0.0.1:8000/")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "named",
    ["socks5://127.0.0.1:1080", "https://127.0.0.1:3128", "http://[", "http://:3128", "a:0"],
)
def test_a_proxy_that_can_not_be_spoken_to_is_refused(
    environment: pytest.MonkeyPatch, named: str
) -> None:
    environment.setenv("http_proxy", named.replace("//", "//me:hush-hush@"))
    with misbehaving(answer(POINT)) as service:
        with pytest.raises(timetric.ConfigError, match="http://host:port") as caught:
            latest(service.url)
        assert service.connections == 0
    assert "hush" not in str(caught.value)


# not through a proxy


def test_in_a_cgi_script_a_header_names_no_proxy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REQUEST_METHOD", "GET")
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    with misbehaving(answer(POINT)) as service:
        assert latest(service.url) == (1.0, 2.0)


def test_the_proxy_for_plain_addresses_is_not_that_for_secure_ones(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, ca_certs: str
) -> None:
    environment.setenv("http_proxy", "http://127.0.0.1:1/")
    with misbehaving(answer(POINT), tls=tls) as service:
        assert latest(service.url, ca_certs=ca_certs) == (1.0, 2.0)


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_host_in_no_proxy_is_asked_straight(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv("http_proxy", "http://127.0.0.1:1/")
    environment.setenv(name, "localhost, 127.0.0.1")
    with misbehaving(answer(POINT)) as service:
        assert latest(service.url) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "series.example", True),
        ("a, *", "series.example", True),
        ("series.example", "series.example", True),
        ("Series.Example", "series.example", True),
        ("example", "series.example", True),
        (".example", "series.example", True),
        ("*.example", "series.example", True),
        ("example", "example", True),
        ("a b,example", "series.example", True),
        ("series.example:8000", "series.example", True),
        ("series.example:8001", "series.example", False),
        ("ries.example", "series.example", False),
        ("series.example.org", "series.example", False),
        ("", "series.example", False),
        (",", "series.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "series.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:8000", "10.1.2.3", True),
        ("10.1.2.3:8001", "10.1.2.3", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:8000", "::1", True),
        ("[::1]:8001", "::1", False),
        ("fe80::/10", "fe80::1", True),
    ],
)
def test_no_proxy_names_hosts_domains_networks_and_ports(
    no_proxy: str, host: str, exempt: bool
) -> None:
    found = proxy_for("http", host, 8000, {"http": "http://proxy.example:3128", "no": no_proxy})
    assert (found is None) is exempt


# time limits


def say_nothing(peer: Peer) -> None:
    peer.over.wait(PATIENCE)


CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def connect_and_say_nothing(peer: Peer) -> None:
    peer.head()
    peer.send(CONNECTED)
    peer.over.wait(PATIENCE)


@pytest.mark.filterwarnings("ignore::timetric.InsecureWarning")
@pytest.mark.parametrize(
    ("behaviour", "url"),
    [
        (say_nothing, "http://series.example/"),
        (keep_silent, "http://series.example/"),
        (say_nothing, "https://series.example/"),
        (keep_silent, "https://series.example/"),
        (drip(b"HTTP/1.1 200 OK\r\nx-slow: " + bytes(3000), 0.01), "https://series.example/"),
        (connect_and_say_nothing, "https://series.example/"),
    ],
    ids=["plain mute", "plain", "mute", "silent", "drip", "handshake"],
)
def test_every_step_with_a_proxy_meets_the_deadline(
    environment: pytest.MonkeyPatch, behaviour: Behaviour, url: str
) -> None:
    with misbehaving(behaviour) as through:
        environment.setenv("all_proxy", through.url)
        client = timetric.TimetricClient({**TOKEN, "url": url}, deadline=0.5, retries=0)
        began = time.monotonic()
        with pytest.raises(timetric.DeadlineExceeded, match=r"deadline of 0\.5 s"):
            client.series(ID).latest()
        assert time.monotonic() - began < PATIENCE / 2


# certificates


def test_an_authority_of_one_s_own_is_trusted_instead_of_the_system_s(
    tls: ssl.SSLContext, ca_certs: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with misbehaving(answer(POINT), answer(POINT), answer(POINT), tls=tls) as service:
        assert latest(service.url, ca_certs=ca_certs) == (1.0, 2.0)
        for wrong in ({}, {"ca_certs": str(other)}):
            with pytest.raises(timetric.ConnectionFailed, match="ca_certs"):
                latest(service.url, **wrong)


def test_ca_certs_stand_in_the_environment_too(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, ca_certs: str
) -> None:
    with misbehaving(answer(POINT), tls=tls) as service:
        for key, text in {**TOKEN, "url": service.url, "ca_certs": ca_certs}.items():
            environment.setenv(f"TIMETRIC_{key.upper()}", text)
        with timetric.TimetricClient() as client:
            assert client.series(ID).latest() == (1.0, 2.0)


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nno\n"])
def test_ca_certs_that_can_not_be_read_are_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    service = misbehaving(answer(POINT))
    with service as running, pytest.raises(timetric.ConfigError, match=r"authority\.pem"):
        latest(running.url.replace("http:", "https:"), ca_certs=str(file))


# a way that others can read


@pytest.mark.parametrize("host", ["warned.example", "10.1.2.3", "[fe80::1]", "127.evil.example"])
def test_credentials_over_plain_http_are_warned_of_once_a_host(host: str) -> None:
    with pytest.warns(timetric.InsecureWarning, match="use https") as told:
        for port in (8000, 8001):
            timetric.TimetricClient({**TOKEN, "url": f"http://{host}:{port}/"})
    assert [warning.filename for warning in told] == [__file__]
    assert "hush" not in str(told[0].message)


@pytest.mark.filterwarnings("error::timetric.InsecureWarning")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/", "https://a.example/"]
)
def test_a_way_that_nobody_else_can_read_is_not_warned_of(url: str) -> None:
    assert timetric.TimetricClient({**TOKEN, "url": url}).url == url


def test_the_real_service_is_reached_through_a_proxy(
    environment: pytest.MonkeyPatch, service: RunningService
) -> None:
    with proxy() as through:
        environment.setenv("http_proxy", through.url)
        with timetric.TimetricClient(service.config) as client:
            series = client.create_series([(1, 2)], title="t", caption="c")
            assert list(series) == [(1.0, 2.0)]
        assert [request.method for request in through.requests] == ["POST", "GET"]
