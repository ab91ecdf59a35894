"""Finding series in SQLite, in three tables that triggers keep in step with ``series``.

``listed`` is narrow, since most of what decides is asked of each series that might be found;
``tagged`` has a row for each tag of a series; ``words`` is the index of their texts.
"""

from __future__ import annotations

import sqlite3

from timetric.server.storage import Search, User

#: The least letters that the last word has where it counts as the beginning of a word too.
_BEGINNING = 2

#: How much a word counts in title, caption, tags and description; bm25 is least for the best.
_RANK = "bm25(words, 10.0, 4.0, 6.0, 1.0)"
_NEWEST = "listed.created DESC, listed.series DESC"

_TAGS = """SELECT tag, count(*) AS number FROM tagged JOIN listed ON listed.series = tagged.series
    WHERE listed.public OR listed.owner = :viewer
    GROUP BY tag ORDER BY number DESC, tag LIMIT :limit"""

_OUT_OF_STEP = """SELECT 1 FROM series WHERE key = ? AND NOT (
    EXISTS (SELECT 1 FROM listed WHERE listed.series = series.key AND listed.owner = series.owner
        AND listed.public = series.public AND listed.created = series.created)
    AND EXISTS (SELECT 1 FROM words_docsize WHERE id = series.key)
    AND NOT EXISTS (
        SELECT 1 FROM tags WHERE tags.series = series.key AND (tag, tags.series) NOT IN tagged))"""


def find(db: sqlite3.Connection, search: Search) -> tuple[int, list[int]]:
    """How many series there are of this kind, and the keys of those of the page."""
    source, parameters = _source(search), _parameters(search)
    (total,) = db.execute(f"SELECT count(*) {source}", parameters).fetchone()
    order = f"{_RANK}, {_NEWEST}" if search.words else _NEWEST
    page = f"SELECT listed.series {source} ORDER BY {order} LIMIT :limit OFFSET :offset"
    return total, [key for (key,) in db.execute(page, parameters)]


def count_tags(db: sqlite3.Connection, viewer: User | None, limit: int) -> list[tuple[str, int]]:
    """The tags that the viewer may find with the number of their series, the most used first."""
    parameters = {"viewer": viewer and viewer.key, "limit": limit}
    return db.execute(_TAGS, parameters).fetchall()


def is_in_step(db: sqlite3.Connection, series: int) -> bool:
    """Whether what a search knows of a series is as the series has it."""
    return db.execute(_OUT_OF_STEP, (series,)).fetchone() is None


def _source(search: Search) -> str:
    """Where the series stand, and what holds for them."""
    tables, conditions = ["listed"], ["(listed.public OR listed.owner = :viewer)"]
    if search.words:
        tables = ["words CROSS JOIN listed ON listed.series = words.rowid"]  # in this order
        conditions.append("words MATCH :words")
    if search.owner is not None:
        conditions.append("listed.owner = (SELECT key FROM users WHERE name = :owner)")
    if search.slug is not None:
        conditions.append("listed.series IN (SELECT key FROM series WHERE slug = :slug)")
    for at in range(len(search.tags)):
        tables.append(
            f"JOIN tagged AS t{at} ON t{at}.tag = :tag{at} AND t{at}.series = listed.series"
        )
    return f"FROM {' '.join(tables)} WHERE {' AND '.join(conditions)}"


def _parameters(search: Search) -> dict[str, object]:
    return {
        "viewer": search.viewer and search.viewer.key,
        "words": _expression(search.words),
        "owner": search.owner,
        "slug": search.slug,
        "limit": search.limit,
        "offset": search.offset,
        **{f"tag{at}": tag for at, tag in enumerate(search.tags)},
    }


def _expression(words: tuple[str, ...]) -> str:
    """The words in the language of FTS5, where what stands in quotes is never its syntax."""
    quoted = ['"{}"'.format(word.replace('"', '""')) for word in words]
    if quoted and len(words[-1]) >= _BEGINNING:
        # Both, because a word that is the whole word then counts twice.
        quoted[-1] = f"({quoted[-1]} OR {quoted[-1]} *)"
    return " AND ".join(quoted)
