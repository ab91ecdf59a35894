"""Signatures, verified by oauthlib and by the examples of RFC 5849."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest
from oauthlib.common import Request as Received
from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

import timetric
from tests.conftest import ROOT
from timetric.oauth1 import Consumer, Token, sign
from timetric.request import Request

CONSUMER = Consumer("the-consumer", "hush-hush & co")
TOKEN = Token("the-token", "sécret +%")
MOMENT = {"oauth_timestamp": "1236772800", "oauth_nonce": "0123456789abcdef01234567"}
FORM = "application/x-www-form-urlencoded"


def test_the_rfcs_base_string_is_signed() -> None:
    """RFC 5849, 3.4.1.1, with the secrets of 3.1's example; the signature is erratum 2550's."""
    request = Request(
        "POST",
        "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        {"content-type": FORM},
        b"c2&a3=2+q",
    )
    signed = sign(
        request,
        Consumer("9djdj82h48djs9d2", "j49sk3j29djd"),
        Token("kkk9d7dh3k39sjv7", "dh893hdasih9"),
        oauth_timestamp="137131201",
        oauth_nonce="7d8f3e4a",
    )
    assert parameters(signed)["oauth_signature"] == "r6/TJjbCOr97/+UU0NsvSne7s5g="


PRINTER = Consumer("dpf43f3p2l4k3l03", "kd94hf93k423kf44")


@pytest.mark.parametrize(
    ("request_", "token", "oauth", "expected"),
    [
        (
            Request("POST", "https://photos.example.net/initiate"),
            None,
            {
                "oauth_timestamp": "137131200",
                "oauth_nonce": "wIjqoS",
                "oauth_callback": "http://printer.example.com/ready",
            },
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
        ),
        (
            Request("POST", "https://photos.example.net/token"),
            Token("hh5s93j4hdidpola", "hdhd0244k9j7ao03"),
            {
                "oauth_timestamp": "137131201",
                "oauth_nonce": "walatlh",
                "oauth_verifier": "hfdp7dh39dks9884",
            },
            "gKgrFCywp7rO0OXSjdot/IHF7IU=",
        ),
        (
            Request("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original"),
            Token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"),
            {"oauth_timestamp": "137131202", "oauth_nonce": "chapoH"},
            "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
        ),
    ],
)
def test_the_rfcs_dance_is_signed(
    request_: Request, token: Token | None, oauth: dict[str, str], expected: str
) -> None:
    """RFC 5849, 1.2."""
    signed = sign(request_, PRINTER, token, **oauth)
    assert parameters(signed)["oauth_signature"] == expected


def parameters(signed: Request) -> dict[str, str]:
    """Of the Authorization header, decoded."""
    header = parse_authorization_header(signed.headers["authorization"])
    return {name: unquote(text) for name, text in header}


def verified(signed: Request) -> bool:
    """Whether a service built on oauthlib takes what is sent for signed."""
    typed = signed.headers.get("content-type", "").startswith(FORM)
    body = signed.body.decode("ascii") if typed and isinstance(signed.body, bytes) else ""
    received = Received(signed.url, signed.method, body, dict(signed.headers))
    received.params = signature.collect_parameters(
        uri_query=urlsplit(signed.url).query, body=body, headers=dict(signed.headers)
    )
    received.signature = parameters(signed)["oauth_signature"]
    token = TOKEN if "oauth_token" in parameters(signed) else None
    return bool(
        signature.verify_hmac_sha1(received, CONSUMER.secret, token.secret if token else None)
    )


AWKWARD = [*"aàz AZ019-._~!$&'()*+,;=:@/?%[]\"<>#|^`\\{}\t\n€𝄞é", "%20", "%25", "%2B", "+", "[]"]
HOSTS = ["example.com", "EXAMPLE.com", "127.0.0.1", "[::1]", "[2001:DB8::1]", "localhost"]
PATHS = ["", "/", "/series/AB/", "/tags/a%2520b;c/", "/a//b", "/%7Ea/~", "/a+b:c@d!$&'()*,="]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "get"]


def text_of(chance: random.Random) -> str:
    return "".join(chance.choices(AWKWARD, k=chance.randrange(6)))


def encoded_pairs(chance: random.Random) -> str:
    """A query or form as some client might write it: both spaces, both cases, no equals sign."""
    names = [text_of(chance) or "a", "a", "a[]", "value"]
    pieces = []
    for _ in range(chance.randrange(6)):
        name, text = chance.choice(names), text_of(chance)
        piece = chance.choice([urlencode([(name, text)]), f"{quote(name, '')}={quote(text, '')}"])
        pieces.append(piece if text else chance.choice([piece, piece.rstrip("=")]))
    joined = "&".join(pieces)
    return joined.replace("%2B", "%2b") if chance.random() < 0.2 else joined


def requests(seed: int, count: int) -> Iterator[Request]:
    chance = random.Random(seed)
    for _ in range(count):
        scheme = chance.choice(["http", "https"])
        port = chance.choice(["", "", ":80", ":443", ":8000"])
        query = chance.choice(["", f"?{encoded_pairs(chance)}"])
        url = f"{scheme}://{chance.choice(HOSTS)}{port}{chance.choice(PATHS)}{query}"
        content_type = chance.choice(["", FORM, f"{FORM}; charset=utf-8", "text/csv"])
        headers = {"content-type": content_type} if content_type else {}
        body = encoded_pairs(chance).encode("ascii") if content_type else b""
        yield Request(chance.choice(METHODS), url, headers, body)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_legal_is_signed_right(seed: int) -> None:
    chance = random.Random(seed)
    wrong = []
    for request in requests(seed, 1000):
        token = chance.choice([TOKEN, None])
        further = chance.choice([{}, {"oauth_callback": f"http://a/?b={text_of(chance)}"}])
        signed = sign(request, CONSUMER, token, **MOMENT, **further)
        if not verified(signed):
            wrong.append((request.method, request.url, request.body, further))
    assert wrong == []


def test_a_host_beyond_ascii_is_signed_as_it_is_sent() -> None:
    here = sign(Request("GET", "http://bücher.example/?a=1"), CONSUMER, TOKEN, **MOMENT)
    sent = sign(Request("GET", "http://xn--bcher-kva.example/?a=1"), CONSUMER, TOKEN, **MOMENT)
    assert here.headers == sent.headers


@pytest.mark.parametrize("body", [bytearray(b"a=1"), memoryview(b"a=1"), io.BytesIO(b"a=1")])
def test_a_form_of_any_kind_is_signed(body: bytes) -> None:
    headers = {"content-type": FORM.upper()}
    signed = sign(Request("POST", "http://a/", headers, body), CONSUMER, TOKEN, **MOMENT)
    same = sign(Request("POST", "http://a/", headers, b"a=1"), CONSUMER, TOKEN, **MOMENT)
    other = sign(Request("POST", "http://a/", headers, b"a=2"), CONSUMER, TOKEN, **MOMENT)
    assert signed.headers == same.headers != other.headers
    assert sign(signed, CONSUMER, TOKEN, **MOMENT).headers == same.headers  # for the next attempt


@pytest.mark.parametrize("content_type", ["text/csv", "multipart/form-data; boundary=b"])
def test_a_body_that_is_no_form_is_not_signed(content_type: str) -> None:
    headers = {"content-type": content_type}
    bodies = [b"1,2\n", b"a=1"]
    first, second = [
        sign(Request("PUT", "http://a/", headers, body), CONSUMER, TOKEN, **MOMENT)
        for body in bodies
    ]
    assert first.headers == second.headers
    assert "oauth_body_hash" not in parameters(first)


def test_all_but_the_header_stays() -> None:
    request = Request("POST", "http://a/?b=%31", {"content-type": FORM, "x": "1"}, b"a=1")
    signed = sign(request, CONSUMER, TOKEN, **MOMENT)
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, request.body)
    assert dict(request.headers) == {"content-type": FORM, "x": "1"}
    assert {name: signed.headers[name] for name in request.headers} == request.headers


def test_no_secret_is_sent_or_shown() -> None:
    signed = sign(Request("GET", "http://a/"), CONSUMER, TOKEN, **MOMENT)
    shown = repr([CONSUMER, TOKEN, signed]) + str(TOKEN) + str(CONSUMER) + f"{signed.headers}"
    assert "hush" not in shown
    assert "cret" not in shown
    assert "the-token" in repr(TOKEN)


def test_a_token_is_read_from_a_services_answer() -> None:
    answer = "oauth_token=a%2Bb&oauth_token_secret=c+d%26&oauth_callback_confirmed=true"
    assert Token.from_string(answer) == Token("a+b", "c d&")


@pytest.mark.parametrize("answer", ["", "<html>", "oauth_token=a", "oauth_token_secret=hush-hush"])
def test_an_answer_without_a_token_is_told_without_showing_it(answer: str) -> None:
    with pytest.raises(timetric.BadReply, match="no token") as caught:
        Token.from_string(answer)
    assert "hush" not in str(caught.value)


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)


SIGNING = """
import sys, timetric
from timetric.request import Request
client = timetric.TimetricClient({"consumer_key": "k", "consumer_secret": "s",
                                  "oauth_token": "t", "oauth_secret": "s"})
print("oauth2" in sys.modules)
print("OAuth" in client.auth.sign(Request("GET", "http://a/")).headers["authorization"])
print("oauth2" in sys.modules, "distutils" in sys.modules)
"""


def test_oauth2_is_loaded_with_the_first_signature_and_without_distutils() -> None:
    assert run(SIGNING).stdout.split() == ["False", "True", "True", "False"]


def test_a_missing_oauth2_is_told_with_its_cure() -> None:
    code = f"""
import sys
sys.modules["oauth2"] = None
try: exec({SIGNING!r})
except Exception as error: print(type(error).__name__, error)
"""
    output = run(code).stdout
    assert "ConfigError" in output
    assert "pip install 'timetric[oauth]'" in output
