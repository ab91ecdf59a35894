"""No secret is ever shown: by a repr, an error, a log, or a traceback with the locals of frames."""

from __future__ import annotations

import base64
import http.client
import io
import json
import logging
import os
import pickle
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httplib2
import pytest

import timetric
from tests.misbehaving import (
    Behaviour,
    Peer,
    answer,
    answer_and_close,
    drip,
    keep_silent,
    misbehaving,
    reset,
    vanish,
)
from tests.misbehaving import http as reply
from timetric.oauth1 import Token

SECRET = "hush-hush-hush"
PAIR = base64.b64encode(f"the-key:{SECRET}".encode()).decode()
ID = "A" * 22

API_TOKEN = {"authtype": "apitoken", "apitoken_key": "the-key", "apitoken_secret": SECRET}
OAUTH = {
    "consumer_key": "the-key",
    "consumer_secret": f"{SECRET}-1",
    "oauth_token": "the-token",
    "oauth_secret": f"{SECRET}-2",
}
PROBLEM = "application/problem+json"


def hang_up(peer: Peer) -> None:
    """Before anything is read."""


def take_a_little(peer: Peer) -> None:
    """Of an upload, and cut the connection."""
    peer.head()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


FAILURES: dict[str, Behaviour] = {
    **{
        str(status): answer(reply(f"{status} So", b'{"detail": "no"}', content_type=PROBLEM))
        for status in (302, 400, 401, 403, 404, 407, 409, 412, 413, 422, 429, 500, 502, 503, 504)
    },
    "hang up": hang_up,
    "vanish": vanish,
    "reset": reset,
    "little": take_a_little,
    "silent": keep_silent,
    "drip": drip(reply(body=bytes(3000)), 0.01),
    "no http": answer_and_close(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "long line": answer_and_close(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n"),
    "cut": answer_and_close(reply(body=b"12345")[:-1]),
    "cut chunk": answer_and_close(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n12"),
    "no gzip": answer(reply(body=b"12345", content_encoding="gzip")),
}


def asked(client: timetric.TimetricClient) -> object:
    return client.series(ID).latest()


def uploaded(client: timetric.TimetricClient) -> object:
    return client.series(ID).update([(second, second) for second in range(100_000)])


def incremented(client: timetric.TimetricClient) -> object:
    return client.series(ID).increment(1)


def text_of(error: BaseException) -> str:
    """All that an error report may hold, but for the frames of this file, which know the secret."""
    said = ""
    link: BaseException | None = error
    while link is not None:
        frames = traceback.StackSummary.extract(
            traceback.walk_tb(link.__traceback__), capture_locals=True
        )
        said += f"{link!r} {link} {link.args!r} {vars(link)!r}"
        said += "".join(f"{frame} {frame.locals}" for frame in frames if frame.filename != __file__)
        link = link.__cause__ or link.__context__
    return said


@contextmanager
def everything_shown() -> Iterator[Callable[[], str]]:
    """What is logged at the lowest level and printed, with every debug switch on."""
    printed, logged = io.StringIO(), io.StringIO()
    handler, root = logging.StreamHandler(logged), logging.getLogger()
    level, switches = root.level, (httplib2.debuglevel, http.client.HTTPConnection.debuglevel)
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    httplib2.debuglevel = http.client.HTTPConnection.debuglevel = 9
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield lambda: printed.getvalue() + logged.getvalue()
    finally:
        httplib2.debuglevel, http.client.HTTPConnection.debuglevel = switches
        root.removeHandler(handler)
        root.setLevel(level)


def assert_hidden(text: str) -> None:
    assert SECRET not in text
    assert PAIR not in text
    assert "Basic " not in text
    assert "oauth_signature=" not in text


@pytest.mark.parametrize("config", [API_TOKEN, OAUTH], ids=["api token", "oauth"])
@pytest.mark.parametrize("call", [asked, uploaded, incremented])
@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_of_a_call_shows_a_secret(
    config: Mapping[str, str], call: Callable[..., object], failure: str
) -> None:
    with everything_shown() as shown, misbehaving(*[FAILURES[failure]] * 2) as service:
        client = timetric.TimetricClient(
            {**config, "url": service.url}, timeout=0.3, deadline=0.6, retries=1, max_wait=0.01
        )
        with client, pytest.raises(timetric.TimetricClientError) as caught:
            call(client)
        said = text_of(caught.value) + shown() + repr(client) + repr(client.series(ID))
    assert_hidden(said)
    assert "transport.py" in said  # or nothing was looked at


def test_an_interrupted_call_shows_no_secret() -> None:
    def interrupt(peer: Peer) -> None:
        peer.request()
        os.kill(os.getpid(), 2)
        peer.over.wait(5)

    with misbehaving(interrupt) as service:
        client = timetric.TimetricClient({**API_TOKEN, "url": service.url})
        with pytest.raises(KeyboardInterrupt) as caught:
            asked(client)
        client.close()
    assert_hidden(text_of(caught.value))


@pytest.mark.parametrize(
    "granted",
    [
        f"oauth_token_secret={SECRET}",
        f"oauth_token=a&oauth_token_secret={SECRET}",
        f"oauth_token=a&oauth_token_secret={SECRET}&cut",
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 7])
def test_no_failure_of_the_dance_shows_a_secret(granted: str, cut: int) -> None:
    whole = reply(body=granted.encode())
    config = {key: text for key, text in OAUTH.items() if key.startswith("consumer")}
    with everything_shown() as shown, misbehaving(answer_and_close(whole[: len(whole) - cut])) as s:
        frozen = MappingProxyType({**config, "url": s.url})
        client = timetric.TimetricClient({**config, "url": s.url}, retries=0)
        strict = timetric.TimetricClient(frozen)
        with pytest.raises(timetric.TimetricClientError) as caught:
            client.get_access_token(Token("requested", f"{SECRET}-3"), "a-pin")
            strict.get_access_token(Token("requested", f"{SECRET}-3"), "a-pin")
        assert_hidden(text_of(caught.value) + shown() + repr(client) + repr(client.auth.__dict__))


WRONG: list[dict[str, Any]] = [
    {**API_TOKEN, "apitoken_key": ""},
    {**OAUTH, "consumer_key": 7},
    {**API_TOKEN, "authtype": "magic"},
    {key: text for key, text in OAUTH.items() if key != "oauth_token"},
    {**API_TOKEN, "url": f"http://me:{SECRET}@127.0.0.1/"},
    {**API_TOKEN, "url": f"ftp://me:{SECRET}@127.0.0.1/"},
    {**API_TOKEN, "url": f"me:{SECRET}@127.0.0.1"},
    {**API_TOKEN, "url": f"http://127.0.0.1/?token={SECRET}"},
]


@pytest.mark.parametrize("config", WRONG, ids=range(len(WRONG)))
def test_no_config_that_is_refused_shows_a_secret(config: dict[str, Any]) -> None:
    with pytest.raises(timetric.ConfigError) as caught:
        timetric.TimetricClient(config)
    assert_hidden(text_of(caught.value))


@pytest.mark.parametrize("text", [json.dumps(API_TOKEN)[:-1], json.dumps([SECRET]), f"{SECRET}\0"])
def test_no_config_file_that_is_none_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    file = tmp_path / "config.json"
    file.touch(mode=0o600)
    file.write_text(text)
    for name in [name for name in os.environ if name.startswith("TIMETRIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TIMETRIC_CONFIG", str(file))
    with pytest.raises(timetric.ConfigError) as caught:
        timetric.TimetricClient()
    assert_hidden(text_of(caught.value))


def test_an_error_in_another_process_shows_no_secret() -> None:
    with misbehaving(FAILURES["401"]) as service:
        client = timetric.TimetricClient({**API_TOKEN, "url": service.url})
        with client, pytest.raises(timetric.NotAuthorized) as caught:
            asked(client)
    pickled = pickle.dumps(caught.value)
    assert SECRET.encode() not in pickled
    assert PAIR.encode() not in pickled
