"""The home page, the page of tags, and what robots and the lost are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.robotparser import RobotFileParser

import pytest

from tests.dancing import signed_in
from tests.service import Reply, Service, running_service
from tests.test_pages import PERSON, make, titles
from timetric.server.storage import Quota

ODD = "<b>a & b</b>;/%2F.."


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def texts(page: Reply) -> str:
    """What a page says, without what a screen reader alone says, in one line."""
    assert page.status == 200, page
    seen = re.sub(r'<span class="unseen">[^<]*</span>', "", page.body.decode())
    return " ".join(unescape(re.sub("<[^>]*>", " ", seen)).split())


def tags(page: Reply) -> list[tuple[str, str]]:
    """Each tag of a list, with the number beside it."""
    found = r'class="tag" href="([^"]*)">(.*?) <span class="count">([0-9,]+)'
    return [(unescape(tag), number) for _, tag, number in re.findall(found, page.body.decode())]


def test_a_stranger_is_told_what_the_place_is_and_how_the_first_series_is_made(
    service: Service,
) -> None:
    page = service.send("GET", "/")
    assert "There are no series that everybody may see yet" in texts(page)
    assert f"curl -u KEY:SECRET {service.url}create/" in texts(page)
    assert f"timetric login {service.url}" in texts(page)
    assert b'href="/new/"' in page.body
    make(service, "Private")
    assert "There are no series that everybody may see yet" in texts(service.send("GET", "/"))
    make(service, "Public", public=True)
    page = service.send("GET", "/")
    assert titles(page) == ["Public"]
    assert "A home for time series" in texts(page)
    assert "no series" not in texts(page)
    assert b'href="/account/sign-up/"' not in page.body


def test_where_strangers_may_make_accounts_they_are_told(tmp_path: Path) -> None:
    with running_service(tmp_path, signup=Quota(series=1, points=1)) as service:
        for path in ("/", "/help/start/"):
            assert b'href="/account/sign-up/"' in service.send("GET", path).body


def test_ones_own_series_come_first_and_none_comes_twice(service: Service) -> None:
    page = signed_in(service).get("/")
    assert "You have none yet" in texts(page)
    assert f"curl -u KEY:SECRET {service.url}create/" in texts(page)
    own = [make(service, f"Own {n}", public=n == 1) for n in range(8)]
    assert len({*own}) == 8
    make(service, "Theirs", public=True, other=True)
    make(service, "Theirs, private", other=True)
    page = signed_in(service).get("/")
    assert titles(page) == [*(f"Own {n}" for n in range(7, 1, -1)), "Theirs", "Own 1"]
    assert "All 8 of yours" in texts(page)
    assert b'href="/search/?u=me"' in page.body
    other = signed_in(service, service.storage.accounts.user("other")).get("/")
    assert titles(other) == ["Theirs, private", "Theirs", "Own 1"]


def test_series_with_points_have_a_sparkline(service: Service) -> None:
    empty, full = make(service, "Empty", public=True), make(service, "Full", public=True)
    service.owner_sends("POST", f"{full}?value=12990.341")
    for path in ("/", "/search/", "/search/?q=full"):
        page = service.send("GET", path)
        [source] = re.findall(r'<img class="sparkline" src="([^"]*)"', page.body.decode())
        assert source == f"{full}sparkline.svg"
        assert f"{empty}sparkline.svg".encode() not in page.body
        assert "12,990.3" in texts(page)
    assert service.send("GET", source).headers["Content-Type"] == "image/svg+xml"


def test_the_most_used_tags_lead_to_their_series(service: Service) -> None:
    assert "No public series has a tag yet" in texts(service.send("GET", "/tags/"))
    assert "No series of yours" in texts(signed_in(service).get("/tags/"))
    for n in range(3):
        make(service, f"Energy {n}", "energy", *(["office"] if n else []), public=True)
    make(service, "Odd", "a & b", "x/y.z", public=True)
    make(service, "Private", "secret", "energy")
    expected = [("energy", "3"), ("office", "2"), ("a & b", "1"), ("x/y.z", "1")]
    for path in ("/", "/tags/", "/tag/", "/tags/?q="):
        assert tags(service.send("GET", path)) == expected
    mine = [("energy", "4"), *expected[1:3], ("secret", "1"), expected[3]]
    assert tags(signed_in(service).get("/tags/")) == mine
    page = service.send("GET", "/tags/").body.decode()
    for address, title in (("/tags/x%252Fy%252Ez/", "Odd"), ("/tags/energy;office/", "Energy 2")):
        assert f'href="{address}"' in page
        assert titles(service.send("GET", address))[0] == title


def test_a_search_below_the_tags_is_a_search(service: Service) -> None:
    make(service, "Power", "energy", public=True)
    make(service, "Wind", public=True)
    assert titles(service.send("GET", "/tags/?q=wind")) == ["Wind"]
    assert service.send("GET", "/tags/?p=0").status == 400


@pytest.mark.parametrize("path", ["/", "/search/", "/tags/", "/tags/x/"])
def test_what_a_series_says_of_itself_is_never_html(service: Service, path: str) -> None:
    make(service, ODD, "<i>t</i>", public=True)
    page = service.send("GET", path).body
    assert b"<b>a" not in page and b"<i>t" not in page


def test_a_search_that_finds_nothing_tells_the_next_step(service: Service) -> None:
    page = service.send("GET", "/search/?q=no-such-title")
    for address in ("/search/", "/tags/", "/new/", "/account/sign-in/?next=search"):
        assert f'href="{address}'.encode() in page.body


def test_who_comes_to_nothing_may_search(service: Service) -> None:
    for path in ("/nothing/", "/series/x/", "/help/nothing/"):
        page = signed_in(service).get(path, PERSON)
        assert page.status == 404
        assert page.body.count(b'<form class="search"') == 1
        assert b'href="/help/"' in page.body


def test_robots_read_series_and_no_accounts(tmp_path: Path) -> None:
    with running_service(tmp_path, base_url="https://example.org/data/") as service:
        reply = service.send("GET", "/robots.txt")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    rules = RobotFileParser()
    rules.parse(reply.body.decode().splitlines())
    for path in ("", "series/x/", "tags/a/", "help/", "search/?q=x", "series/x/chart.svg"):
        assert rules.can_fetch("Bot", f"https://example.org/data/{path}")
    for path in ("account/sign-in/?next=", "oauth/authorize/"):
        assert not rules.can_fetch("Bot", f"https://example.org/data/{path}")


@pytest.mark.parametrize("path", ["/", "/tags/", "/help/", "/help/start/", "/help/protocol/"])
def test_each_page_shows_who_is_signed_in_and_is_not_shared(service: Service, path: str) -> None:
    page = signed_in(service).get(path)
    assert b"Account of </span>owner" in page.body
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert page.body.count(b'id="q"') == 1
