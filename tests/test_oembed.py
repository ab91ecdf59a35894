"""oEmbed: what a consumer finds from the address of a series, and shows of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from lxml import etree, html

from tests.dancing import signed_in
from tests.service import Reply, Service, basic, running_service
from tests.test_pictures import HOSTILE, image, make


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def asked(service: Service, url: str, **query: object) -> Reply:
    return service.send("GET", f"/oembed/?{urlencode({'url': url, **query})}")


def answer(reply: Reply) -> dict[str, Any]:
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json"), reply
    found: dict[str, Any] = json.loads(reply.body)
    return found


def local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_a_consumer_finds_it_from_the_page_and_shows_it(service: Service) -> None:
    """As the specification has it: discovery, the request, the frame in ``html``."""
    path = make(service, title="Office power", unit="kW")
    page = html.fromstring(service.send("GET", path).body)
    links = {link.get("type"): link.get("href") for link in page.iterfind(".//head/link")}
    found = answer(service.send("GET", local(links["application/json+oembed"])))
    assert (found["version"], found["type"]) == ("1.0", "rich")
    assert (found["title"], found["provider_name"]) == ("Office power", "Timetric")
    assert (found["provider_url"], found["author_name"]) == (service.url, "owner")
    frame = html.fromstring(found["html"])
    assert frame.tag == "iframe"
    assert frame.get("title") == "Office power"
    size = int(frame.get("width")), int(frame.get("height"))
    assert size == (found["width"], found["height"]) == (600, 400)
    assert b"Office power" in service.send("GET", local(frame.get("src"))).body
    assert service.send("GET", local(found["author_url"])).status == 200
    picture = image(service.send("GET", local(found["thumbnail_url"])))
    assert picture.size == (found["thumbnail_width"], found["thumbnail_height"])


def test_xml_says_the_same(service: Service) -> None:
    path = make(service, title=HOSTILE)
    page = html.fromstring(service.send("GET", path).body)
    links = {link.get("type"): link.get("href") for link in page.iterfind(".//head/link")}
    reply = service.send("GET", local(links["text/xml+oembed"]))
    assert reply.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = etree.fromstring(reply.body)
    assert root.tag == "oembed"
    as_json = answer(service.send("GET", local(links["application/json+oembed"])))
    assert {each.tag: each.text for each in root} == {k: str(v) for k, v in as_json.items()}


def test_a_hostile_title_stays_a_text(service: Service) -> None:
    found = answer(asked(service, f"{service.url[:-1]}{make(service, title=HOSTILE)}"))
    frame = html.fragment_fromstring(found["html"])
    assert (frame.tag, len(frame)) == ("iframe", 0)
    assert "<script>alert(1)</script>" in frame.get("title")
    assert not [name for name in frame.attrib if name.startswith("on")]


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"maxwidth": 320}, (320, 400)),
        ({"maxheight": 150}, (600, 150)),
        ({"maxwidth": 5000, "maxheight": 5000}, (600, 400)),
        ({"maxwidth": 1, "maxheight": 1}, (1, 1)),
    ],
)
def test_it_is_no_larger_than_asked(
    service: Service, query: dict[str, int], size: tuple[int, int]
) -> None:
    found = answer(asked(service, f"{service.url[:-1]}{make(service)}", **query))
    assert (found["width"], found["height"]) == size
    assert f'width="{size[0]}" height="{size[1]}"' in found["html"]


@pytest.mark.parametrize("end", ["", "?start=1&end=2", "#chart", "?q=a#b"])
def test_the_address_may_end_in_what_the_page_adds(service: Service, end: str) -> None:
    path = make(service)
    for url in (path, path.rstrip("/")):
        assert asked(service, f"{service.url[:-1]}{url}{end}").status == 200


def test_only_public_series_of_this_service_are_known(service: Service) -> None:
    path, private = make(service), make(service, public="false")
    for url in (
        f"{service.url[:-1]}{private}",
        f"{service.url}series/{'A' * 22}/",
        f"https://example.org{path}",
        f"https://example.org/?{service.url[:-1]}{path}",
        f"{service.url}search/",
        f"{service.url[:-1]}{path}csv/",
        path,
    ):
        for headers in ({}, basic(service.config)):
            query = urlencode({"url": url})
            assert service.send("GET", f"/oembed/?{query}", headers=headers).status == 404, url
    query = urlencode({"url": f"{service.url[:-1]}{private}"})
    assert signed_in(service).get(f"/oembed/?{query}").status == 404


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"format": "yaml"}, 501, "format"),
        ({"url": ""}, 400, "url"),
        ({"maxwidth": "wide"}, 400, "maxwidth"),
        ({"maxheight": "0"}, 400, "maxheight"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    service: Service, query: dict[str, str], status: int, field: str
) -> None:
    url = f"{service.url[:-1]}{make(service)}"
    reply = asked(service, **{"url": url, **query})
    assert (reply.status, json.loads(reply.body)["field"]) == (status, field)


def test_any_site_may_ask(service: Service) -> None:
    reply = asked(service, f"{service.url[:-1]}{make(service)}")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Cache-Control"] == "public, no-cache"


def metas(page: Reply) -> dict[str, str]:
    root = html.fromstring(page.body)
    return {
        meta.get("property") or meta.get("name"): meta.get("content")
        for meta in root.iterfind(".//head/meta")
    }


def test_a_network_shows_the_link_with_its_picture(service: Service) -> None:
    path = make(service, title=HOSTILE, caption="Power drawn by the office")
    found = metas(service.send("GET", path))
    assert found["og:url"] == f"{service.url[:-1]}{path}"
    assert "<script>alert(1)</script>" in found["og:title"]
    assert found["og:description"] == found["description"] == "Power drawn by the office"
    assert (found["og:type"], found["twitter:card"]) == ("website", "summary_large_image")
    picture = image(service.send("GET", local(found["og:image"])))
    size = int(found["og:image:width"]), int(found["og:image:height"])
    assert picture.size == size
    assert found["og:image"] == answer(asked(service, found["og:url"]))["thumbnail_url"]


def test_a_feed_of_the_owners_series_is_named(service: Service) -> None:
    path = make(service, title="Office power")
    page = html.fromstring(service.send("GET", path).body)
    [feed] = page.xpath("//head/link[@type='application/atom+xml']")
    assert b"Office power" in service.send("GET", local(feed.get("href"))).body


def test_a_private_page_tells_nobody_how_to_show_it(service: Service) -> None:
    page = signed_in(service).get(make(service, public="false"))
    assert page.status == 200
    assert b"oembed" not in page.body
    assert not [name for name in metas(page) if name and name.startswith("og:")]


def test_all_of_it_is_under_the_base_url(tmp_path: Path) -> None:
    base = "https://example.org/data/"
    with running_service(tmp_path, base_url=base) as elsewhere:
        made = elsewhere.owner_sends("POST", "/create/?title=T&caption=C&public=true", b"")
        url = made.headers["Location"]
        assert url.startswith(f"{base}series/")
        found = answer(asked(elsewhere, url))
        page = elsewhere.send("GET", f"/{url.removeprefix(base)}")
    assert found["html"].startswith(f'<iframe src="{base}embed/')
    assert found["thumbnail_url"].startswith(f"{url}chart.png?")
    assert metas(page)["og:image"] == found["thumbnail_url"]
