"""/search/ and /tags/ through the service: what is found, by whom, and in which form."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.dancing import HEADER, QUERY, entrusted, signed_in
from tests.service import Reply, Service, basic, running_service
from tests.test_pages import PERSON
from timetric.server.columns import from_points
from timetric.server.credentials import make_id
from timetric.server.metadata import Metadata
from timetric.server.storage import User

FORMS = ["thin.json", "thick.json", "fat.json", "atom", ""]


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def put(
    service: Service, title: str, *tags: str, public: bool = True, owner: User | None = None
) -> None:
    """A series with one point, a second younger than the one before."""
    service.clock.advance(1)
    metadata = Metadata(title, f"About {title}", tags=tags, public=public)
    points, id = from_points([(1.5, None)]), make_id(os.urandom)
    service.storage.create(id, owner or service.owner, metadata, points, service.clock.now)


def other(service: Service) -> User:
    return service.storage.accounts.user("other")


def get(service: Service, path: str, who: dict[str, Any] | None = None) -> dict[str, Any]:
    reply = service.send("GET", path, headers=basic(who) if who else {})
    assert reply.status == 200, reply
    found: dict[str, Any] = json.loads(reply.body)
    return found


def titles(service: Service, path: str, who: dict[str, Any] | None = None) -> list[str]:
    """The titles at a path without results.FORM, which are as many as there are in total."""
    place, _, query = path.partition("?")
    found = get(service, f"{place}results.thin.json?{query}", who)
    assert found["total"] == len(found["results"])
    return [item["title"] for item in found["results"]]


def test_an_empty_service_finds_nothing_in_every_form(service: Service) -> None:
    for form in FORMS[:3]:
        found = get(service, f"/search/results.{form}")
        assert found == {"results": [], "total": 0, "page": 1, "per_page": 20}
    assert b"Nothing was found" in service.send("GET", "/search/").body


def test_a_thin_item_names_a_series_and_a_thick_one_tells_all(service: Service) -> None:
    metadata = Metadata(
        "Power",
        "Of the office",
        "Day by day",
        ("energy",),
        "kW",
        "Meter",
        "http://m.example/",
        1,
        2,
    )
    id = "p-DpewL0TO-iBE4nMBCTsQ"
    points = from_points([(1.0, 2.0), (2.5, True)])
    service.storage.create(id, service.owner, metadata, points, 5.0)
    thin = {"name": id, "title": "Power", "url": f"{service.url}series/{id}/"}
    thick = thin | {
        "caption": "Of the office",
        "description": "Day by day",
        "tags": ["energy"],
        "unit": "kW",
        "source": "Meter",
        "source_url": "http://m.example/",
        "latitude": 1,
        "longitude": 2,
        "owner": "owner",
        "public": False,
        "slug": None,
        "created": 5.0,
        "updated": 5.0,
        "points": 2,
        "latest": {"timestamp": 2.5, "value": True},
    }
    for form, item in (("thin.json", thin), ("thick.json", thick), ("fat.json", thick)):
        found = get(service, f"/search/results.{form}/", service.config)
        assert found == {"results": [item], "total": 1, "page": 1, "per_page": 20}


def test_words_tags_and_owner_go_together(service: Service) -> None:
    put(service, "Wind power", "energy", "public data")
    put(service, "Solar power", "energy")
    put(service, "Wind chill", "public data", owner=other(service))
    assert titles(service, "/search/?q=power") == ["Solar power", "Wind power"]
    assert titles(service, "/search/?q=wind&u=owner") == ["Wind power"]
    assert titles(service, "/search/?q=wind;u=other") == ["Wind chill"]
    assert titles(service, "/tags/energy/") == ["Solar power", "Wind power"]
    assert titles(service, "/tags/energy;public%2520data/") == ["Wind power"]
    assert titles(service, "/tags/public%2520data/?u=other") == ["Wind chill"]
    assert titles(service, "/tag/energy/?q=solar") == ["Solar power"]
    assert titles(service, "/tags/") == titles(service, "/search/")
    assert titles(service, "/search/?u=nobody") == titles(service, "/tags/nothing/") == []


TAGS = [
    "public data",
    "a/b",
    "50%",
    "é",
    "..",
    ".",
    "results.atom",
    "a+b",
    "?",
    "#",
    "\u202e",
    "%41",
    "thin\u2009",
]


@pytest.mark.parametrize("tag", TAGS)
def test_any_tag_is_found_by_the_links_to_it(service: Service, tag: str) -> None:
    put(service, "Power", tag)
    put(service, "Other", "other")
    page = service.send("GET", "/search/?q=power").body.decode()
    [link] = re.findall(r'class="tag" href="([^"]+)"', page)
    assert titles(service, link) == ["Power"]
    page = service.send("GET", link).body
    assert b"About Power" in page
    assert b"About Other" not in page


@pytest.mark.parametrize("tag", ["public data", "a/b", "é", "a+b"])
def test_a_tag_that_is_encoded_once_is_understood(service: Service, tag: str) -> None:
    put(service, "Power", tag)
    assert titles(service, f"/tags/{quote(tag, safe='')}/") == ["Power"]
    assert titles(service, f"/tags/{quote(tag, safe='')};{quote(tag, safe='')};/") == ["Power"]


def test_a_tag_typed_in_two_ways_is_one(service: Service) -> None:
    put(service, "Power", "\u00e9t\u00e9")
    assert titles(service, "/tags/" + quote("e\u0301te\u0301") + "/") == ["Power"]


ANY_Q = [
    'AND OR NOT NEAR("a b", 2)',
    '"',
    "'; DROP TABLE series --",
    "title:x",
    "*",
    "\0",
    "power\0",
    "a" * 1000,
    "%",
    "^()-+{}",
    "\ud7ff\U0010ffff\u0301",
    "🚀",
    "x " * 50,
]


@pytest.mark.parametrize("q", ANY_Q)
@pytest.mark.parametrize("form", FORMS)
def test_any_q_is_safe(service: Service, q: str, form: str) -> None:
    put(service, "Power and light")
    reply = service.send("GET", f"/search/{form and f'results.{form}'}?{urlencode({'q': q})}")
    assert reply.status == 200


def test_other_signs_are_blanks(service: Service) -> None:
    put(service, "Über-power (2009)")
    for q in ("power,2009", "UBER\0power", '"über" AND power'.replace("AND", "+"), "***", ""):
        assert titles(service, f"/search/?{urlencode({'q': q})}") == ["Über-power (2009)"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("n=0", "n"),
        ("n=101", "n"),
        ("n=many", "n"),
        ("n=-1", "n"),
        ("p=0", "p"),
        ("p=1.5", "p"),
        ("p=99999999999999999999", "p"),
        ("q=" + "a" * 1001, "q"),
        ("q=" + "a+" * 51, "q"),
        ("q=a;q=b", "q"),
        ("u=a&u=b", "u"),
    ],
)
def test_what_can_not_be_asked_is_told(service: Service, query: str, field: str) -> None:
    reply = service.send("GET", f"/search/results.thin.json?{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["field"] == field


def test_too_many_tags_and_unknown_forms_are_told(service: Service) -> None:
    many = ";".join(f"t{n}" for n in range(21))
    assert service.send("GET", f"/tags/{many}/").status == 400
    for path in ("/search/results.xml", "/search/results.", "/search/else", "/tags/a/results.xml"):
        assert service.send("GET", path).status == 404
    assert service.send("POST", "/search/").status == 405
    assert service.send("GET", "/search/?q=%ff").status == 400


def test_left_out_and_empty_are_the_same(service: Service) -> None:
    put(service, "Power")
    assert titles(service, "/search/?q=&n=&p=&u=") == ["Power"]


def test_pages_are_linked_to_one_another(service: Service) -> None:
    for number in range(5):
        put(service, f"Power {number}")
    seen, path, pages = [], "/search/results.thin.json?q=power&n=2", 0
    while path:
        reply = service.send("GET", path)
        found, links = json.loads(reply.body), relations(reply)
        assert (found["total"], found["page"], found["per_page"]) == (5, (pages := pages + 1), 2)
        seen += [item["title"] for item in found["results"]]
        assert links["first"].endswith("?q=power&n=2")
        assert links["last"].endswith("?q=power&n=2&p=3")
        assert ("previous" in links) == (pages > 1)
        path = links.get("next", "").replace(service.url, "/")
    assert seen == [f"Power {number}" for number in (4, 3, 2, 1, 0)]


def test_past_the_last_page_there_is_nothing_but_the_way_back(service: Service) -> None:
    put(service, "Power")
    for path in ("/search/results.thin.json?p=9", "/tags/x/results.thin.json?p=9"):
        reply = service.send("GET", path)
        assert json.loads(reply.body)["results"] == []
        assert relations(reply)["previous"] == relations(reply)["first"]
    page = service.send("GET", "/search/?p=9")
    assert b"none on this page" in page.body
    assert b'rel="prev"' in page.body


def relations(reply: Reply) -> dict[str, str]:
    return {name: url for url, name in re.findall(r'<([^>]+)>; rel="(\w+)"', reply.headers["Link"])}


def test_private_series_are_found_by_their_owner_only(service: Service) -> None:
    put(service, "Public power", "energy")
    put(service, "Private power", "energy", public=False)
    for path in ("/search/", "/search/?q=power", "/tags/energy/", "/search/?u=owner"):
        for who in (None, service.other_config):
            assert titles(service, path, who) == ["Public power"]
        both = ["Private power", "Public power"]
        assert sorted(titles(service, path, service.config)) == both
    for form in FORMS:
        path = f"/search/{form and f'results.{form}'}?q=private"
        assert b"Private power" not in service.send("GET", path).body
        assert b"Private power" in service.owner_sends("GET", path).body


def test_ones_own_need_to_know_who_asks(service: Service) -> None:
    put(service, "Own", public=False)
    put(service, "Other's", owner=other(service))
    assert titles(service, "/search/?u=me", service.config) == ["Own"]
    assert titles(service, "/search/?u=me", service.other_config) == ["Other's"]
    for form in FORMS:
        reply = service.send("GET", f"/search/{form and f'results.{form}'}?u=me")
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="Timetric"'


@pytest.mark.parametrize("place", [HEADER, QUERY])
def test_an_application_finds_its_users_own(service: Service, place: str) -> None:
    put(service, "Private power", "public data", "a/b", public=False)
    path = "/tags/public%2520data;a%252Fb/results.thin.json?q=power&u=me"
    reply = entrusted(service).send("GET", path, signature_type=place)
    assert reply.status == 200
    assert [item["title"] for item in json.loads(reply.body)["results"]] == ["Private power"]
    assert "oauth" not in reply.headers["Link"]


def test_a_person_is_asked_to_sign_in_first(service: Service) -> None:
    page = service.send("GET", "/search/?u=me", headers=PERSON)
    assert page.status == 403
    assert b"Sign in first" in page.body


@pytest.mark.parametrize("form", FORMS)
def test_wrong_credentials_are_refused(service: Service, form: str) -> None:
    wrong = {**service.config, "apitoken_secret": "wrong"}
    path = f"/search/{form and f'results.{form}'}"
    assert service.send("GET", path, headers=basic(wrong)).status == 401


@pytest.mark.parametrize("form", FORMS)
def test_a_browser_that_is_signed_in_finds_its_own(service: Service, form: str) -> None:
    put(service, "Private power", public=False)
    browser = signed_in(service)
    for query in ("q=power", "u=me"):
        found = browser.get(f"/search/{form and f'results.{form}'}?{query}")
        assert b"Private power" in found.body
        assert found.headers["Cache-Control"] == "private, no-cache"
        assert "Cookie" in found.headers["Vary"].split(", ")
    other = basic(service.other_config)
    assert b"Private power" not in browser.get(f"/search/results.{form or 'atom'}", other).body


def test_a_page_shows_what_is_needed_to_choose(service: Service) -> None:
    put(service, "<b>Power</b>", "a&b")
    page = service.send("GET", "/search/?q=%3Cb%3E").body.decode()
    assert "Series with “&lt;b&gt;”" in page
    assert 'value="&lt;b&gt;"' in page
    assert "&lt;b&gt;Power&lt;/b&gt;" in page
    assert "<strong>null</strong>" in page
    assert '<a href="/search/?u=owner">owner</a>' in page
    assert ">a&amp;b</a>" in page
    assert "1 found" in page


def test_a_page_names_its_feed_and_how_to_search(service: Service) -> None:
    page = service.send("GET", "/tags/energy/?q=power&p=2").body.decode()
    feed = f"{service.url}tags/energy/results.atom?q=power"
    assert re.search(rf'<link rel="alternate" [^>]*href="{re.escape(feed)}"', page)
    assert '<link rel="search" type="application/opensearchdescription+xml"' in page


def test_links_begin_with_the_base_url(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, base_url="https://example.org/store") as service:
        put(service, "Power")
        put(service, "Wind")
        reply = service.send("GET", "/search/results.thin.json?n=1")
        assert relations(reply)["next"] == (
            "https://example.org/store/search/results.thin.json?n=1&p=2"
        )
        [item] = json.loads(reply.body)["results"]
        assert item["url"] == f"https://example.org/store/series/{item['name']}/"
