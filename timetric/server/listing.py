"""A page of what a search has found: the addresses around it, and its items as JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from timetric.points import Point
from timetric.server.storage import Series

#: Items of a page, unless it is asked for more or fewer; and at most.
PER_PAGE, MOST = 20, 100


class Asked(NamedTuple):
    """What a request asks for, in its own words; a page is counted from 1."""

    q: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    page: int = 1
    per_page: int = PER_PAGE

    @property
    def title(self) -> str:
        """In a few words, for people."""
        if not (self.q or self.tags or self.owner):
            return "Newest series"
        parts = ["Series"]
        if self.q:
            parts.append(f"with “{self.q}”")
        if self.tags:
            parts.append("tagged " + ", ".join(f"“{tag}”" for tag in self.tags))
        if self.owner:
            parts.append("by you" if self.owner == "me" else f"by {self.owner}")
        return " ".join(parts)

    def path(self, form: str, page: int) -> str:
        """Where a page of it stands, in the form of that name ("" is HTML), below the base URL."""
        place = tag_path(*self.tags) if self.tags else "search/"
        given = {"q": self.q, "u": self.owner}
        counts = {"n": self.per_page, "p": page}
        usual = {"n": PER_PAGE, "p": 1}
        query = urlencode(
            {name: text for name, text in given.items() if text}
            | {name: count for name, count in counts.items() if count != usual[name]}
        )
        return place + (form and f"results.{form}") + (query and f"?{query}")


class Item(NamedTuple):
    """A series that was found, its own address, and its latest point."""

    series: Series
    url: str
    latest: Point | None


class Listing(NamedTuple):
    """A page of ``items``, of so many in ``total``."""

    base_url: str
    asked: Asked
    total: int
    items: list[Item]

    @property
    def first(self) -> int:
        """The place of its first item among all, from 1."""
        return (self.asked.page - 1) * self.asked.per_page + 1

    def url(self, form: str = "", page: int | None = None) -> str:
        """The address of a page in a form; this page's own, unless one is given."""
        return self.base_url + self.asked.path(form, page or self.asked.page)

    def links(self, form: str = "") -> dict[str, str]:
        """The addresses of the pages around it, by their relation (RFC 8288)."""
        here, last = self.asked.page, max(1, -(-self.total // self.asked.per_page))
        pages = {"first": 1, "last": last}
        if here > 1:
            pages["previous"] = min(here - 1, last)
        if here < last:
            pages["next"] = here + 1
        return {name: self.url(form, page) for name, page in pages.items()}

    def as_json(self, item: Callable[[Item], dict[str, Any]]) -> bytes:
        """The page with its items as ``thin`` or ``thick`` gives them."""
        document = {
            "results": [item(each) for each in self.items],
            "total": self.total,
            "page": self.asked.page,
            "per_page": self.asked.per_page,
        }
        return json.dumps(document, allow_nan=False).encode("ascii")


def tag_path(*tags: str) -> str:
    """Where the series with all these tags are listed, below the base URL.

    A tag is encoded twice, since servers decode a path once and take what is a slash then for one;
    its dots too, because ``..`` is a step up.
    """
    once = (quote(tag, safe="").replace(".", "%2E") for tag in tags)
    return f"tags/{';'.join(quote(tag, safe='') for tag in once)}/"


def thin(item: Item) -> dict[str, Any]:
    """What names a series."""
    series = item.series
    return {"name": series.id, "title": series.metadata.title, "url": item.url}


def thick(item: Item) -> dict[str, Any]:
    """All that a series says of itself, and its latest point; times are Unix seconds."""
    series, about = item.series, item.series.metadata
    timestamp, value = item.latest or (None, None)
    return {
        **thin(item),
        "caption": about.caption,
        "description": about.description,
        "tags": about.tags,
        "unit": about.unit,
        "source": about.source,
        "source_url": about.source_url,
        "latitude": about.latitude,
        "longitude": about.longitude,
        "owner": series.owner.name,
        "public": about.public,
        "created": series.created,
        "updated": series.updated,
        "points": series.points,
        "latest": {"timestamp": timestamp, "value": value},
    }
