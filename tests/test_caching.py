"""What caches are told: validators, 304, gzip; and HEAD, OPTIONS and CORS, on what is read."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.service import NOON, Reply, Service, running_service

READS = ["value/json/", "value/json/?at=0", "points/", "csv/", "csv/unix.csv", "csv/iso.csv"]
VARY = {"accept", "accept-encoding", "authorization", "cookie"}
EXPOSED = {"link", "etag", "timetric-words", "timetric-version", "request-id", "retry-after"}
EXPOSED |= {"ratelimit", "ratelimit-policy"}
CSV = {"Content-Type": "text/csv"}
ROWS = "".join(f"{t}.0,{t % 5}.0\n" for t in range(1000)).encode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def again(service: Service, address: str, known: str, name: str = "If-None-Match") -> Reply:
    return service.owner_sends("GET", address, headers={name: known})


def elements(header: str | None) -> set[str]:
    return {element.strip().lower() for element in (header or "").split(",")}


# validators


@pytest.mark.parametrize("name", READS)
def test_what_has_not_changed_is_not_sent_again(service: Service, name: str) -> None:
    path = service.create(ROWS)
    first = service.owner_sends("GET", path + name)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        reply = again(service, path + name, known)
        assert reply.status == 304
        assert reply.body == b""
        assert reply.headers["ETag"] == tag
        assert elements(reply.headers["Vary"]) == VARY
        assert reply.headers["Content-Encoding"] is None
        assert reply.headers["Content-Length"] is None
    for unknown in ('"other"', tag.strip('"') + "x", "", '"'):
        assert again(service, path + name, unknown).status == 200


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    ("method", "body"), [("POST", b"5000,1"), ("PUT", b"0,1"), ("DELETE", b"")]
)
def test_every_change_makes_another_tag(
    service: Service, name: str, method: str, body: bytes
) -> None:
    path = service.create(ROWS)
    tag = service.owner_sends("GET", path + name).headers["ETag"]
    service.owner_sends(method, path, body, CSV)
    reply = again(service, path + name, tag)
    assert reply.status == 200
    assert reply.headers["ETag"] != tag


def test_each_representation_has_a_tag_of_its_own(service: Service) -> None:
    path = service.create(ROWS)
    forms = ["text/csv", "application/json", "application/vnd.timetric.points"]
    forms.append("application/vnd.apache.arrow.stream")
    tags = []
    for accept in forms:
        for coding in ("gzip", "identity"):
            headers = {"Accept": accept, "Accept-Encoding": coding}
            reply = service.owner_sends("GET", f"{path}points/", headers=headers)
            tags.append((reply.headers["ETag"], reply.headers["Content-Encoding"]))
    assert len(set(tags)) == 6  # what is no text is not packed
    assert len({tag for tag, _ in tags}) == 6
    assert len({tag.strip('"').partition("-")[0] for tag, _ in tags}) == 1


def test_permission_comes_before_304(service: Service) -> None:
    path = service.create(ROWS)
    tag = service.owner_sends("GET", f"{path}csv/").headers["ETag"]
    for known in (tag, "*"):
        reply = service.send("GET", f"{path}csv/", headers={"If-None-Match": known})
        assert reply.status == 401
        assert reply.headers["ETag"] is None


def test_a_bad_parameter_comes_before_304(service: Service) -> None:
    path = service.create(ROWS)
    assert again(service, f"{path}csv/?limit=0", "*").status == 400


@pytest.mark.parametrize("name", READS)
def test_a_date_is_told_and_believed_once_no_change_can_share_it(
    service: Service, name: str
) -> None:
    path = service.create(ROWS)
    assert service.owner_sends("GET", path + name).headers["Last-Modified"] is None
    service.clock.advance(0.25)
    service.owner_sends("POST", path, b"5000,1", CSV)
    service.clock.now = NOON + 3
    early = service.owner_sends("GET", path + name)
    assert early.headers["Last-Modified"] is None
    assert again(service, path + name, early.headers["Date"], "If-Modified-Since").status == 200
    service.clock.now = NOON + 4
    modified = service.owner_sends("GET", path + name).headers["Last-Modified"]
    assert modified == "Wed, 11 Mar 2009 12:00:01 GMT"  # rounded up
    assert again(service, path + name, modified, "If-Modified-Since").status == 304
    service.clock.advance(0.1)
    service.owner_sends("POST", path, b"6000,1", CSV)
    service.clock.advance(60)
    assert again(service, path + name, modified, "If-Modified-Since").status == 200


@pytest.mark.parametrize(
    "since",
    ["Wed, 11 Mar 2009 11:59:59 GMT", "Wed, 11 Mar 2009 12:01:01 GMT", "yesterday", "", "0"],
)
def test_a_date_before_the_change_in_the_future_or_none_is_not_believed(
    service: Service, since: str
) -> None:
    path = service.create(ROWS)
    service.clock.advance(60)
    assert again(service, f"{path}csv/", since, "If-Modified-Since").status == 200


def test_a_tag_is_believed_rather_than_a_date(service: Service) -> None:
    path = service.create(ROWS)
    service.clock.advance(60)
    modified = service.owner_sends("GET", f"{path}csv/").headers["Last-Modified"]
    headers = {"If-None-Match": '"other"', "If-Modified-Since": modified}
    assert service.owner_sends("GET", f"{path}csv/", headers=headers).status == 200


@pytest.mark.parametrize("name", ["", *READS, "nothing/", "csv/?limit=0"])
def test_only_what_is_public_is_for_others_and_nothing_unasked(service: Service, name: str) -> None:
    for public in (False, True):
        reply = service.owner_sends("GET", service.create(ROWS, public=public) + name)
        control = elements(reply.headers["Cache-Control"])
        data = name in READS
        assert control == {"public" if public and data else "private", "no-cache"}
        assert elements(reply.headers["Vary"]) == VARY
        assert (reply.headers["ETag"] is not None) == data


# gzip


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("br, *", True),
        ("gzip; q=1.0, identity; q=0.5", True),
        ("gzip;q=0", False),
        ("*, gzip;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("deflate, br", False),
        ("gzip;q=x", False),
        ("", False),
    ],
)
def test_text_is_packed_for_who_takes_it(service: Service, accepted: str, packed: bool) -> None:
    path = service.create(ROWS)
    headers = {"Accept-Encoding": accepted}
    reply = service.owner_sends("GET", f"{path}csv/", headers=headers)
    assert reply.headers["Content-Encoding"] == ("gzip" if packed else None)
    assert (gzip.decompress(reply.body) if packed else reply.body) == ROWS
    known = {**headers, "If-None-Match": reply.headers["ETag"]}
    again = service.owner_sends("GET", f"{path}csv/", headers=known)
    assert again.status == 304
    assert again.headers["Content-Encoding"] is None


def test_what_is_packed_can_be_unpacked_as_it_comes(service: Service) -> None:
    rows = "".join(f"{t}.0,{t % 7}.0\n" for t in range(200_000)).encode()
    path = service.create(rows)
    reply = service.owner_sends("GET", f"{path}csv/", headers={"Accept-Encoding": "gzip"})
    start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(reply.body[: len(reply.body) // 2])
    assert rows.startswith(start)
    assert len(start) > len(rows) // 4
    assert gzip.decompress(reply.body) == rows


def test_pages_are_packed_and_short_texts_are_not(service: Service) -> None:
    headers = {"Accept-Encoding": "gzip"}
    long = f"/create/?title=T&caption=C&description={'x' * 3000}"
    path = service.owner_sends("POST", long, b"", CSV).headers["Location"].partition("/series")[2]
    page = service.owner_sends("GET", f"/series{path}", headers=headers)
    assert page.headers["Content-Encoding"] == "gzip"
    assert len(page.body) == int(page.headers["Content-Length"])
    assert b"x" * 3000 in gzip.decompress(page.body)
    for address in (f"/series{path}value/json/", "/nowhere/"):
        reply = service.owner_sends("GET", address, headers=headers)
        assert reply.headers["Content-Encoding"] is None
        assert elements(reply.headers["Vary"]) == VARY


# HEAD and OPTIONS


@pytest.mark.parametrize("name", ["", *READS, "points/?limit=2", "nothing/", "csv/?limit=0"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_head_says_what_get_says_without_the_body(service: Service, name: str, coding: str) -> None:
    path = service.create(ROWS)
    headers = {"Accept-Encoding": coding, "Accept": "*/*"}
    got = service.owner_sends("GET", path + name, headers=headers)
    told = service.owner_sends("HEAD", path + name, headers=headers)
    assert told.status == got.status
    assert told.body == b""
    theirs = {"Request-Id", "Connection", "Transfer-Encoding", "Content-Length"}
    assert said(told, theirs) == said(got, theirs)
    assert told.headers["Content-Length"] in (None, str(len(got.body)))


def said(reply: Reply, ignored: set[str]) -> dict[str, str]:
    return {name: text for name, text in reply.headers.items() if name not in ignored}


def test_head_asks_for_permission_and_for_changes_too(service: Service) -> None:
    path = service.create(ROWS)
    assert service.send("HEAD", f"{path}csv/").status == 401
    tag = service.owner_sends("HEAD", f"{path}csv/").headers["ETag"]
    reply = service.owner_sends("HEAD", f"{path}csv/", headers={"If-None-Match": tag})
    assert reply.status == 304


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("/create/", {"post", "options"}),
        ("/series/x/", {"get", "head", "post", "put", "delete", "options"}),
        ("/series/x/points/", {"get", "head", "options"}),
        ("/series/x/value/json/", {"get", "head", "options"}),
        ("/oauth/authorize/", {"get", "head", "post", "options"}),
        ("/", {"get", "head", "options"}),
    ],
)
def test_options_are_told_to_anybody(service: Service, address: str, allowed: set[str]) -> None:
    reply = service.send("OPTIONS", address)
    assert reply.status == 204
    assert reply.body == b""
    assert elements(reply.headers["Allow"]) >= allowed
    refused = service.send("PATCH" if "post" not in allowed else "LOCK", address)
    assert refused.status == 405
    assert elements(refused.headers["Allow"]) >= allowed


# CORS


@pytest.mark.parametrize("name", ["", *READS, "nothing/", "csv/?limit=0"])
def test_any_page_may_read_what_anybody_may(service: Service, name: str) -> None:
    for path in (service.create(ROWS, public=True), service.create(ROWS), "/series/none/"):
        for method in ("GET", "HEAD"):
            reply = service.send(method, path + name, headers={"Origin": "https://example.org"})
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            assert elements(reply.headers["Access-Control-Expose-Headers"]) == EXPOSED
            assert reply.headers["Access-Control-Allow-Credentials"] is None


def test_no_page_may_read_with_credentials_or_write(service: Service) -> None:
    path = service.create(ROWS, public=True)
    replies = [
        service.owner_sends("GET", f"{path}csv/"),
        service.send("GET", f"{path}csv/?oauth_signature=x&oauth_token=y"),
        service.send("POST", path, b"1,2", CSV),
        service.send("PUT", path, b"1,2", CSV),
        service.send("DELETE", path),
        service.send("GET", "/oauth/authorize/"),
        service.send("GET", "/account/sign-in/x/"),
        service.send("OPTIONS", "/create/", headers={"Access-Control-Request-Method": "POST"}),
    ]
    assert [reply.headers["Access-Control-Allow-Origin"] for reply in replies] == [None] * 8


def test_a_preflight_allows_reading_only(service: Service) -> None:
    path = service.create()
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "PUT"}
    reply = service.send("OPTIONS", f"{path}csv/", headers=asked)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert elements(reply.headers["Access-Control-Allow-Methods"]) == {"get", "head"}
    assert "authorization" not in elements(reply.headers["Access-Control-Allow-Headers"])
    assert "if-none-match" in elements(reply.headers["Access-Control-Allow-Headers"])


def test_an_error_has_no_validators(service: Service, tmp_path: Path) -> None:
    path = service.create(ROWS, public=True)
    service.clock.advance(60)
    with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db, db:
        db.execute("UPDATE bodies SET vals = x'00'")
    reply = service.send("GET", f"{path}csv/")
    assert reply.status == 500
    assert json.loads(reply.body)["status"] == 500
    assert reply.headers["ETag"] is reply.headers["Last-Modified"] is None
    assert "public" not in reply.headers.get("Cache-Control", "")
