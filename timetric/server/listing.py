"""A page of what a search has found, and the addresses of the pages around it; pure."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode

from timetric.points import Point
from timetric.server.storage import Series

#: Items of a page, unless it is asked for more or fewer; and at most.
PER_PAGE, MOST = 20, 100

_BLANKS = " \t\r\n"  # those around a tag that don't belong to it


class Asked(NamedTuple):
    """What a request asks for, in its own words; a page is counted from 1."""

    q: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    page: int = 1
    per_page: int = PER_PAGE
    slug: str = ""

    @property
    def title(self) -> str:
        """In a few words, for people."""
        if not (self.q or self.tags or self.owner or self.slug):
            return "Newest series"
        parts = ["Series"]
        if self.q:
            parts.append(f"with “{self.q}”")
        if self.tags:
            parts.append("tagged " + ", ".join(f"“{tag}”" for tag in self.tags))
        if self.slug:
            parts.append(f"named “{self.slug}”")
        if self.owner:
            parts.append("by you" if self.owner == "me" else f"by {self.owner}")
        return " ".join(parts)

    def path(self, form: str, page: int) -> str:
        """Where a page of it stands, in the form of that name ("" is HTML), below the base URL."""
        place = tag_path(*self.tags) if self.tags else "search/"
        given = {"q": self.q, "u": self.owner, "slug": self.slug}
        counts = {"n": self.per_page, "p": page}
        usual = {"n": PER_PAGE, "p": 1}
        query = urlencode(
            {name: text for name, text in given.items() if text}
            | {name: count for name, count in counts.items() if count != usual[name]}
        )
        return place + (form and f"results.{form}") + (query and f"?{query}")


class Item(NamedTuple):
    """A series that was found, its latest point, where it is asked for, and its own address."""

    series: Series
    latest: Point | None
    url: str


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


def tag_path(*tags: str) -> str:
    """Where the series with all these tags are listed, below the base URL.

    A tag is encoded twice, since servers decode a path once and take what is a slash then for one;
    its dots too, because ``..`` is a step up.
    """
    once = (quote(tag, safe="").replace(".", "%2E") for tag in tags)
    return f"tags/{';'.join(quote(tag, safe='') for tag in once)}/"


def tags_in(path: str) -> tuple[str, ...]:
    """The tags in what stands behind ``tags/``, which the server has decoded once already."""
    pieces = (unquote(piece) for piece in path.split(";"))
    tags = (unicodedata.normalize("NFC", piece).strip(_BLANKS) for piece in pieces)
    return tuple(dict.fromkeys(tag for tag in tags if tag))
