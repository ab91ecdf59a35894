"""Which series a person at a prompt means."""

from __future__ import annotations

import re

from timetric.client import TimetricClient
from timetric.creation import ID
from timetric.exceptions import BadRequest
from timetric.metadata import slug_of
from timetric.search import named
from timetric.series import Series
from timetric.store import CommandError

_CANDIDATES = 5  # of an ambiguous name, shown in the error


def find_series(client: TimetricClient, text: str) -> Series:
    """By its ID, its page's URL, its slug, its title, or a part of the title that only it has.

    Slugs and titles are those of one's own series. Raises CommandError where none or several are
    meant.
    """
    if ID.fullmatch(text):
        return client.series(text)
    if text.startswith(("http://", "https://")):
        return _at_url(client, text)
    return _of_slug(client, text) or _of_title(client, text)


def _at_url(client: TimetricClient, url: str) -> Series:
    found = re.match(re.escape(client.url) + rf"series/({ID.pattern})(?![A-Za-z0-9_-])", url)
    if found is None:
        raise CommandError(f"{url} is no series of the service {client.url}")
    return client.series(found[1])


def _of_slug(client: TimetricClient, text: str) -> Series | None:
    try:
        slug = slug_of("slug", text)
    except BadRequest:  # "Office power" can only be a title
        return None
    return named(client, slug) if slug else None


def _of_title(client: TimetricClient, text: str) -> Series:
    part = text.strip().casefold()
    if not part:
        raise CommandError("an empty name is no series; see: timetric ls")
    found = [one for one in client.mine() if part in one.title.casefold()]
    exact = [one for one in found if one.title.casefold() == part]
    for meant in (exact, found):
        if len(meant) == 1:
            return meant[0]
    if not found:
        raise CommandError(f"no series of yours is called {text!r}; see: timetric ls")
    shown = "; ".join(f"{one.id} {one.title!r}" for one in found[:_CANDIDATES])
    more = f" and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
    raise CommandError(f"{text!r} may be {len(found)} series: {shown}{more}; give an ID")
