"""Searches as Atom feeds: held against the schemas of Atom and OpenSearch, and read by a reader."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import feedparser
import pytest
from lxml import etree

from tests.conftest import ROOT
from tests.service import NOON, Reply, Service, running_service
from timetric.server.columns import EMPTY
from timetric.server.metadata import Metadata

IDS = ["p-DpewL0TO-iBE4nMBCTsQ", "A0000000000000000000-w"]
#: Characters that XML has no place for, and some that need care.
ODD = "a\0b\x0b\ufffe\uffff<&>\"'\u2028🚀é"
KEPT = "ab<&>\"'\u2028🚀é"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        power = Metadata("Power & light", "Of <the> office", "Two\nlines", ("public data", "é"))
        odd = Metadata(ODD, ODD, ODD, (ODD,))
        for metadata, id, now in ((power, IDS[0], NOON), (odd, IDS[1], NOON + 0.25)):
            running.storage.create(id, running.owner, metadata, EMPTY, now)
        yield running


def schema(name: str) -> Any:
    return etree.RelaxNG(etree.parse(str(ROOT / "tests/schemas" / name)))


def valid(reply: Reply, name: str) -> Any:
    """The reply's document, which the schema allows."""
    assert reply.status == 200, reply
    document, rules = etree.fromstring(reply.body), schema(name)
    assert rules.validate(document), rules.error_log
    return document


PATHS = [
    "/search/results.atom",
    "/search/results.atom?q=power",
    "/search/results.atom?q=absent",
    "/search/results.atom?n=1&p=2",
    "/search/results.atom?p=9",
    "/search/results.atom?u=me",
    "/tags/public%2520data/results.atom",
    f"/search/results.atom?q={quote(ODD)}",
    f"/tags/{quote(quote(ODD))}/results.atom?u={quote(ODD)}",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_feed_is_valid_and_any_reader_takes_it(service: Service, path: str) -> None:
    reply = service.owner_sends("GET", path)
    document = valid(reply, "atom.rng")
    assert reply.headers["Content-Type"] == "application/atom+xml"
    addresses = document.xpath("//@href") + document.xpath("//*[local-name() = 'id']/text()")
    assert all(re.match("(http://127|urn:uuid:)", address) for address in addresses)
    read = feedparser.parse(reply.body)
    assert not read.bozo
    assert read.version == "atom10"


def test_an_entry_tells_what_the_series_says(service: Service) -> None:
    read = feedparser.parse(service.owner_sends("GET", "/search/results.atom?q=power").body)
    [entry] = read.entries
    assert UUID(entry.id).bytes == urlsafe_b64decode(f"{IDS[0]}==")
    assert entry.title == "Power & light"
    assert entry.summary == "Of <the> office"
    assert entry.content[0].value == "Two\nlines"
    assert entry.author == "owner"
    assert [tag.term for tag in entry.tags] == ["public data", "é"]
    assert entry.link == f"{service.url}series/{IDS[0]}/"
    assert entry.published == entry.updated == "2009-03-11T12:00:00Z"


def test_what_xml_can_not_hold_is_left_out(service: Service) -> None:
    document = valid(service.owner_sends("GET", "/search/results.atom?n=1"), "atom.rng")
    texts = "//*[local-name() = 'entry']/*[local-name() = $name]"
    for name in ("title", "summary", "content"):
        assert document.xpath(texts, name=name)[0].text == KEPT
    assert document.xpath(f"{texts}/@term", name="category") == [KEPT]


def test_a_feed_tells_its_place_among_the_pages(service: Service) -> None:
    read = feedparser.parse(service.owner_sends("GET", "/search/results.atom?n=1&p=2").body).feed
    place = (read.opensearch_totalresults, read.opensearch_startindex, read.opensearch_itemsperpage)
    assert place == ("2", "2", "1")
    links = {link.rel: link.href for link in read.links}
    here = f"{service.url}search/results.atom?n=1"
    assert links == {
        "self": f"{here}&p=2",
        "first": here,
        "previous": here,
        "last": f"{here}&p=2",
        "alternate": f"{service.url}search/?n=1&p=2",
        "search": f"{service.url}search/description.xml",
    }
    assert read.id == here
    assert read.updated == "2009-03-11T12:00:00Z"


def test_a_feed_repeats_the_query(service: Service) -> None:
    reply = service.owner_sends("GET", "/search/results.atom?q=power+%26+%C3%A9&p=2")
    [query] = valid(reply, "atom.rng").xpath("//*[local-name() = 'Query']")
    assert dict(query.attrib) == {
        "role": "request",
        "searchTerms": "power%20%26%20%C3%A9",
        "startPage": "2",
        "count": "20",
    }


def test_programs_are_told_how_to_search(service: Service) -> None:
    reply = service.send("GET", "/search/description.xml")
    assert reply.headers["Content-Type"] == "application/opensearchdescription+xml"
    document = valid(reply, "opensearch.rng")
    templates = document.xpath("//*[local-name() = 'Url'][not(@rel)]/@template")
    assert len(templates) == 3
    for template in templates:
        path = template.removeprefix(service.url).format(
            **{"searchTerms": "power", "count?": "", "startPage?": ""}
        )
        assert b"Power" in service.owner_sends("GET", f"/{path}").body
