"""Finding series in PostgreSQL by its own full-text search, over words that are cut out here.

So case and accents are folded alike whatever the database's locale, and what is looked for is never
taken for its language.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from timetric.server.metadata import Metadata
from timetric.server.storage import Search, User
from timetric.server.storage.postgres.pool import Connection

#: The least letters that the last word has where it counts as the beginning of a word too.
_BEGINNING = 2
_LONGEST = 500  # letters of a word that count; PostgreSQL takes 2,046 bytes
_GAP = 10  # places between texts, so that no phrase reaches from one to the next
_LAST_PLACE = 16_383  # PostgreSQL tells no places apart after it
_MOST_PLACES = 255  # of a word, more are left out

#: How much a word counts in description, caption, tags and title: PostgreSQL's D, C, B and A.
_WEIGHTS = "'{0.1, 0.4, 0.6, 1.0}'"
#: What is the whole word counts once more. Longer texts count less.
_RANK = f"""ts_rank({_WEIGHTS}, words, %(query)s::tsquery, 1)
    + ts_rank({_WEIGHTS}, words, %(whole)s::tsquery, 1) DESC"""
_NEWEST = "series.created DESC, series.number DESC"

#: Those of all series are counted, since who may find a series can change at any time.
_TAGS = """SELECT tag, count(*) AS number FROM series, unnest(tags) AS tag
    WHERE public OR owner = %s GROUP BY tag ORDER BY number DESC, tag COLLATE "C" LIMIT %s"""


def words_of(metadata: Metadata) -> str:
    """What a search looks at, as a tsvector."""
    slug = [metadata.slug] if metadata.slug else []
    places: dict[str, list[str]] = {}
    at = 1
    for weight, texts in (
        ("A", [metadata.title]),
        ("B", [*metadata.tags, *slug]),
        ("C", [metadata.caption]),
        ("D", [metadata.description]),
    ):
        for text in texts:
            for word in _words(text):
                places.setdefault(word, []).append(f"{min(at, _LAST_PLACE)}{weight}")
                at += 1
            at += _GAP
    return " ".join(f"'{word}':{','.join(at[:_MOST_PLACES])}" for word, at in places.items())


def find(db: Connection, search: Search, fields: str) -> tuple[int, list[Any]]:
    """How many series there are of this kind, and those of the page with these fields."""
    source, parameters = _source(search), _parameters(search)
    rows = db.execute(f"SELECT count(*) FROM series WHERE {source}", parameters)
    ((total,),) = rows
    order = f"{_RANK}, {_NEWEST}" if search.words else _NEWEST
    page = f"{fields} WHERE {source} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    return total, db.execute(page, parameters).fetchall()


def count_tags(db: Connection, viewer: User | None, limit: int) -> list[tuple[str, int]]:
    """The tags that the viewer may find with the number of their series, the most used first."""
    return db.execute(_TAGS, (viewer and viewer.key, limit)).fetchall()


def _source(search: Search) -> str:
    """What holds for the series."""
    conditions = ["(series.public OR series.owner = %(viewer)s)"]
    if search.words:
        conditions.append("series.words @@ %(query)s::tsquery")
    if search.owner is not None:
        conditions.append("series.owner = (SELECT key FROM users WHERE name = %(owner)s)")
    if search.slug is not None:
        conditions.append("series.slug = %(slug)s")
    if search.tags:
        conditions.append("series.tags @> %(tags)s::text[]")
    return " AND ".join(conditions)


def _parameters(search: Search) -> dict[str, object]:
    phrases = [list(_words(word)) for word in search.words]
    return {
        "viewer": search.viewer and search.viewer.key,
        "query": " & ".join(_phrases(phrases, beginning=True)),
        "whole": " & ".join(_phrases(phrases, beginning=False)),
        "owner": search.owner,
        "slug": search.slug,
        "tags": list(search.tags),
        "limit": search.limit,
        "offset": search.offset,
    }


def _phrases(phrases: list[list[str]], *, beginning: bool) -> Iterator[str]:
    """Each word that is looked for as a tsquery: what it is made of, one after another.

    With ``beginning`` the last one may be the beginning of a word.
    """
    for number, words in enumerate(phrases, start=1):
        quoted = [f"'{word}'" for word in words]
        is_last = number == len(phrases) and beginning
        if quoted and is_last and sum(map(len, words)) >= _BEGINNING:
            quoted[-1] += ":*"
        if quoted:
            yield f"({' <-> '.join(quoted)})"


def _words(text: str) -> Iterator[str]:
    """The runs of letters and digits of a text, without case and accents."""
    for is_word, run in groupby(_folded(text), str.isalnum):
        if is_word:
            yield "".join(run)[:_LONGEST]


def _folded(text: str) -> Iterable[str]:
    plain = unicodedata.normalize("NFD", text).casefold()
    return (letter for letter in plain if not unicodedata.combining(letter))
