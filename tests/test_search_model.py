"""Searches against a plain list: whatever is asked for, the same series are found, each once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.postgres import Databases
from timetric.server.columns import EMPTY
from timetric.server.metadata import Metadata
from timetric.server.storage import Search, Series, Storage, User, open_storage

WORDS = ["oil", "oils", "office", "power", "powers", "p", "2009", "the", "not", "é"]
TAGS = ["energy", "Energy", "public data", "é"]
USERS = ["anna", "bob"]


class Model(NamedTuple):
    """A store, and what was put into it, the newest first."""

    storage: Storage
    users: list[User]
    series: list[Series]

    def expected(self, search: Search) -> list[str]:
        return [series.id for series in self.series if fits(series, search)]

    def found(self, search: Search) -> list[str]:
        """The IDs of all pages."""
        ids: list[str] = []
        while page := self.storage.search(search._replace(offset=len(ids))).series:
            ids += [series.id for series in page]
        return ids


def fits(series: Series, search: Search) -> bool:
    about = series.metadata
    texts = [about.title, about.caption, about.description, *about.tags]
    stands = {word.replace("é", "e").lower() for text in texts for word in text.split()}
    *whole, last = [word.replace("é", "e") for word in search.words] or [""]
    return (
        (about.public or series.owner == search.viewer)
        and search.owner in (None, series.owner.name)
        and set(search.tags) <= set(about.tags)
        and set(whole) <= stands
        and (last in ("", *stands) or (len(last) > 1 and any(w.startswith(last) for w in stands)))
    )


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    if request.param == "sqlite":
        yield from filled(tmp_path_factory.mktemp("store"))
    else:
        made: Databases = request.getfixturevalue("postgres_databases")
        yield from filled(made.new())


def filled(place: Path | str) -> Iterator[Model]:
    storage, chance = open_storage(place), random.Random(1)
    users = [storage.accounts.add_user(name, 1.0) for name in USERS]
    series = []
    for number in range(150):
        texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 3))) for _ in range(3)]
        tags = tuple(chance.sample(TAGS, chance.randint(0, 3)))
        metadata = Metadata(*texts, tags=tags, public=chance.random() < 0.7)
        owner = chance.choice(users)
        storage.create(f"{number:022}", owner, metadata, EMPTY, float(number))
        series.append(storage.series(f"{number:022}"))
    yield Model(storage, users, series[::-1])
    storage.close()


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.sampled_from([*WORDS, "of", "powe"]), max_size=3),
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
    owner=st.sampled_from([None, *USERS, "nobody"]),
    viewer=st.sampled_from([None, 0, 1]),
    limit=st.integers(1, 200),
)
def test_a_search_finds_what_fits_and_counts_it(
    model: Model,
    words: list[str],
    tags: list[str],
    owner: str | None,
    viewer: int | None,
    limit: int,
) -> None:
    who = None if viewer is None else model.users[viewer]
    search = Search(tuple(words), tuple(tags), owner, who, limit)
    found, expected = model.found(search), model.expected(search)
    assert model.storage.search(search).total == len(expected)
    assert (sorted(found) if words else found) == (sorted(expected) if words else expected)
