"""What is read of a series, and the links in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.service import Reply, Service, running_service

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def next_of(reply: Reply) -> str | None:
    """The path and query of a reply's next page."""
    link = reply.headers["Link"]
    if link is None:
        return None
    address, _, relation = link.partition(";")
    assert relation.strip() == 'rel="next"'
    parts = urlsplit(address.strip("<>"))
    return f"{parts.path}?{parts.query}"


def test_csv_comes_in_unix_seconds_or_iso_oldest_first(service: Service) -> None:
    path = service.create(b"1236735500.25,null\n1236735000,1e300\n-0.5,false\n")
    unix = b"-0.5,false\n1236735000.0,1e+300\n1236735500.25,null\n"
    for name in ("csv/", "csv/unix.csv"):
        reply = service.owner_sends("GET", path + name)
        assert reply.body == unix
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    iso = service.owner_sends("GET", f"{path}csv/iso.csv").body
    assert iso.splitlines()[1:] == [
        b"2009-03-11T01:30:00,1e+300",
        b"2009-03-11T01:38:20.250000,null",
    ]


def test_a_long_history_comes_back_whole_and_without_a_length(service: Service) -> None:
    rows = b"".join(b"%d.0,%d.0\n" % (row, -row) for row in range(1, 30_000))
    path = service.create(rows)
    reply = service.owner_sends("GET", f"{path}csv/")
    assert reply.body == rows
    assert reply.headers["Content-Length"] is None


@pytest.mark.parametrize(
    ("csv", "point"),
    [
        (b"", {"timestamp": None, "value": None}),
        (b"0,1\n1236707269,2\n", {"timestamp": 1236707269.0, "value": 2.0}),
        (b"0,1\n1.5,TRUE\n", {"timestamp": 1.5, "value": True}),
        (b"0,0.1\n", {"timestamp": 0.0, "value": 0.1}),
    ],
)
def test_the_latest_point_is_json(service: Service, csv: bytes, point: dict[str, object]) -> None:
    reply = service.owner_sends("GET", f"{service.create(csv)}value/json/")
    assert json.loads(reply.body) == point
    assert reply.headers["Content-Type"] == "application/json"


def test_a_get_may_announce_an_empty_body(service: Service) -> None:
    path = service.create(b"0,1")
    reply = service.owner_sends("GET", f"{path}csv/", headers={"Content-Length": "0"})
    assert reply.body == b"0.0,1.0\n"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 10**15 - 1])
def test_pages_linked_by_next_make_the_whole_history(service: Service, limit: int) -> None:
    lines = [b"-1.5,1.0\n", b"0.0,2.0\n", b"0.1,3.0\n", b"5e+16,4.0\n"][:3] + [b"1e+11,4.0\n"]
    path = service.create(b"".join(lines).replace(b"1e+11", b"100000000000"))
    page: str | None = f"{path}csv/?limit={limit}"
    pages = []
    while page:
        reply = service.owner_sends("GET", page)
        pages.append(reply.body)
        page = next_of(reply)
    assert b"".join(pages).count(b"\n") == 4
    assert b"".join(pages) == service.csv(path)
    assert len(pages) == -(-4 // limit)


def test_next_keeps_the_end_and_the_form_and_nothing_else(service: Service) -> None:
    path = service.create(b"0,1\n1,2\n2,3\n3,4\n")
    query = "after=0&end=3&limit=1&oauth_token=secret&q=x"
    reply = service.owner_sends("GET", f"{path}csv/iso.csv?{query}")
    assert reply.body == b"1970-01-01T00:00:01,2.0\n"
    following = next_of(reply)
    assert following
    assert following.startswith(f"{path}csv/iso.csv?")
    assert parse_qs(urlsplit(following).query) == {"after": ["1.0"], "end": ["3.0"], "limit": ["1"]}
    last = service.owner_sends("GET", following)
    assert last.body == b"1970-01-01T00:00:02,3.0\n"
    assert next_of(last) is None


@pytest.mark.parametrize(
    "after",
    [
        "1236735000",
        "2009-03-11T01:30:00",
        "2009-03-11%2001:30",
        "2009-03-11+01:30:00",
        "2009-03-11T02:30:00+01:00",
        "2009-03-11T02:30:00%2B01:00",
        "2009-03-11%2002:30:00+01:00",
        "+1236735000.0",
        "1.236735e+9",
    ],
)
def test_a_time_in_a_query_may_hold_a_plus_or_a_blank(service: Service, after: str) -> None:
    path = service.create(b"1236735000,1\n1236735001,2\n")
    reply = service.owner_sends("GET", f"{path}csv/?after={after}")
    assert reply.body == b"1236735001.0,2.0\n"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=1.5", "limit=", "limit=" + "9" * 5000, "limit=%D9%A1"]
    + ["after=", "after=nan", "end=soon", "after=1&after=2", "after=%ff"],
)
def test_a_query_that_cannot_be_meant_is_refused(service: Service, query: str) -> None:
    path = service.create(b"0,1")
    assert service.owner_sends("GET", f"{path}csv/?{query}").status == 400


def test_the_page_shows_the_series_and_escapes_all_of_it(service: Service) -> None:
    evil = '<script>alert("1")</script>&\'"'
    names = ("title", "caption", "description", "unit", "source", "tags")
    fields = {name: evil.replace(";", "") for name in names}
    fields["source_url"] = 'http://example.org/"><script>'
    created = service.owner_sends("POST", "/create/", urlencode(fields).encode(), FORM)
    path = urlsplit(created.headers["Location"]).path
    service.owner_sends("POST", path, b"value=14.25", FORM)
    reply = service.owner_sends("GET", path)
    page = reply.body.decode()
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;") >= len(names)
    assert "14.25" in page
    for name in ("csv/unix.csv", "csv/iso.csv"):
        assert f'href="{path}{name}"' in page


def test_the_page_may_load_nothing_and_no_reply_is_sniffed(service: Service) -> None:
    path = service.create(b"0,1")
    page = service.owner_sends("GET", path)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for reply in (page, service.owner_sends("GET", f"{path}csv/"), service.send("GET", path)):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_home_page_names_the_service(service: Service) -> None:
    reply = service.send("GET", "/")
    assert reply.status == 200
    assert b"timetric" in reply.body


def test_links_are_made_of_a_host_that_is_ours_only(service: Service) -> None:
    port = urlsplit(service.url).port
    for host in (f"localhost:{port}", "127.0.0.5", f"[::1]:{port}", "LOCALHOST"):
        query = "/create/?title=T&caption=C"
        reply = service.owner_sends("POST", query, b"", {"Host": host, "Content-Type": "text/csv"})
        assert reply.headers["Location"].startswith(f"http://{host}/series/")
    for host in ("example.org", "127.0.0.1.example.org", "localhost@example.org", "10.0.0.1", ""):
        reply = service.send("GET", "/", headers={"Host": host})
        assert reply.status == 421, host


def test_the_bound_address_is_a_host_of_ours(tmp_path: Path) -> None:
    with running_service(tmp_path, hosts=("192.0.2.7", "::2")) as service:
        for host in ("192.0.2.7:8000", "[::2]:8000", "localhost"):
            assert service.send("GET", "/", headers={"Host": host}).status == 200
        assert service.send("GET", "/", headers={"Host": "192.0.2.8"}).status == 421


@pytest.mark.parametrize("base_url", ["https://example.org/data", "https://example.org/data/"])
def test_with_a_base_url_all_links_are_under_it(tmp_path: Path, base_url: str) -> None:
    with running_service(tmp_path, base_url=base_url) as service:
        create = f"/create/?{urlencode({'title': 'T', 'caption': 'C'})}"
        headers = {"Content-Type": "text/csv", "Host": "evil.example"}
        reply = service.owner_sends("POST", create, b"0,1\n1,2\n", headers)
        url = reply.headers["Location"]
        assert url.startswith("https://example.org/data/series/")
        path = quote(urlsplit(url).path.removeprefix("/data"))
        assert f"{url}csv/iso.csv" in service.owner_sends("GET", path).body.decode()
        page = service.owner_sends("GET", f"{path}csv/?limit=1")
        assert page.headers["Link"].startswith(f"<{url}csv/?")


@pytest.mark.parametrize(
    "base_url", ["example.org", "ftp://example.org/", "http://me:pw@example.org/", "http:///", ""]
)
def test_a_base_url_that_is_none_is_refused_at_the_start(tmp_path: Path, base_url: str) -> None:
    with pytest.raises(ValueError, match="base URL"), running_service(tmp_path, base_url=base_url):
        pass
