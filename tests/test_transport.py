"""The transport, against services that misbehave: what is sent, how often, and what is raised."""

from __future__ import annotations

import base64
import gzip
import io
import logging
import os
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import Any, TypeVar, cast

import pytest
import trustme

import timetric
from tests.misbehaving import (
    PATIENCE,
    Behaviour,
    Peer,
    Service,
    answer,
    answer_and_close,
    answer_head,
    drip,
    http,
    keep_silent,
    misbehaving,
    reset,
    vanish,
)
from timetric.connection import Http
from timetric.pool import Pool
from timetric.request import Body, Request
from timetric.transport import Transport

pytestmark = pytest.mark.filterwarnings(  # a connection that nobody closed is an error
    "error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning"
)

SECRET = "Basic hush-hush"
OK = http(body=b"fine")
UPLOAD = bytes(range(256)) * 4000  # 1 MB, which can't be taken for text


def sign(request: Request) -> Request:
    return replace(request, headers={**request.headers, "authorization": SECRET})


def call(
    transport: Transport, service: Service, method: str = "GET", body: Body = b"", **headers: str
) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{service.url}/series/x/?secret=hush-hush"
    _, content = transport.send(Request(method, url, named, body), sign)
    return content


E = TypeVar("E", bound=timetric.TimetricClientError)


def failure(
    kind: type[E], transport: Transport, service: Service, *request: Any, **headers: Any
) -> E:
    """The error of a call that must fail, of this kind or one below it."""
    with pytest.raises(kind) as caught:
        call(transport, service, *request, **headers)
    return caught.value


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(timeout=5, deadline=PATIENCE)
    yield transport
    transport.close()


@pytest.fixture
def once() -> Iterator[Transport]:
    """Without retries."""
    transport = Transport(timeout=5, deadline=PATIENCE, retries=0)
    yield transport
    transport.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The authority, named by SSL_CERT_FILE."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(params=["plain", "tls 1.2", "tls 1.3"])
def tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    """The service's side: none, and each version of TLS, under a trusted authority."""
    if request.param == "plain":
        return None
    context = server_tls(request.getfixturevalue("trusted"))
    newest = request.param == "tls 1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_3 if newest else ssl.TLSVersion.TLSv1_2
    return context


# what is sent


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_arrives_as_it_was_made(transport: Transport, method: str) -> None:
    with misbehaving(answer(OK)) as service:
        assert call(transport, service, method, user_agent="tests") == b"fine"
    [request] = service.requests
    assert (request.method, request.target) == (method, "/series/x/?secret=hush-hush")
    assert request.headers == {
        "host": f"127.0.0.1:{service.port}",
        "user-agent": "tests",
        "accept-encoding": "gzip, deflate",
        "authorization": SECRET,
    }


@pytest.mark.parametrize("kind", [io.BytesIO, TemporaryFile, SpooledTemporaryFile])
def test_a_file_is_sent_from_its_start_with_its_length(
    transport: Transport, kind: Any, tls: ssl.SSLContext | None
) -> None:
    with kind() as file, misbehaving(answer(OK), tls=tls) as service:
        file.write(UPLOAD)
        call(transport, service, "POST", file)
    [request] = service.requests
    assert request.body == UPLOAD
    assert request.headers["content-length"] == str(len(UPLOAD))
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_empty_body_has_its_length_too(transport: Transport, method: str) -> None:
    with misbehaving(answer(OK)) as service:
        call(transport, service, method)
    assert service.requests[0].headers["content-length"] == "0"


def test_a_large_file_is_sent_in_little_memory(transport: Transport) -> None:
    size = 64 << 20

    def swallow(peer: Peer) -> None:
        head = peer.head()
        assert head is not None
        left = int(head.headers["content-length"])
        while left:
            left -= len(peer.file.read(min(left, 1 << 16)))
        peer.send(OK)

    with TemporaryFile() as file, misbehaving(swallow) as service:
        file.truncate(size)
        tracemalloc.start()
        call(transport, service, "PUT", cast(Body, file))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < size / 10


class Growing(io.BytesIO):
    """A file to which another program writes: each read finds a byte more than before."""

    def read(self, size: int | None = -1) -> bytes:
        place = self.tell()
        self.seek(0, io.SEEK_END)
        self.write(b"!")
        self.seek(place)
        return super().read(size)


def test_of_a_growing_file_no_more_is_sent_than_was_announced(transport: Transport) -> None:
    with misbehaving(answer(OK, OK)) as service:
        call(transport, service, "PUT", Growing(UPLOAD))
        call(transport, service, "GET")
    assert [request.method for request in service.requests] == ["PUT", "GET"]
    assert service.requests[0].body == UPLOAD


class Shrinking(io.BytesIO):
    """A file that another program empties once its length is known."""

    def tell(self) -> int:
        length = super().tell()
        self.truncate(length // 2)
        return length


class Failing(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("body", "said"),
    [(Shrinking(UPLOAD), "became shorter"), (Failing(UPLOAD), "Input/output error")],
    ids=["shrinking", "failing"],
)
def test_a_file_that_can_not_be_read_to_its_end_is_told(
    transport: Transport, body: Body, said: str
) -> None:
    with misbehaving(answer(OK), answer(OK)) as service:
        error = failure(timetric.BadRequest, transport, service, "PUT", body)
        assert said in str(error)
        service.wait_for_close()
        assert call(transport, service, "GET") == b"fine"
    assert [request.method for request in service.requests] == ["PUT", "GET"]


@pytest.mark.parametrize("value", ["app\\1 c:\\dir", "two\\nlines", "é", " tab\there"])
def test_a_header_value_is_sent_as_it_is(transport: Transport, value: str) -> None:
    with misbehaving(answer(OK)) as service:
        call(transport, service, user_agent=value)
    assert service.requests[0].headers["user-agent"].strip() == value.strip()


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\x00b", "snow \u2603"])
def test_a_header_value_that_no_header_may_have_is_refused(
    transport: Transport, value: str
) -> None:
    with misbehaving(answer(OK)) as service:
        error = failure(timetric.BadRequest, transport, service, user_agent=value)
        assert "user-agent" in str(error)
    assert service.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "/series/x/",
        "http://user:hush-hush@127.0.0.1/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nx-evil: 1",
        "http://127.0.0.1/é",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:port/",
        "http://[::1/",
        "http://a..b/",
    ],
)
def test_a_url_that_can_not_be_asked_is_refused(transport: Transport, url: str) -> None:
    with pytest.raises(timetric.BadRequest, match="URL") as caught:
        transport.send(Request("GET", url), sign)
    assert "hush-hush" not in str(caught.value)


def test_each_attempt_is_signed_anew_over_the_finished_request(transport: Transport) -> None:
    seen: list[Request] = []

    def number(request: Request) -> Request:
        seen.append(request)
        return replace(request, headers={**request.headers, "authorization": str(len(seen))})

    with misbehaving(answer_and_close(http("503 Busy")), vanish, answer(OK)) as service:
        request = Request("PUT", service.url + "/", body=b"1,2")
        transport.send(request, number)
    assert [r.headers["authorization"] for r in service.requests] == ["1", "2", "3"]
    assert {r.headers["content-length"] for r in seen} == {"3"}
    assert all("authorization" not in r.headers for r in seen)


# connections


def test_a_connection_is_used_again(transport: Transport, tls: ssl.SSLContext | None) -> None:
    with misbehaving(answer(OK, OK, http("204 No Content"), OK), tls=tls) as service:
        for expected in (b"fine", b"fine", b"", b"fine"):
            assert call(transport, service) == expected
    assert service.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_connection_that_was_closed_meanwhile_is_noticed_before_sending(
    once: Transport, method: str, tls: ssl.SSLContext | None
) -> None:
    with misbehaving(answer_and_close(OK), answer(OK), tls=tls) as service:
        call(once, service)
        service.wait_for_close()
        call(once, service, method, io.BytesIO(UPLOAD) if method != "GET" else b"")
    assert service.connections == 2
    assert len(service.requests) == 2
    assert service.requests[-1].body == (UPLOAD if method != "GET" else b"")


def test_what_comes_unasked_is_not_taken_for_an_answer(once: Transport) -> None:
    with misbehaving(answer_and_close(OK + http(body=b"forged")), answer(OK)) as service:
        assert call(once, service) == b"fine"
        service.wait_for_close()
        assert call(once, service) == b"fine"


@pytest.mark.parametrize("lose", [vanish, reset])
@pytest.mark.parametrize("make", [bytes, io.BytesIO])
def test_a_post_whose_answer_is_lost_is_sent_once(
    transport: Transport, lose: Behaviour, make: Any
) -> None:
    with misbehaving(lose, answer(OK)) as service:
        error = failure(timetric.ConnectionFailed, transport, service, "POST", make(UPLOAD))
    assert error.sent
    assert [request.body for request in service.requests] == [UPLOAD]


@pytest.mark.parametrize("lose", [vanish, reset])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_done_twice_is_sent_again_whole(
    transport: Transport, lose: Behaviour, method: str
) -> None:
    body = UPLOAD if method == "PUT" else b""
    with misbehaving(lose, lose, answer(OK)) as service:
        assert call(transport, service, method, io.BytesIO(body)) == b"fine"
    assert [request.body for request in service.requests] == [body] * 3


@pytest.mark.parametrize(
    "manner", [{"linger": True}, {}, {"after": 0.3}], ids=["linger", "close", "late"]
)
def test_an_early_answer_to_a_large_upload_is_read(
    once: Transport, manner: dict[str, Any], tls: ssl.SSLContext | None
) -> None:
    refusal = http("413 Too Large", b'{"detail": "at most 1 kB"}', content_type=PROBLEM)
    body = TemporaryFile()  # noqa: SIM115
    body.truncate(64 << 20)
    with body, misbehaving(answer_head(refusal, **manner), answer(OK), tls=tls) as service:
        error = failure(timetric.TooLarge, once, service, "POST", cast(Body, body))
        assert "at most 1 kB" in str(error)
        assert call(once, service) == b"fine"
    assert service.connections == 2


def test_an_answer_to_an_upload_that_is_stuck_is_read(tls: ssl.SSLContext | None) -> None:
    """It comes when nothing more can be sent."""
    refusal = http("413 Too Large", b'{"detail": "at most 1 kB"}', content_type=PROBLEM)
    hasty = Transport(timeout=2, deadline=PATIENCE, retries=0)
    body = TemporaryFile()  # noqa: SIM115
    body.truncate(64 << 20)
    stuck = answer_head(refusal, after=1, linger=True)
    with closing(hasty), body, misbehaving(stuck, tls=tls) as service:
        error = failure(timetric.TooLarge, hasty, service, "POST", cast(Body, body))
        assert "at most 1 kB" in str(error)


def test_success_before_the_upload_was_whole_is_no_success(once: Transport) -> None:
    body = TemporaryFile()  # noqa: SIM115
    body.truncate(64 << 20)
    with body, misbehaving(answer_head(OK, linger=True)) as service:
        error = failure(timetric.BadReply, once, service, "POST", cast(Body, body))
        assert "before it had the whole upload" in str(error)


def test_threads_never_share_a_connection_at_a_time_and_get_their_own_answers(
    transport: Transport,
) -> None:
    def echo(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(http(body=request.body))

    def ask(name: int) -> None:
        for number in range(50):
            body = f"{name} {number}".encode() * 100
            if call(transport, service, "POST", body) != body:
                wrong.append(body)

    wrong: list[bytes] = []
    with misbehaving(*[echo] * 4) as service:
        threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        transport.close()
        for _ in range(service.connections):
            service.wait_for_close()
    assert wrong == []
    assert 1 <= service.connections <= 4
    assert len(service.requests) == 200


def test_a_thread_that_comes_later_uses_the_connection_of_one_that_has_ended(
    transport: Transport,
) -> None:
    with misbehaving(answer(OK, OK, OK)) as service:
        for _ in range(3):
            thread = threading.Thread(target=call, args=(transport, service))
            thread.start()
            thread.join(PATIENCE)
    assert service.connections == 1
    assert len(service.requests) == 3


def test_close_closes_the_idle_connections_of_all_threads(transport: Transport) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def answer_together(peer: Peer) -> None:
        peer.request()
        both.wait()
        peer.send(OK)
        peer.request()

    def other_thread() -> None:
        call(transport, service)
        over.wait(PATIENCE)

    over = threading.Event()
    with misbehaving(answer_together, answer_together, answer(OK)) as service:
        thread = threading.Thread(target=other_thread)
        thread.start()
        call(transport, service)
        transport.close()
        service.wait_for_close()
        service.wait_for_close()
        assert call(transport, service) == b"fine"
        over.set()
        thread.join(PATIENCE)
    assert service.connections == 3


def test_a_connection_in_use_is_closed_when_its_call_ends(transport: Transport) -> None:
    def close_meanwhile(peer: Peer) -> None:
        peer.request()
        transport.close()
        peer.send(OK)
        peer.request()

    with misbehaving(close_meanwhile) as service:
        assert call(transport, service) == b"fine"
        service.wait_for_close()


def test_connections_that_were_not_used_for_a_minute_are_closed_by_and_by() -> None:
    now = 0.0
    pool = Pool(lambda: Http(None, 1000), clock=lambda: now)
    with misbehaving(answer(OK), answer(OK, OK, OK)) as service:
        request = Request("GET", service.url)
        with pool.borrowed() as first, pool.borrowed() as second:
            for http in (first, second):
                http.countdown.start(5, PATIENCE)
                http.send(request)
        for moment in (50.0, 70.0):
            now = moment
            with pool.borrowed() as http:
                assert http is first  # the one put back last
                assert service.connections == 2
                assert not service.closed.acquire(blocking=False)
        service.wait_for_close()
        pool.close()
        service.wait_for_close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_opens_its_own_connection(
    once: Transport, tls: ssl.SSLContext | None
) -> None:
    with misbehaving(answer(OK, OK), answer(OK), tls=tls) as service:
        call(once, service)
        child = os.fork()
        if child == 0:
            os._exit(0 if call(once, service, "POST", b"child") == b"fine" else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert call(once, service, "POST", b"parent") == b"fine"
    assert service.connections == 2
    assert [request.body for request in service.requests] == [b"", b"child", b"parent"]


# TLS


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(
    transport: Transport, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "timetric")
    with misbehaving(answer(OK), tls=server_tls(authority)) as service:
        error = failure(timetric.ConnectionFailed, transport, service)
        assert "certificate" in str(error)
    assert not error.sent
    assert service.requests == []
    assert caplog.records == []


def test_a_certificate_for_another_host_is_refused(once: Transport, trusted: trustme.CA) -> None:
    with misbehaving(answer(OK), tls=server_tls(trusted, "other.example")) as service:
        error = failure(timetric.ConnectionFailed, once, service)
        assert "not valid for '127.0.0.1'" in str(error)
    assert service.requests == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_tls_1_1_is_refused(once: Transport, trusted: trustme.CA) -> None:
    context = server_tls(trusted)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with misbehaving(answer(OK), tls=context) as service:
        failure(timetric.ConnectionFailed, once, service)
    assert service.requests == []


# replies


CONSTANT = b"0.0\n" * 5_000_000  # packs a thousand to one


def zlib_packed(data: bytes) -> bytes:
    return zlib.compress(data)


def raw_packed(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def gzipped(data: bytes) -> bytes:
    """Without the time, so that the names of tests are the same in each process."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("coding", "packed", "body"),
    [
        ("identity", UPLOAD, UPLOAD),
        ("gzip", gzipped(UPLOAD), UPLOAD),
        ("x-gzip", gzipped(UPLOAD), UPLOAD),
        ("GZIP", gzipped(UPLOAD), UPLOAD),
        ("gzip", gzipped(b"one") + gzipped(b"two"), b"onetwo"),
        ("gzip", gzipped(b"one") + bytes(512), b"one"),
        ("gzip", gzipped(b"one") + bytes(200_000), b"one"),
        ("gzip", gzipped(b""), b""),
        ("gzip", b"", b""),
        ("gzip", gzipped(CONSTANT), CONSTANT),
        ("deflate", zlib_packed(UPLOAD), UPLOAD),
        ("deflate", raw_packed(UPLOAD), UPLOAD),
        ("deflate", raw_packed(bytes(1_000_000)), bytes(1_000_000)),
        ("deflate", b"", b""),
    ],
)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_reply_is_unpacked(
    once: Transport, coding: str, packed: bytes, body: bytes, framing: str
) -> None:
    reply = framed(packed, framing, coding)
    keep = [answer(reply, OK)]
    with misbehaving(
        *[answer_and_close(reply), answer(OK)] if framing == "close" else keep
    ) as service:
        response, content = once.send(Request("GET", service.url), sign)
        assert content == body
        assert response.get("content-encoding", "identity") == "identity"
        assert call(once, service) == b"fine"


def framed(body: bytes, framing: str, coding: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\n"
    if framing == "length":
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if framing == "close":
        return f"{head}connection: close\r\n\r\n".encode() + body
    pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzipped(UPLOAD)[:-1]),
        ("gzip", gzipped(UPLOAD)[:1000]),
        ("gzip", gzipped(b"one") + gzipped(UPLOAD)[:-9]),
        ("gzip", gzipped(b"one")[:-8] + bytes(8)),
        ("gzip", gzipped(b"one") + b"more"),
        ("gzip", b"not packed at all"),
        ("deflate", raw_packed(UPLOAD)[:-1]),
        ("br", b"anything"),
        ("gzip, gzip", gzipped(gzipped(UPLOAD))),
    ],
)
def test_a_reply_whose_packing_is_damaged_is_an_error(
    once: Transport, coding: str, packed: bytes
) -> None:
    with misbehaving(answer(framed(packed, "length", coding)), answer(OK)) as service:
        failure(timetric.BadReply, once, service)
        assert call(once, service) == b"fine"


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_reply_is_read_up_to_the_limit_and_no_further(coding: str) -> None:
    bomb = bytes(200_000_000)
    packed = gzip.compress(bomb, 1) if coding == "gzip" else bomb[:20_000_000]
    small = Transport(retries=0, reply_limit=1_000_000)
    with misbehaving(answer_and_close(http(body=packed, content_encoding=coding))) as service:
        tracemalloc.start()
        error = failure(timetric.BadReply, small, service)
        assert "1000000 bytes" in str(error)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_reply_of_just_the_limit_is_taken() -> None:
    small = Transport(retries=0, reply_limit=1000)
    with misbehaving(answer(http(body=bytes(1000)))) as service:
        assert call(small, service) == bytes(1000)
        small.close()


CUT = {
    "head": b"HTTP/1.1 200 OK\r\ncontent-len",
    "length": http(body=b"123456789")[:-1],
    "chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n1234",
    "last chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n",
    "packed": http(body=gzip.compress(UPLOAD), content_encoding="gzip")[:-1],
}


@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
def test_a_reply_cut_short_is_a_lost_answer(transport: Transport, reply: bytes) -> None:
    lose = answer_and_close(reply)
    with misbehaving(lose, lose, answer(OK)) as service:
        error = failure(timetric.ConnectionFailed, transport, service, "POST", b"1,2")
        assert error.sent
        assert call(transport, service, "GET") == b"fine"
    assert [request.method for request in service.requests] == ["POST", "GET", "GET"]


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    ],
    ids=["ssh", "status", "long line", "many headers"],
)
def test_what_is_no_http_is_a_bad_reply(once: Transport, reply: bytes) -> None:
    with misbehaving(answer_and_close(reply)) as service:
        error = failure(timetric.BadReply, once, service)
        assert "not HTTP" in str(error)


# time limits


def assert_in_time(began: float) -> None:
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("limits", [{"timeout": 0.3}, {"deadline": 0.3}])
def test_a_service_that_never_answers_meets_a_limit(limits: dict[str, float]) -> None:
    transport = Transport(retries=0, **limits)  # type: ignore[arg-type]
    began = time.monotonic()
    with misbehaving(keep_silent) as service:
        error = failure(timetric.DeadlineExceeded, transport, service, "POST", b"1,2")
        assert "0.3 s" in str(error)
        assert_in_time(began)
    assert error.sent
    assert next(iter(limits)) in str(error)


@pytest.mark.parametrize("retries", [0, 100])
@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 OK\r\nx-slow: " + bytes(3000), http(body=bytes(3000))],
    ids=["head", "body"],
)
def test_a_reply_that_drips_in_meets_the_deadline(retries: int, reply: bytes) -> None:
    transport = Transport(deadline=2, retries=retries)
    began = time.monotonic()
    with misbehaving(*[drip(reply, 0.01)] * 3) as service:
        error = failure(timetric.DeadlineExceeded, transport, service)
        assert "deadline" in str(error)
        assert_in_time(began)
    assert error.sent


#: Each limit by itself, and as an error names it.
EITHER = pytest.mark.parametrize("limit", ["timeout", "deadline"])


def limited(limit: str) -> Transport:
    return Transport(**{limit: 0.3}, retries=0)  # type: ignore[arg-type]


@EITHER
def test_an_upload_that_nobody_takes_meets_a_limit(limit: str) -> None:
    def take_nothing(peer: Peer) -> None:
        peer.over.wait(PATIENCE)

    transport = limited(limit)
    began = time.monotonic()
    with misbehaving(take_nothing) as service:
        error = failure(timetric.DeadlineExceeded, transport, service, "PUT", bytes(64 << 20))
        assert "sending to" in str(error)
        assert f"{limit} of 0.3 s" in str(error)
        assert_in_time(began)
    assert error.sent


def test_an_upload_that_is_taken_slowly_meets_the_deadline() -> None:
    def take_slowly(peer: Peer) -> None:
        peer.head()
        while peer.file.read(4096):
            peer.over.wait(0.05)

    transport = Transport(deadline=0.5, retries=0)
    began = time.monotonic()
    with misbehaving(take_slowly) as service:
        error = failure(timetric.DeadlineExceeded, transport, service, "PUT", bytes(64 << 20))
        assert "deadline of 0.5 s" in str(error)
        assert_in_time(began)
    assert error.sent


def answer_late(peer: Peer) -> None:
    """Take a second for it, as storing a large upload may."""
    while peer.request():
        peer.over.wait(1)
        peer.send(OK)


def test_the_answer_to_a_large_upload_may_take_longer_than_the_timeout() -> None:
    with misbehaving(answer_late, answer_late) as service:
        transport = Transport(timeout=0.5, deadline=PATIENCE, retries=0)
        assert call(transport, service, "POST", UPLOAD * 3) == b"fine"
        error = failure(timetric.DeadlineExceeded, transport, service, "POST", b"1,2")
        assert "timeout of 0.5 s" in str(error)
        transport.close()


def say_nothing(peer: Peer) -> None:
    peer.over.wait(PATIENCE)


def greet_slowly(peer: Peer) -> None:
    """A handshake of TLS, of which a byte comes at a time and no end."""
    peer.send(b"\x16\x03\x03\x40\x00")
    for _ in range(3000):
        peer.send(b"\x00")
        peer.over.wait(0.01)


@EITHER
@pytest.mark.parametrize("behaviour", [say_nothing, greet_slowly])
def test_a_tls_handshake_that_does_not_end_meets_a_limit(behaviour: Behaviour, limit: str) -> None:
    began = time.monotonic()
    with misbehaving(behaviour) as service:
        service.url = service.url.replace("http:", "https:")
        error = failure(timetric.DeadlineExceeded, limited(limit), service)
        assert "securing" in str(error)
        assert f"{limit} of 0.3 s" in str(error)
        assert_in_time(began)
    assert not error.sent


@EITHER
def test_a_connection_that_is_not_accepted_meets_a_limit(limit: str) -> None:
    transport = limited(limit)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # they fill the listener's queue
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        with pytest.raises(timetric.DeadlineExceeded, match="connecting to") as caught:
            transport.send(Request("POST", f"http://127.0.0.1:{address[1]}/"), sign)
        for sock in waiting:
            sock.close()
    assert not caught.value.sent


@EITHER
def test_a_name_that_is_not_resolved_meets_a_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: over.wait(PATIENCE))
    transport = limited(limit)
    with pytest.raises(timetric.DeadlineExceeded, match=f"connecting.*{limit}") as caught:
        transport.send(Request("POST", "http://slow.example/"), sign)
    over.set()
    assert not caught.value.sent


def test_after_a_timeout_the_next_call_has_a_new_connection() -> None:
    transport = Transport(timeout=0.5, retries=0)
    with misbehaving(keep_silent, answer(OK)) as service:
        failure(timetric.DeadlineExceeded, transport, service)
        assert call(transport, service) == b"fine"
        transport.close()


def test_each_call_has_the_whole_deadline() -> None:
    transport = Transport(deadline=1, retries=0)
    with misbehaving(answer(OK, OK)) as service:
        assert call(transport, service) == b"fine"
        time.sleep(1.2)
        assert call(transport, service) == b"fine"


def test_nothing_is_sent_after_the_deadline() -> None:
    def sign_slowly(request: Request) -> Request:
        time.sleep(0.5)
        return request

    transport = Transport(deadline=0.3)
    with misbehaving(answer(OK)) as service:
        with pytest.raises(timetric.DeadlineExceeded) as caught:
            transport.send(Request("POST", service.url), sign_slowly)
        assert not caught.value.sent
    assert service.requests == []


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"deadline": -1}])
def test_limits_that_leave_no_time_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Transport(**limits)  # type: ignore[arg-type]


# retries


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_refused_connection_is_tried_again_and_then_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "timetric")
    transport = Transport(retries=2)
    url = f"http://127.0.0.1:{unused_port()}/?secret=hush-hush"
    with pytest.raises(timetric.ConnectionFailed, match="is the service running") as caught:
        transport.send(Request("POST", url, body=b"1,2"), sign)
    assert not caught.value.sent
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert len(caplog.records) == 2
    assert "hush-hush" not in str(caught.value) + caplog.text


def test_a_post_reaches_a_service_that_starts_meanwhile() -> None:
    port = unused_port()
    started: list[socket.socket] = []

    class StartIt(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not started:
                started.append(socket.create_server(("127.0.0.1", port)))
                threading.Thread(target=serve, daemon=True).start()

    def serve() -> None:
        sock, _ = started[0].accept()
        with sock:
            Peer(sock, requests, threading.Event()).request()
            sock.sendall(OK)

    requests: list[Any] = []
    log, handler = logging.getLogger("timetric"), StartIt()
    log.addHandler(handler)
    level, log.level = log.level, logging.INFO
    try:
        request = Request("POST", f"http://127.0.0.1:{port}/", body=b"1,2")
        _, content = Transport().send(request, sign)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        started[0].close()
    assert content == b"fine"
    assert [request.body for request in requests] == [b"1,2"]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("after", [{}, {"retry_after": "0"}, {"retry_after": "1"}, "date"])
def test_a_post_is_sent_again_when_the_service_did_nothing(
    transport: Transport, status: str, after: Any
) -> None:
    headers = (
        {"retry_after": formatdate(time.time() + 1, usegmt=True)} if after == "date" else after
    )
    busy = http(status, **headers)
    began = time.monotonic()
    with misbehaving(answer(busy, OK)) as service:
        assert call(transport, service, "POST", io.BytesIO(UPLOAD)) == b"fine"
    if after == {"retry_after": "1"}:
        assert time.monotonic() - began >= 1
    assert [request.body for request in service.requests] == [UPLOAD] * 2


@pytest.mark.parametrize(
    "after",
    ["3600", "9" * 400, "9" * 5000, "Fri, 31 Dec 9998 23:59:59 GMT"],
    ids=["hour", "long", "longer", "date"],
)
def test_a_service_that_asks_for_a_long_wait_is_not_asked_again(
    transport: Transport, after: str
) -> None:
    with misbehaving(answer(http("503 Busy", retry_after=after), OK)) as service:
        error = failure(timetric.ServiceUnavailable, transport, service)
    assert error.retry_after is not None
    assert error.retry_after >= 3600
    assert len(service.requests) == 1


def test_a_date_to_wait_for_is_held_against_the_service_s_own_clock(once: Transport) -> None:
    theirs = time.time() - 86400
    headers = {
        "date": formatdate(theirs, usegmt=True),
        "retry_after": formatdate(theirs + 7, usegmt=True),
    }
    with misbehaving(answer(http("503 Busy", **headers))) as service:
        error = failure(timetric.ServiceUnavailable, once, service)
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("limit", "after"),
    [
        ('"default";r=0;t=30', 30),
        ('"a";r=5, "default";r=0;t=30', 30),
        ("limit=10, remaining=0, reset=7", 7),
        ('"default";r=0', None),
        ("nonsense", None),
    ],
)
def test_a_limit_s_reset_is_the_wait_where_nothing_else_says_it(
    once: Transport, limit: str, after: float | None
) -> None:
    with misbehaving(answer(http("429 Slow Down", ratelimit=limit))) as service:
        error = failure(timetric.RateLimited, once, service)
    assert error.retry_after == after


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nx-evil: 1\r\n\r\n", "", "GÉT", "A B"])
def test_a_method_that_is_none_is_refused(once: Transport, method: str) -> None:
    with misbehaving(answer(OK)) as service:
        failure(timetric.BadRequest, once, service, method)
    assert service.connections == 0


def test_what_a_strategy_signs_wrongly_is_refused(once: Transport) -> None:
    wrong: list[dict[str, Any]] = [
        {"headers": {"authorization": "a\r\nx-evil: 1"}},
        {"headers": {"x-evil: 1\r\na": "1"}},
        {"url": "http://127.0.0.1/ HTTP/1.1\r\nx-evil: 1"},
    ]
    with misbehaving(answer(OK)) as service:
        for change in wrong:
            with pytest.raises(timetric.BadRequest):
                once.send(Request("GET", service.url), lambda r, c=change: replace(r, **c))
    assert service.connections == 0


@pytest.mark.parametrize("after", ["soon", "-1", "1.5", "٣"])
def test_a_wait_that_can_not_be_read_is_none(once: Transport, after: str) -> None:
    reply = http("503 Busy").replace(b"\r\n\r\n", f"\r\nretry-after: {after}\r\n\r\n".encode())
    with misbehaving(answer(reply)) as service:
        error = failure(timetric.ServiceUnavailable, once, service)
    assert error.retry_after is None


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Timeout"])
def test_after_a_gateway_s_error_only_what_may_be_done_twice_is_sent_again(
    transport: Transport, status: str
) -> None:
    with misbehaving(answer(http(status), http(status), OK)) as service:
        failure(timetric.ServiceError, transport, service, "POST", b"1,2")
        assert call(transport, service, "PUT", b"1,2") == b"fine"
    assert [request.method for request in service.requests] == ["POST", "PUT", "PUT"]


def test_retries_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "timetric")
    transport = Transport(retries=2)
    with misbehaving(answer(*[http("503 Busy", body=b"busy")] * 5)) as service:
        failure(timetric.ServiceUnavailable, transport, service)
        transport.close()
    assert len(service.requests) == 3
    assert len(caplog.records) == 2


def test_a_call_ends_with_its_deadline_however_many_retries_it_has() -> None:
    transport = Transport(deadline=0.8, retries=1000, max_wait=0.1)
    began = time.monotonic()
    with misbehaving(answer(*[http("503 Busy")] * 1000)) as service:
        error = failure(timetric.TimetricClientError, transport, service)
        transport.close()
        assert_in_time(began)
    # the latter where the deadline ended while an answer was waited for
    assert isinstance(error, (timetric.ServiceUnavailable, timetric.DeadlineExceeded))
    assert len(service.requests) > 3


def test_no_retry_is_begun_that_the_deadline_would_end() -> None:
    transport = Transport(deadline=1)
    began = time.monotonic()
    with misbehaving(answer(http("503 Busy", retry_after="2"), OK)) as service:
        failure(timetric.ServiceUnavailable, transport, service)
        assert_in_time(began)
    assert len(service.requests) == 1


def test_no_retries_means_none(once: Transport) -> None:
    with misbehaving(vanish, answer(OK)) as service:
        failure(timetric.ConnectionFailed, once, service)
    assert service.connections == 1


def test_a_retry_is_told_in_a_line_without_secrets(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with misbehaving(answer(http("429 Slow Down", retry_after="0"), OK)) as service:
        call(transport, service)
    [line] = caplog.messages
    assert line == "retrying GET /series/x/ in 0.0 s: HTTP 429"


# statuses


PROBLEM = "application/problem+json"
STATUSES = {
    300: timetric.TimetricClientError,
    304: timetric.TimetricClientError,
    400: timetric.BadRequest,
    401: timetric.NotAuthorized,
    403: timetric.Forbidden,
    404: timetric.NotFound,
    405: timetric.TimetricClientError,
    409: timetric.Conflict,
    410: timetric.NotFound,
    411: timetric.BadRequest,
    412: timetric.Conflict,
    413: timetric.TooLarge,
    415: timetric.BadRequest,
    422: timetric.BadRequest,
    429: timetric.RateLimited,
    500: timetric.ServiceError,
    502: timetric.ServiceError,
    503: timetric.ServiceUnavailable,
    507: timetric.ServiceError,
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_error(once: Transport, status: int) -> None:
    with misbehaving(answer(http(f"{status} What It Is", request_id="abc"))) as service:
        error = failure(timetric.TimetricClientError, once, service, "POST", b"1,2")
    error = error
    assert type(error) is STATUSES[status]
    assert (error.status, error.request_id) == (status, "abc")
    assert error.response["content-length"] == "0"
    assert f"HTTP {status} What It Is: POST /series/x/" in error.detail
    assert "hush-hush" not in f"{error!r} {error}"


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_success_is_returned(once: Transport, status: int) -> None:
    with misbehaving(answer(http(f"{status} Fine", location="/x/"))) as service:
        response, content = once.send(Request("POST", service.url), sign)
    assert (response.status, response["location"], content) == (status, "/x/", b"")


def test_the_service_s_own_words_are_the_error_s(once: Transport) -> None:
    body = b'{"title": "Bad row", "detail": "line 7: no value", "line": 7}'
    with misbehaving(answer(http("400 Bad Request", body, content_type=PROBLEM))) as service:
        error = failure(timetric.BadRequest, once, service, "POST", b"1,2")
    assert (error.detail, error.line) == ("line 7: no value", 7)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"title": "Bad row", "line": "7"}', "Bad row"),
        (b'{"detail": 7, "line": true}', "HTTP 400"),
        (b'{"detail": "", "title": ""}', "HTTP 400"),
        (b'{"detail": "so", "x": NaN}', "so"),
        (b"[" * 200_000, "HTTP 400"),
        (b"[1]", "HTTP 400"),
        (b"null", "HTTP 400"),
        (b"\xff", "HTTP 400"),
        (b"", "HTTP 400"),
    ],
    ids=str,
)
def test_an_error_of_any_content_is_told(once: Transport, body: bytes, said: str) -> None:
    with misbehaving(answer(http("400 Bad Request", body, content_type=PROBLEM))) as service:
        error = failure(timetric.BadRequest, once, service)
        assert said in str(error)
    assert error.line is None


@pytest.mark.parametrize("challenge", ["Token", "Bearer", "Negotiate", '"', 'Basic realm="x"'])
def test_refused_credentials_are_told_with_who_refused_them(
    once: Transport, challenge: str
) -> None:
    with misbehaving(answer(http("401 Unauthorized", www_authenticate=challenge))) as service:
        error = failure(timetric.NotAuthorized, once, service)
    assert str(error).startswith(f"{service.url} refused the credentials")
    assert "hush-hush" not in str(error)
    assert base64.b64encode(b"hush").decode() not in str(error)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(once: Transport, status: int, method: str) -> None:
    with misbehaving(answer(OK)) as elsewhere:
        target = f"http://me:hush-hush@127.0.0.1:{elsewhere.port}/new/?token=hush-hush"
        with misbehaving(answer(http(f"{status} Moved", location=target))) as service:
            error = failure(timetric.TimetricClientError, once, service, method)
    assert elsewhere.connections == 0
    assert f"redirected to 127.0.0.1:{elsewhere.port}/new/;" in str(error)
    assert "hush-hush" not in str(error)


@pytest.mark.parametrize(
    ("location", "said"),
    [("/login/?a=b", "redirected to /login/;"), ("http://[", "none"), ("", "nowhere")],
)
def test_a_redirect_to_anywhere_is_told(once: Transport, location: str, said: str) -> None:
    with misbehaving(answer(http("302 Found", location=location))) as service:
        error = failure(timetric.TimetricClientError, once, service)
        assert said in str(error)
