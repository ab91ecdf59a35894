"""Finding series by words, tags and owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import simplejson

from timetric.exceptions import BadReply
from timetric.metadata import from_item
from timetric.series import Series

if TYPE_CHECKING:
    from timetric.client import TimetricClient

_PER_PAGE = 100  # the most that the service gives


def find(
    client: TimetricClient, fields: Mapping[str, str], tags: Iterable[str]
) -> Iterator[Series]:
    """The series that these fields of a search and all these tags find, page by page.

    A series that moves on to the next page, since others are made meanwhile, comes once.
    """
    path, seen, page = _path(tags), set[str](), 1
    asked = {name: text for name, text in fields.items() if text}
    while True:
        listing = _listing(client, path, {**asked, "n": str(_PER_PAGE), "p": str(page)})
        for series in _found(client, listing):
            if series.id not in seen:
                seen.add(series.id)
                yield series
        if page * _PER_PAGE >= listing["total"]:
            return
        page += 1


def named(client: TimetricClient, slug: str) -> Series | None:
    """One's own series of this slug; None where there is none."""
    listing = _listing(client, _path(()), {"u": "me", "slug": slug})
    return next((one for one in _found(client, listing) if one.about["slug"] == slug), None)


def _path(tags: Iterable[str]) -> str:
    """A tag is encoded twice, its dots too (protocol.md, Endpoints)."""
    single = [tags] if isinstance(tags, str) else tags
    steps = [quote(quote(tag, safe="").replace(".", "%2E"), safe="") for tag in single]
    place = f"tags/{';'.join(steps)}/" if steps else "search/"
    return f"{place}results.thick.json"


def _listing(client: TimetricClient, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
    _, body = client.get(path, fields)
    try:
        listing: dict[str, Any] = simplejson.loads(body)
        whole = type(listing["total"]) is int and isinstance(listing["results"], list)
    except (ValueError, RecursionError, TypeError, LookupError) as error:  # no JSON of ours
        raise BadReply("the service did not answer a search with a page of results") from error
    if not whole:
        raise BadReply("the service answered a search with no page of results")
    return listing


def _found(client: TimetricClient, listing: Mapping[str, Any]) -> Iterator[Series]:
    for item in listing["results"]:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise BadReply("the service found what is no series")
        yield Series(client, item["name"], from_item(item))
