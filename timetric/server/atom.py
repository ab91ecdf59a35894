"""Listings as Atom 1.0 (RFC 4287) with the elements of OpenSearch 1.1; pure."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from urllib.parse import quote
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from timetric.server.listing import Item, Listing
from timetric.timestamps import format_iso

MEDIA_TYPE = "application/atom+xml"
DESCRIPTION_TYPE = "application/opensearchdescription+xml"

_ATOM, _OPENSEARCH = "http://www.w3.org/2005/Atom", "http://a9.com/-/spec/opensearch/1.1/"

#: What XML 1.0 has no place for (section 2.2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed(listing: Listing) -> bytes:
    """The page as an Atom feed; it was updated when the latest of its series was, if any."""
    asked, root = listing.asked, Element("feed", {"xmlns": _ATOM, "xmlns:opensearch": _OPENSEARCH})
    _put(root, "id", listing.url("atom", 1))
    _put(root, "title", asked.title)
    _put(root, "updated", _moment(max((item.series.updated for item in listing.items), default=0)))
    _link(root, "self", listing.url("atom"), MEDIA_TYPE)
    _link(root, "alternate", listing.url(), "text/html")
    _link(root, "search", f"{listing.base_url}search/description.xml", DESCRIPTION_TYPE)
    for relation, url in listing.links("atom").items():
        _link(root, relation, url, MEDIA_TYPE)
    _put(root, "opensearch:totalResults", str(listing.total))
    _put(root, "opensearch:startIndex", str(listing.first))
    _put(root, "opensearch:itemsPerPage", str(asked.per_page))
    query = {"role": "request", "startPage": str(asked.page), "count": str(asked.per_page)}
    _put(root, "opensearch:Query", **query, **({"searchTerms": quote(asked.q)} if asked.q else {}))
    for item in listing.items:
        _put_entry(root, item)
    return _document(root)


def description(base_url: str) -> bytes:
    """How to search here, for programs and browsers: an OpenSearch description document."""
    root = Element("OpenSearchDescription", {"xmlns": _OPENSEARCH})
    _put(root, "ShortName", "Timetric")
    _put(root, "Description", "Search time series by the words that they say of themselves.")
    for form, media_type in (
        ("", "text/html"),
        ("results.atom", MEDIA_TYPE),
        ("results.thick.json", "application/json"),
    ):
        template = f"{base_url}search/{form}?q={{searchTerms}}&n={{count?}}&p={{startPage?}}"
        _put(root, "Url", type=media_type, template=template)
    url = f"{base_url}search/description.xml"
    _put(root, "Url", type=DESCRIPTION_TYPE, rel="self", template=url)
    _put(root, "Query", role="example", searchTerms="temperature")
    for encoding in ("OutputEncoding", "InputEncoding"):
        _put(root, encoding, "UTF-8")
    return _document(root)


def _put_entry(root: Element, item: Item) -> None:
    series, about = item.series, item.series.metadata
    entry = SubElement(root, "entry")
    _put(entry, "id", UUID(bytes=urlsafe_b64decode(f"{series.id}==")).urn)
    _put(entry, "title", about.title)
    _put(entry, "updated", _moment(series.updated))
    _put(entry, "published", _moment(series.created))
    _put(SubElement(entry, "author"), "name", series.owner.name)
    _link(entry, "alternate", item.url, "text/html")
    for tag in about.tags:
        _put(entry, "category", term=tag)
    _put(entry, "summary", about.caption)
    if about.description:
        _put(entry, "content", about.description)


def _link(parent: Element, relation: str, url: str, media_type: str) -> None:
    _put(parent, "link", rel=relation, href=url, type=media_type)


def _put(parent: Element, name: str, text: str = "", **attributes: str) -> None:
    """Add an element, without the characters that XML can't hold."""
    kept = {key: _NO_XML.sub("", value) for key, value in attributes.items()}
    SubElement(parent, name, kept).text = _NO_XML.sub("", text)


def _document(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _moment(timestamp: float) -> str:
    """A time as RFC 3339 has it."""
    return f"{format_iso(timestamp)}Z"
