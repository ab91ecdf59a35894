"""OAuth through the client: its config, the dance, and what it sends, against a provider."""

from __future__ import annotations

import http.client
import shelve
import shutil
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import timetric
from tests.conftest import ROOT
from tests.oauth_provider import OLD_APPLICATION, SECRET, Provider, running_provider
from timetric.auth import Auth, OAuth, from_config
from timetric.callback import Listener, listening
from timetric.oauth1 import Consumer, Token
from timetric.request import Request

CONSUMER = {"consumer_key": "the-application", "consumer_secret": "hush-hush"}
PATIENCE = 30  # seconds after which something hangs
ID = "A" * 22


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def client(provider: Provider) -> Iterator[timetric.TimetricClient]:
    with timetric.TimetricClient(provider.config()) as client:
        yield client


def visit(url: str) -> dict[str, str]:
    """Let the application in; what the user, or the callback, is told."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.request("GET", f"{parts.path}?{parts.query}")
    reply = connection.getresponse()
    told = reply.headers["Location"] or reply.read().decode()
    connection.close()
    return dict(parse_qsl(told.rpartition("?")[2]))


def dance(client: timetric.TimetricClient) -> Token:
    """All the steps, by PIN."""
    token = client.get_request_token()
    pin = visit(client.get_authorize_url(token))["oauth_verifier"]
    return client.get_access_token(token, pin)


# the config


@pytest.mark.parametrize(
    ("config", "token"),
    [
        ({"oauth_token": "k", "oauth_secret": "s"}, Token("k", "s")),
        ({"oauth_key": "k", "oauth_secret": "s"}, Token("k", "s")),
        ({"access_key": "k", "access_token": "s"}, Token("k", "s")),
        ({"access-key": "k", "access-token": "s"}, Token("k", "s")),
        ({"oauth-token": "k", "oauth-secret": "s"}, Token("k", "s")),
        (
            {"access_key": "1", "access_token": "1", "oauth_key": "1"}
            | {"oauth_token": "k", "oauth_secret": "s"},
            Token("k", "s"),
        ),
        ({"oauth_token": "", "oauth_secret": None}, None),
        ({}, None),
    ],
)
def test_every_spelling_of_the_token_is_understood(
    config: dict[str, Any], token: Token | None
) -> None:
    strategy = timetric.TimetricClient({**CONSUMER, **config}).auth
    assert isinstance(strategy, OAuth)
    assert strategy.token == token


def test_the_consumer_too_may_have_dashes() -> None:
    strategy = OAuth.from_config({"consumer-key": "k", "consumer-secret": "s", "authtype": "oauth"})
    assert strategy.consumer == Consumer("k", "s")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "consumer_key"),
        ({"apitoken_key": "k", "apitoken_secret": "hush-hush"}, "authtype is 'apitoken'"),
        ({"consumer_key": "k"}, "consumer_secret"),
        ({"consumer_key": "k", "consumer_secret": 5}, "consumer_secret"),
        ({**CONSUMER, "oauth_token": "k"}, "half an access token, oauth_token;"),
        ({**CONSUMER, "access_token": "hush-hush"}, "half an access token, access_token;"),
        ({**CONSUMER, "oauth_token": "k", "oauth_secret": b"s"}, "oauth_secret"),
    ],
)
def test_a_config_that_lacks_something_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(timetric.ConfigError) as caught:
        timetric.TimetricClient(config)
    assert says in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_nothing_shows_a_secret() -> None:
    client = timetric.TimetricClient({**CONSUMER, "oauth_token": "key", "oauth_secret": "hush"})
    assert isinstance(client.auth, OAuth)
    signed = client.auth.sign(Request("GET", "http://127.0.0.1/"))
    shown = [repr(value) for name, value in vars(client).items() if name != "config"]
    shown += [repr(value) for value in vars(client.auth).values()]
    shown += [repr(client), str(client.auth), repr(signed), str(signed.headers)]
    assert "hush" not in "".join(shown)
    assert "the-application" in repr(client)


def test_oauth_signs_a_copy() -> None:
    strategy: Auth = from_config({**CONSUMER, "oauth_token": "k", "oauth_secret": "s"})
    request = Request("POST", "http://127.0.0.1/?a=1", {"content-type": "text/csv"}, b"1,2\n")
    signed = strategy.sign(request)
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, request.body)
    assert dict(request.headers) == {"content-type": "text/csv"}
    assert signed.headers["authorization"].startswith("OAuth ")


def test_no_two_signatures_share_a_nonce() -> None:
    strategy = from_config({**CONSUMER, "oauth_token": "k", "oauth_secret": "s"})
    request = Request("GET", "http://127.0.0.1/")
    assert len({strategy.sign(request).headers["authorization"] for _ in range(100)}) == 100


def test_without_a_token_the_missing_steps_are_named(client: timetric.TimetricClient) -> None:
    with pytest.raises(ValueError, match=r"authorize\(\).*get_request_token") as caught:
        client.series(ID).latest()
    assert isinstance(caught.value, timetric.ConfigError)


# the dance


def test_a_program_is_let_in_by_pin(client: timetric.TimetricClient, provider: Provider) -> None:
    token = dance(client)
    assert client.series(ID).latest() == (1.0, 2.0)
    assert client.config == {
        **provider.config(),
        "oauth_token": token.key,
        "oauth_secret": token.secret,
    }
    with timetric.TimetricClient(client.config) as later:
        assert later.series(ID).latest() == (1.0, 2.0)


def test_a_program_is_let_in_by_callback(client: timetric.TimetricClient) -> None:
    token = client.get_request_token("http://127.0.0.1:1/back?a=1")
    answer = visit(client.get_authorize_url(token))
    assert answer["oauth_token"] == token.key
    client.get_access_token(token, verifier=answer["oauth_verifier"])
    assert client.series(ID).latest() == (1.0, 2.0)


def test_an_application_of_2009_is_let_in_as_it_was_then(provider: Provider) -> None:
    with timetric.TimetricClient(provider.config(OLD_APPLICATION)) as client:
        token = client.get_request_token()
        visit(client.get_authorize_url(token))
        client.get_access_token(token)
        assert client.series(ID).latest() == (1.0, 2.0)


def test_without_the_pin_the_error_says_to_pass_it(client: timetric.TimetricClient) -> None:
    token = client.get_request_token()
    pin = visit(client.get_authorize_url(token))["oauth_verifier"]
    with pytest.raises(timetric.NotAuthorized, match=r"PIN.*verifier=PIN") as caught:
        client.get_access_token(token)
    assert caught.value.status in (400, 401)
    client.get_access_token(token, pin)


def test_a_wrong_pin_gets_nothing(client: timetric.TimetricClient) -> None:
    token = client.get_request_token()
    visit(client.get_authorize_url(token))
    with pytest.raises(timetric.NotAuthorized) as caught:
        client.get_access_token(token, "123456")
    assert "verifier=PIN" not in str(caught.value)
    assert "oauth_token" not in client.config


def test_an_application_nobody_knows_gets_no_token(provider: Provider) -> None:
    client = timetric.TimetricClient({**CONSUMER, "url": provider.url})
    with pytest.raises(timetric.NotAuthorized) as caught:
        client.get_request_token()
    assert caught.value.status == 401
    assert "hush" not in str(caught.value)


def test_the_authorize_url_is_the_services(client: timetric.TimetricClient) -> None:
    url = client.get_authorize_url(Token("a&b", SECRET), callback="http://127.0.0.1/?c=d")
    address, _, query = url.partition("?")
    assert address == f"{client.url}oauth/authorize/"
    assert parse_qsl(query) == [("oauth_token", "a&b"), ("oauth_callback", "http://127.0.0.1/?c=d")]


def test_an_authorize_url_without_a_token_has_a_new_one(client: timetric.TimetricClient) -> None:
    assert visit(client.get_authorize_url())["oauth_verifier"]


def test_the_dance_is_oauths_alone(provider: Provider) -> None:
    config = {"authtype": "apitoken", "apitoken_key": "k", "apitoken_secret": "s"}
    client = timetric.TimetricClient({**config, "url": provider.url})
    with pytest.raises(timetric.ConfigError, match="authtype"):
        client.get_request_token()
    with pytest.raises(timetric.ConfigError, match="authtype"):
        client.get_access_token(Token("k", "s"), "1")
    assert provider.requests == []


# where the token is kept


def test_a_shelf_keeps_the_token(provider: Provider, tmp_path: Path) -> None:
    path = str(tmp_path / "config")
    with shelve.open(path) as config:
        config.update(provider.config())
        dance(timetric.TimetricClient(config))
    with shelve.open(path) as config, timetric.TimetricClient(config) as later:
        assert later.series(ID).latest() == (1.0, 2.0)


def test_a_new_token_wins_over_an_old_one_of_another_spelling(provider: Provider) -> None:
    config = {**provider.config(), "access-key": "old", "access-token": "old"}
    config.update({"oauth-token": "old", "oauth-secret": "old"})
    token = dance(timetric.TimetricClient(config))
    later = timetric.TimetricClient(config).auth
    assert isinstance(later, OAuth)
    assert later.token == token


def test_a_config_that_can_not_be_changed_is_refused_before_the_pin_is_spent(
    provider: Provider,
) -> None:
    client = timetric.TimetricClient(MappingProxyType(provider.config()))
    token = client.get_request_token()
    before = len(provider.requests)
    with pytest.raises(timetric.ConfigError, match="can't be changed"):
        client.get_access_token(token, "1")
    with pytest.raises(timetric.ConfigError, match="can't be changed"):
        client.authorize()
    assert len(provider.requests) == before


@pytest.mark.parametrize("fault", ["read only", "closed"])
def test_a_token_that_can_not_be_kept_is_not_lost(
    provider: Provider, tmp_path: Path, fault: str
) -> None:
    path = str(tmp_path / "config")
    with shelve.open(path) as config:
        config.update(provider.config())
    with shelve.open(path, "r") as config:
        client = timetric.TimetricClient(config)
        if fault == "closed":
            config.close()
        with pytest.raises(timetric.ConfigError, match=r"client\.auth\.token"):
            dance(client)
    assert isinstance(client.auth, OAuth)
    assert client.auth.token is not None
    assert client.series(ID).latest() == (1.0, 2.0)


# what is sent


def test_every_kind_of_request_is_signed_right(client: timetric.TimetricClient) -> None:
    dance(client)
    awkward = [("a[]", "1"), ("a[]", ""), ("é", "%25 + &=~"), ("a", "b%20c\n")]
    url = f"series/{ID}/"
    csv = {"csv": [(1, 2)]}
    replies = [
        client.get(url, awkward),
        client.get(f"{url}?a=%2520&b", awkward),
        client.delete(url, awkward),
        client.post(url, awkward),
        client.post(f"{url}?a=1&value=2", [("a", "1"), ("value", "2")]),
        client.post(url, awkward, csv),
        client.put(url, b"1,2\n"),
        client.post(url),
    ]
    assert [reply.status for reply, _ in replies] == [200] * len(replies)


def test_a_base_url_in_capitals_is_signed_right(provider: Provider) -> None:
    config = provider.config()
    config["url"] = config["url"].replace("127.0.0.1", "LOCALHOST")
    provider.url = provider.url.replace("127.0.0.1", "localhost")
    client = timetric.TimetricClient(config)
    dance(client)
    assert client.series(ID).latest() == (1.0, 2.0)


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_wrong_clock_is_mended_once_and_for_all(
    client: timetric.TimetricClient, provider: Provider, hours: int
) -> None:
    assert isinstance(client.auth, OAuth)
    client.auth.clock = lambda: time.time() + hours * 3600
    dance(client)
    assert client.series(ID).latest() == (1.0, 2.0)
    steps = ["/oauth/request_token/", "/oauth/authorize/", "/oauth/access_token/"]
    assert [path for _, path in provider.requests[1:4]] == steps
    assert len(provider.requests) == 5


def test_a_clock_that_can_not_be_mended_is_told(
    client: timetric.TimetricClient, provider: Provider
) -> None:
    assert isinstance(client.auth, OAuth)
    wrong = iter(range(0, 10**9, 10**5))
    client.auth.clock = lambda: next(wrong)
    with pytest.raises(timetric.NotAuthorized, match="timestamp_refused"):
        client.get_request_token()
    assert len(provider.requests) == 2


def test_a_time_refused_by_a_clock_that_is_the_same_is_not_sent_again(
    client: timetric.TimetricClient, provider: Provider
) -> None:
    provider.window = -1.0
    with pytest.raises(timetric.NotAuthorized, match="timestamp_refused"):
        client.get_request_token()
    assert len(provider.requests) == 1


def test_threads_share_a_client_that_signs(client: timetric.TimetricClient) -> None:
    dance(client)
    got: list[tuple[Any, Any]] = []

    def read() -> None:
        got.extend(client.series(ID).latest() for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert got == [(1.0, 2.0)] * 80


# authorize(), in a program of its own

PROGRAM = """
import sys, timetric
config = dict(zip(("url", "consumer_key", "consumer_secret"), sys.argv[1:4]))
client = timetric.TimetricClient(config)
try:
    client.authorize({arguments})
    print(client.series("A" * 22).latest())
except timetric.TimetricClientError as error:
    print(type(error).__name__, error)
"""

#: What a browser does: it goes where it is sent.
BROWSER = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as page:
    assert b"close this page" in page.read()
"""


def start(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, browser: str, arguments: str = ""
) -> subprocess.Popen[str]:
    monkeypatch.setenv("BROWSER", browser)
    code = PROGRAM.format(arguments=arguments)
    return subprocess.Popen(
        [sys.executable, "-c", code, *provider.config().values()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def browser(tmp_path: Path) -> str:
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    return f"{sys.executable} {script} %s"


def test_one_call_lets_the_program_in_through_the_browser(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    with start(provider, monkeypatch, browser) as program:
        output, _ = program.communicate(timeout=PATIENCE)
    assert output == "(1.0, 2.0)\n"


def test_a_user_who_says_no_is_told_apart(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    provider.says_no = True
    with start(provider, monkeypatch, browser) as program:
        output, _ = program.communicate(timeout=PATIENCE)
    assert output.startswith("NotAuthorized the user did not")


@pytest.mark.parametrize(
    ("browser_command", "arguments"),
    [(f"{shutil.which('false')} %s", ""), ("/nonsense %s", ""), ("/nonsense %s", "False")],
)
def test_without_a_browser_the_pin_is_asked_for(
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    browser_command: str,
    arguments: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no other browser
    with start(provider, monkeypatch, browser_command, arguments) as program:
        assert program.stdin is not None and program.stdout is not None
        shown = [program.stdout.readline(), program.stdout.readline()]
        assert shown[1].startswith(f"{provider.url}oauth/authorize/?oauth_token=")
        pin = visit(shown[1].strip())["oauth_verifier"]
        output, _ = program.communicate(f" {pin} \n", timeout=PATIENCE)
    assert output.endswith("(1.0, 2.0)\n")
    [granted] = provider.tokens.granted.values()
    for secret in (SECRET, granted["oauth_token_secret"]):
        assert secret not in "".join(shown) + output


def test_without_anybody_at_the_terminal_authorize_ends(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(provider, monkeypatch, "/nonsense %s", "open_browser=False") as program:
        output, _ = program.communicate(timeout=PATIENCE)
    assert "NotAuthorized no PIN" in output


def test_a_browser_that_never_answers_is_waited_for_no_longer_than_said(
    client: timetric.TimetricClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: True)
    with pytest.raises(TimeoutError, match="PIN") as caught:
        client.authorize(timeout=0.2)
    assert isinstance(caught.value, timetric.TimetricClientError)


# the page that the browser is sent back to


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        listener.expect("the-token")
        yield listener


def get(listener: Listener, target: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(listener.url).netloc, timeout=PATIENCE)
    connection.request("GET", target)
    return connection.getresponse()


OTHERS = [
    "/",
    "/favicon.ico",
    "/authorized/",
    "/authorized/?oauth_verifier=wrong",
    "/authorized/?oauth_token=another&oauth_verifier=wrong",
    "/authorized/?oauth_token=the-token",
    "/other/?oauth_token=the-token&oauth_verifier=wrong",
]


def test_only_the_answer_is_taken_for_the_answer(listener: Listener) -> None:
    assert [get(listener, target).status for target in OTHERS] == [404] * len(OTHERS)
    reply = get(listener, "/authorized/?oauth_token=the-token&oauth_verifier=right%2B")
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert b"right" not in reply.read()
    assert get(listener, "/authorized/?oauth_token=the-token&oauth_verifier=2").status == 404
    assert listener.wait(PATIENCE) == "right+"


def test_nothing_is_taken_before_there_is_a_token() -> None:
    with listening() as listener:
        assert get(listener, "/authorized/?oauth_verifier=1").status == 404
        assert get(listener, "/authorized/?oauth_token=&oauth_verifier=1").status == 404


def test_connections_that_say_nothing_hold_nothing_up(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    """Browsers open some ahead of need; and one that is cut off is no reason for a traceback."""
    address = ("127.0.0.1", urlsplit(listener.url).port)
    idle = [socket.create_connection(address) for _ in range(3)]  # type: ignore[arg-type]
    with socket.create_connection(address) as cut:  # type: ignore[arg-type]
        cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        cut.sendall(b"GET /authorized/ HTTP/1.1\r\n")
    assert get(listener, "/authorized/?oauth_token=the-token&oauth_verifier=1").status == 200
    assert listener.wait(PATIENCE) == "1"
    for connection in idle:
        connection.close()
    assert capfd.readouterr() == ("", "")


def test_only_this_machine_can_reach_the_page(listener: Listener) -> None:
    assert listener.server_address[0] == "127.0.0.1"
    assert urlsplit(listener.url).hostname == "127.0.0.1"
