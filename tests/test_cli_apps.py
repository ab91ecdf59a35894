"""Applications and sign-in links from the command line, beside a running service."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from oauthlib.oauth1 import Client

import timetric
from tests.test_serve import Machine, Service, machine  # noqa: F401

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


def send(
    url: str, method: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, reply.headers, text


def added(machine: Machine, service: Service, *flags: str) -> dict[str, str]:  # noqa: F811
    """The config of a new application of the owner's."""
    command = ["app", "add", "Plotter", "--user", "owner", "--url", service.url, *flags]
    config: dict[str, str] = json.loads(machine.run(*command).stdout)
    return config


def first_link(service: Service) -> str:
    """What the first start prints last."""
    assert service.process.stdout is not None
    line = service.process.stdout.readline()
    found = re.fullmatch(r"To sign in as owner, within 15 minutes: (\S+)\n", line)
    assert found, line
    return found[1]


def signed_in(link: str) -> dict[str, str]:
    """Headers that carry the session of a browser that has opened the link."""
    status, headers, _ = send(link, "POST", b"", FORM)
    assert status == 200
    return {"Cookie": headers["Set-Cookie"].partition(";")[0]}


def authorize(client: timetric.TimetricClient, session: dict[str, str]) -> str:
    """The PIN that the page shows."""
    token = client.get_request_token()
    url = client.get_authorize_url(token)
    status, _, page = send(url, "POST", b"decision=authorize", {**FORM, **session})
    assert status == 200, page
    pin = re.findall(r'class="pin">([^<]+)<', page)
    client.get_access_token(token, *pin)
    return "".join(pin)


def test_the_first_start_prints_a_link_that_signs_in(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    link = first_link(service)
    assert link.startswith(f"{service.url}account/sign-in/")
    assert signed_in(link)["Cookie"].startswith("timetric=")
    assert send(link, "POST", b"", FORM)[0] == 404


def test_an_application_is_authorized_used_listed_and_revoked(
    machine: Machine,  # noqa: F811
) -> None:
    service = machine.serve()
    config = added(machine, service)
    assert list(config) == ["url", "authtype", "consumer_key", "consumer_secret"]
    client = timetric.TimetricClient(config, retries=0)
    authorize(client, signed_in(first_link(service)))
    series = client.create_series(title="T", caption="C")
    series.update(14)
    assert float(series) == 14.0

    kinds = [line.split("\t") for line in machine.run("app", "list").stdout.splitlines()]
    (kind, key, *about), (token_kind, token, *its) = kinds
    assert (kind, key, about[:2]) == ("application", config["consumer_key"], ["owner", "Plotter"])
    assert (token_kind, token, its[:2]) == ("token", config["oauth_token"], ["owner", "Plotter"])

    assert machine.run("app", "revoke", token).returncode == 0
    with pytest.raises(timetric.TimetricClientError, match="revoked"):
        series.latest()
    assert machine.run("app", "revoke", key).returncode == 0
    assert machine.run("app", "list").stdout == ""
    done = machine.run("app", "revoke", key)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_token_for_oneself_needs_no_browser(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    key = added(machine, service)["consumer_key"]
    made = machine.run("app", "token", key, "--user", "owner", "--url", service.url)
    config = json.loads(made.stdout)
    assert {"url", "authtype", "oauth_token", "oauth_secret"} <= config.keys()
    client = timetric.TimetricClient(config)
    assert client.create_series(title="T", caption="C").latest() == (None, None)


def test_an_application_of_2009_needs_no_pin(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    config = added(machine, service, "--oauth-1.0")
    client = timetric.TimetricClient(config)
    session = signed_in(first_link(service))
    token = client.get_request_token()
    send(client.get_authorize_url(token), "POST", b"decision=authorize", {**FORM, **session})
    client.get_access_token(token)
    assert client.create_series(title="T", caption="C").latest() == (None, None)


def test_a_signin_link_for_anyone(machine: Machine) -> None:  # noqa: F811
    service = machine.serve()
    machine.run("user", "add", "ann")
    link = machine.run("user", "signin-link", "ann", "--url", service.url).stdout.strip()
    assert "ann" in send(link, "GET")[2]
    assert signed_in(link)
    assert "nobody" in machine.run("user", "signin-link", "nobody").stderr


@pytest.mark.parametrize("callback", ["javascript:x", "app.example", "https://a.example/?x", ""])
def test_a_callback_has_to_be_a_plain_url(
    machine: Machine,  # noqa: F811
    callback: str,
) -> None:
    machine.serve()
    done = machine.run("app", "add", "Plotter", "--user", "owner", "--callback", callback)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_wrong_or_missing_key_file_is_told_and_nothing_starts(
    machine: Machine,  # noqa: F811
    tmp_path: Path,
) -> None:
    service = machine.serve()
    added(machine, service)
    service.stop()
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    for command in (["serve", "--port", "0"], ["app", "add", "X", "--user", "owner"]):
        done = machine.run(*command, "--secret-key-file", other)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "not the secret key" in done.stderr
    moved = shutil.move(machine.data / "secret.key", tmp_path / "kept.key")
    assert "missing" in machine.run("serve", "--port", "0").stderr
    again = machine.serve("--secret-key-file", moved)
    assert machine.client(again).create_series(title="T", caption="C").latest() == (None, None)


def test_the_server_hands_on_what_signatures_need(machine: Machine) -> None:  # noqa: F811
    """Of the server that users run: two headers are told, paths and dates are as they should be."""
    service = machine.serve()
    config = added(machine, service)
    client = timetric.TimetricClient(config)
    authorize(client, signed_in(first_link(service)))
    with pytest.raises(timetric.NotFound):
        client.get(f"{service.url}series/caf%C3%A9%2520;x=!~/?q=a%2520b")
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    connection.putrequest("GET", "/series/x/")
    for _ in range(2):
        connection.putheader("Authorization", 'OAuth oauth_token="x"')
    connection.endheaders()
    reply = connection.getresponse()
    assert reply.status == 400
    assert len(reply.headers.get_all("Date") or []) == 1
    connection.close()


@pytest.mark.parametrize(("flags", "status"), [(["--trust-proxy"], 404), ([], 401)])
def test_a_proxy_is_trusted_when_told_to(
    machine: Machine,  # noqa: F811
    flags: list[str],
    status: int,
) -> None:
    service = machine.serve("--base-url", "https://ts.example/", *flags)
    key = added(machine, service)["consumer_key"]
    config = json.loads(machine.run("app", "token", key, "--user", "owner").stdout)
    application = Client(
        key, config["consumer_secret"], config["oauth_token"], config["oauth_secret"]
    )
    _, headers, _ = application.sign("http://ts.example/series/x/")
    headers["X-Forwarded-Proto"] = "http"
    assert send(f"{service.url}series/x/", "GET", None, headers)[0] == status
