"""The layout that all pages share, the files they load, and who finds which series."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.dancing import FORM, Browser, link, signed_in
from tests.service import Reply, Service, basic, running_service

#: What browsers ask for when a person opens an address.
PERSON = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def make(
    service: Service, title: str, *tags: str, public: bool = False, other: bool = False
) -> str:
    """The path of a new series."""
    fields = {"title": title, "caption": "C", "public": str(public).lower(), "tags": ";".join(tags)}
    config = service.other_config if other else service.config
    reply = service.send("POST", "/create/", urlencode(fields).encode(), {**FORM, **basic(config)})
    assert reply.status == 201, reply
    return urlsplit(reply.headers["Location"]).path


def titles(page: Reply) -> list[str]:
    assert page.status == 200, page
    found = re.findall(r'class="head" href="[^"]*">([^<]*)<', page.body.decode())
    return [unescape(title) for title in found]


def loaded(page: Reply) -> list[str]:
    """What a page has its browser load."""
    link = r'<link rel="(?:stylesheet|icon)" [^>]*href'
    return re.findall(rf'(?:{link}|src)="([^"]+)"', page.body.decode())


def test_what_a_page_loads_may_be_kept_for_ever(service: Service) -> None:
    files = loaded(service.send("GET", "/"))
    assert {path.rpartition(".")[2] for path in files} == {"css", "js", "svg"}
    for path in files:
        file = service.send("GET", path)
        assert file.status == 200
        assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(file.body).hexdigest()[:16] in path
        assert service.send("GET", path.replace("-", "-0")).status == 404
        packed = service.send("GET", path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == file.body


def test_what_a_page_loads_is_under_the_base_url(tmp_path_factory: pytest.TempPathFactory) -> None:
    data, base = tmp_path_factory.mktemp("store"), "https://example.org/data/"
    with running_service(data, base_url=base) as service:
        page = service.send("GET", "/")
        assert all(path.startswith("/data/static/") for path in loaded(page))
        assert b'action="/data/search/"' in page.body


@pytest.mark.parametrize("path", ["/", "/search/?q=x", "/account/sign-in/", "/nothing/"])
def test_a_page_runs_and_loads_nothing_from_elsewhere(service: Service, path: str) -> None:
    page = service.send("GET", path, headers=PERSON)
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} < set(policy)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(rb"<style| style=|<script>| on[a-z]+=", page.body)


def test_a_page_that_shows_who_is_signed_in_is_not_shared(service: Service) -> None:
    path = make(service, "Shared", public=True)
    for page in (signed_in(service).get("/"), signed_in(service).get(path)):
        assert b"Account of </span>owner" in page.body
        assert page.headers["Cache-Control"] == "private, no-cache"
        assert "Cookie" in page.headers["Vary"]
    assert b"Sign in" in service.send("GET", "/").body


def test_everybody_finds_public_series_and_ones_own(service: Service) -> None:
    make(service, "Find: mine, private")
    make(service, "Find: mine, public", public=True)
    make(service, "Find: theirs, private", other=True)
    make(service, "Find: theirs, public", public=True, other=True)
    everybody = ["Find: theirs, public", "Find: mine, public"]
    path = f"/search/?q={quote('find:')}"
    assert titles(service.send("GET", path)) == everybody
    assert set(titles(signed_in(service).get(path))) == {*everybody, "Find: mine, private"}
    assert titles(service.send("GET", "/search/?q=theirs%2C+pu")) == ["Find: theirs, public"]


def test_twenty_are_shown(service: Service) -> None:
    for number in range(21):
        make(service, f"Many {number}", public=True)
    page = service.send("GET", "/search/?q=many")
    assert titles(page) == [f"Many {number}" for number in range(20, 0, -1)]
    assert b"1 to 20 of 21" in page.body


def test_nothing_found_is_said(service: Service) -> None:
    page = service.send("GET", "/search/?q=no-such-title")
    assert titles(page) == []
    assert b"Nothing was found among the public series" in page.body
    assert b'value="no-such-title"' in page.body


def test_a_private_series_opens_to_its_owners_browser_only(service: Service) -> None:
    path = make(service, "Private power")
    assert b"Private power" in signed_in(service).get(path).body
    other = signed_in(service, service.storage.accounts.user("other")).get(path, PERSON)
    stranger = Browser(service).get(path, PERSON)
    assert (other.status, stranger.status) == (404, 403)
    assert b"sign in to see it" in stranger.body
    for page in (other, stranger):
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"Private power" not in page.body
    assert service.send("GET", path).status == 401, "a program is asked for credentials"


def test_a_person_is_told_by_a_page_and_a_program_is_not(service: Service) -> None:
    for path, status in (("/nothing/", 404), ("/create/", 405), ("/search/?q=%ff", 400)):
        page, reply = service.send("GET", path, headers=PERSON), service.send("GET", path)
        assert (page.status, reply.status) == (status, status)
        assert b'<form class="search"' in page.body
        assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/search/?q=a%26b", "/series/x%C3%A9/?y=1"])
def test_sign_in_leads_back_to_the_page(service: Service, path: str) -> None:
    page = service.send("GET", path, headers=PERSON).body.decode()
    [address] = set(re.findall(r'href="([^"]*sign-in/[^"]*)"', page))
    steps, _, query = parse_qs(urlsplit(unescape(address)).query)["next"][0].partition("?")
    assert f"/{steps}/?{query}" == path


def test_a_sign_in_link_stands_in_no_other_address(service: Service) -> None:
    path = link(service)
    page = service.send("GET", path, headers=PERSON)
    assert page.status == 200
    assert path.split("/")[3] not in page.body.decode()
