"""The handlers of /search/ and /tags/: series by words, tags and owner, and the tags themselves."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable

import falcon
from falcon import Request, Response

from timetric.server import atom, fields
from timetric.server.access import series_url
from timetric.server.body import Fields, read_semicolon_query
from timetric.server.identity import Identity
from timetric.server.item import thick_item, thin_item
from timetric.server.listing import MOST, PER_PAGE, Asked, Item, Listing, tag_path, tags_in
from timetric.server.pages import OFTEN_ASKED, PageProblem, is_for_a_person, show
from timetric.server.problem import Problem
from timetric.server.storage import Search, Series, Storage, User

#: The most that is looked for at once: characters and words of ``q``, and tags.
LONGEST_Q, _WORDS, _TAGS = 1000, 50, 20

#: The most tags that the page of tags shows.
MOST_TAGS = 500

_LAST_PAGE = 10**9
_NUMBER = re.compile("0*[1-9][0-9]{0,9}")
_FORM = re.compile(r"(?:(?P<tags>.*)/)?results\.(?P<form>[^/]*)", re.DOTALL)


class DescriptionResource:
    """/search/description.xml: how to search here."""

    def on_get(self, req: Request, resp: Response) -> None:
        resp.data, resp.content_type = atom.description(req.context.base_url), atom.DESCRIPTION_TYPE


class SearchResource:
    """/search/ and /tags/A;B/, each with results.FORM behind it or without."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity

    def on_get(self, req: Request, resp: Response, form: str = "") -> None:
        self._answer(req, resp, form, ())

    def on_get_tags(self, req: Request, resp: Response, path: str = "") -> None:
        match = _FORM.fullmatch(path)
        tags, form = (match["tags"] or "", match["form"]) if match else (path, "")
        if not (tags or form) and _asked(read_semicolon_query(req), ()) == Asked():
            self._show_tags(req, resp)
            return
        self._answer(req, resp, form, _tags(tags))

    def _show_tags(self, req: Request, resp: Response) -> None:
        tags = self._storage.tags(self._viewer(req), MOST_TAGS)
        both = tag_path(*(name for name, _ in tags[:2])) if len(tags) > 1 else None
        show(req, resp, "tags", tags=tags, both=both, most=MOST_TAGS)
        resp.set_header("Cache-Control", OFTEN_ASKED)

    def _answer(self, req: Request, resp: Response, form: str, tags: tuple[str, ...]) -> None:
        if form not in _FORMS:
            raise falcon.HTTPNotFound
        asked = _asked(read_semicolon_query(req), tags)
        viewer = self._viewer(req)
        if viewer is None and asked.owner == "me":
            raise _stranger(req)
        own = viewer.name if viewer and asked.owner == "me" else None
        search = Search(
            words=_words(asked.q),
            tags=tags,
            owner=own or asked.owner or None,
            slug=asked.slug or None,
            viewer=viewer,
            limit=asked.per_page,
            offset=(asked.page - 1) * asked.per_page,
        )
        found = self._storage.search(search)
        items = found_items(req, found.series, None if form in _WITHOUT_POINTS else self._storage)
        listing = Listing(req.context.base_url, asked, found.total, items)
        links = listing.links(form).items()
        resp.set_header("Link", ", ".join(f'<{url}>; rel="{name}"' for name, url in links))
        _FORMS[form](req, resp, listing)

    def _viewer(self, req: Request) -> User | None:
        """Who asks: by credentials or, without any, by a browser that is signed in."""
        user: User | None = self._identity.user(req) or req.context.viewer(req)
        return user


def _stranger(req: Request) -> Problem:
    if is_for_a_person(req):
        return PageProblem(403, "Your own series are found once you have.", title="Sign in first")
    return Problem(401, "To find your own series, send an API token or an OAuth signature.")


def _send_page(req: Request, resp: Response, listing: Listing) -> None:
    show(req, resp, "search", q=listing.asked.q, listing=listing)
    resp.set_header("Cache-Control", OFTEN_ASKED)


def _send_atom(req: Request, resp: Response, listing: Listing) -> None:
    resp.data, resp.content_type = atom.feed(listing), atom.MEDIA_TYPE


def _send_thin(req: Request, resp: Response, listing: Listing) -> None:
    _send_json(resp, listing, [thin_item(item.series, item.url) for item in listing.items])


def _send_thick(req: Request, resp: Response, listing: Listing) -> None:
    _send_json(resp, listing, [thick_item(*item) for item in listing.items])


def _send_json(resp: Response, listing: Listing, results: list[dict[str, object]]) -> None:
    asked = listing.asked
    page = {"total": listing.total, "page": asked.page, "per_page": asked.per_page}
    resp.text = json.dumps({"results": results, **page}, allow_nan=False)
    resp.content_type = "application/json"


#: By the name of each form; "" is what has none.
_FORMS: dict[str, Callable[[Request, Response, Listing], None]] = {
    "": _send_page,
    "atom": _send_atom,
    "thin.json": _send_thin,
    "thick.json": _send_thick,
    "fat.json": _send_thick,
}
_WITHOUT_POINTS = {"atom", "thin.json"}


def found_items(req: Request, series: Iterable[Series], points: Storage | None) -> list[Item]:
    """The series with their latest points out of the store where that is given."""
    latest = (lambda _: None) if points is None else points.latest
    return [Item(each, latest(each), series_url(req, each)) for each in series]


def _asked(query: Fields, tags: tuple[str, ...]) -> Asked:
    q, owner = fields.text(query, "q"), fields.text(query, "u")
    if len(q) > LONGEST_Q:
        raise Problem(400, f"q has {len(q)} characters, and {LONGEST_Q} are allowed.", field="q")
    return Asked(
        q,
        owner,
        tags,
        _number(query, "p", usual=1, most=_LAST_PAGE),
        _number(query, "n", usual=PER_PAGE, most=MOST),
        fields.text(query, "slug"),
    )


def _number(query: Fields, name: str, *, usual: int, most: int) -> int:
    text = fields.text(query, name)
    if not text:
        return usual
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise Problem(400, f"{name} is no whole number from 1 to {most}.", field=name)
    return int(text)


def _words(q: str) -> tuple[str, ...]:
    """What stands in ``q`` beside letters, digits and the marks on them separates words."""
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in q)
    words = tuple(word for word in kept.split() if any(map(str.isalnum, word)))
    if len(words) > _WORDS:
        raise Problem(400, f"q has {len(words)} words, and {_WORDS} are allowed.", field="q")
    return words


def _tags(path: str) -> tuple[str, ...]:
    """Those in a path. Raises Problem."""
    tags = tags_in(path)
    if len(tags) > _TAGS:
        raise Problem(400, f"There are {len(tags)} tags, and {_TAGS} are allowed.")
    return tags
