"""Finding series in a store: whose they are, what they say, and in which order they come."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_storage import IDS
from timetric.server.columns import EMPTY
from timetric.server.metadata import Metadata
from timetric.server.storage import Search, Series, Storage, User, open_storage

#: What means something to an engine of full text, and is to be looked for as it stands, or not.
SYNTAX = [
    "AND",
    "OR",
    "NOT",
    "NEAR",
    '"',
    "'",
    "*",
    "^",
    "title:",
    "(",
    ")",
    "-",
    "+",
    "%",
    "",
]


class Shelf:
    """A store with series that say something, each a second younger than the one before."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.owner = storage.accounts.add_user("owner", 1.0)
        self.other = storage.accounts.add_user("other", 1.0)
        self._numbers = count(1)

    def put(
        self,
        title: str,
        *tags: str,
        caption: str = "C",
        description: str = "",
        owner: User | None = None,
        public: bool = True,
        now: float | None = None,
    ) -> str:
        """The ID of a new series."""
        number = next(self._numbers)
        metadata = Metadata(title, caption, description, tags, public=public)
        when = float(number) if now is None else now
        id = f"{number:022}"
        self.storage.create(id, owner or self.owner, metadata, EMPTY, when)
        return id

    def find(
        self,
        *words: str,
        tags: tuple[str, ...] = (),
        owner: str | None = None,
        viewer: User | None = None,
    ) -> list[str]:
        """The IDs that are found, which are counted right."""
        found = self.storage.search(Search(words, tags, owner, viewer))
        assert found.total == len(found.series)
        return [series.id for series in found.series]


@pytest.fixture
def shelf(place: Path | str) -> Iterator[Shelf]:
    storage = open_storage(place)
    yield Shelf(storage)
    storage.close()


def test_an_empty_store_holds_nothing_to_find(shelf: Shelf) -> None:
    assert shelf.storage.search(Search()) == (0, [])
    assert shelf.storage.search(Search(("power",), ("energy",), "owner")) == (0, [])


def test_a_series_is_found_whole(shelf: Shelf) -> None:
    id = shelf.put("Power", "energy", caption="Of the office")
    [series] = shelf.storage.search(Search()).series
    assert series == shelf.storage.series(id)


def test_without_words_the_newest_come_first(shelf: Shelf) -> None:
    late, early, same = (shelf.put("Power", now=now) for now in (3.0, 1.0, 1.0))
    assert shelf.find() == [late, same, early]


def test_private_series_are_found_by_their_owner_only(shelf: Shelf) -> None:
    public = shelf.put("Power", "energy")
    private = shelf.put("Power", "energy", public=False)
    for sought in ({}, {"tags": ("energy",)}, {"owner": "owner"}):
        assert shelf.find(**sought) == [public]
        assert shelf.find("power", **sought) == [public]
        assert shelf.find(viewer=shelf.other, **sought) == [public]
        assert set(shelf.find(viewer=shelf.owner, **sought)) == {public, private}
        assert set(shelf.find("power", viewer=shelf.owner, **sought)) == {public, private}


def test_an_owner_is_looked_for_by_name(shelf: Shelf) -> None:
    own, others = shelf.put("Power"), shelf.put("Power", owner=shelf.other)
    assert shelf.find(owner="owner") == [own]
    assert shelf.find("power", owner="other") == [others]
    assert shelf.find(owner="nobody") == []


def test_all_words_are_needed_wherever_they_stand(shelf: Shelf) -> None:
    everywhere = shelf.put("Power", "tagged", caption="Office", description="Drawn\nfrom: mains")
    some = shelf.put("Power", caption="Home")
    assert shelf.find("drawn", "office", "tagged", "power") == [everywhere]
    assert set(shelf.find("power")) == {everywhere, some}
    assert shelf.find("power", "cellar") == []


@pytest.mark.parametrize("word", ["Etaille", "étaille", "ÉTAILLE", "e\u0301taille"])
def test_case_and_accents_do_not_count(shelf: Shelf, word: str) -> None:
    found = [shelf.put("\u00c9taille"), shelf.put("e\u0301taille"), shelf.put("T", "etaille")]
    assert set(shelf.find(word)) == set(found)


def test_the_last_word_may_be_the_beginning_of_one(shelf: Shelf) -> None:
    begins, whole = shelf.put("Temperatures of London"), shelf.put("Temperature of London")
    assert set(shelf.find("london", "temp")) == {begins, whole}
    assert shelf.find("temp", "london") == []
    assert shelf.find("temperature") == [whole, begins]
    assert shelf.find("t") == []


def test_what_fits_best_comes_first_and_then_the_newest(shelf: Shelf) -> None:
    tagged = shelf.put("Rain", "wind")
    described = shelf.put("Rain", description="with wind")
    older, newer = shelf.put("Wind"), shelf.put("Wind")
    assert shelf.find("wind") == [newer, older, tagged, described]


def test_all_tags_are_needed_as_they_are_written(shelf: Shelf) -> None:
    both = shelf.put("Power", "energy", "public data")
    shelf.put("Power", "energy")
    shelf.put("energy")
    assert shelf.find(tags=("public data", "energy")) == [both]
    assert shelf.find("power", tags=("public data",)) == [both]
    assert shelf.find(tags=("Energy",)) == []
    assert shelf.find(tags=("public",)) == []


def test_the_most_used_tags_come_first_with_their_numbers(shelf: Shelf) -> None:
    assert shelf.storage.tags(None, 10) == []
    gone = shelf.put("Power", "energy", "a, b")
    shelf.put("Power", "energy", public=False)
    shelf.put("Power", "office", "Energy", public=False, owner=shelf.other)
    assert shelf.storage.tags(None, 10) == [("a, b", 1), ("energy", 1)]
    assert shelf.storage.tags(shelf.owner, 10) == [("energy", 2), ("a, b", 1)]
    assert shelf.storage.tags(shelf.owner, 1) == [("energy", 2)]
    assert [tag for tag, _ in shelf.storage.tags(shelf.other, 3)] == ["Energy", "a, b", "energy"]
    shelf.storage.amend(shelf.storage.series(gone), {"tags": ("energy",)}, 9.0)
    assert shelf.storage.tags(None, 10) == [("energy", 1)]
    shelf.storage.remove(shelf.storage.series(gone), 9.0)
    assert shelf.storage.tags(None, 10) == []


def test_pages_follow_one_another(shelf: Shelf) -> None:
    ids = [shelf.put("Power") for _ in range(5)][::-1]
    for words in ((), ("power",)):
        pages = [shelf.storage.search(Search(words, limit=2, offset=at)) for at in (0, 2, 4, 6)]
        assert [page.total for page in pages] == [5] * 4
        assert [[s.id for s in page.series] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]


@pytest.mark.parametrize("word", SYNTAX)
def test_no_word_is_taken_for_syntax(shelf: Shelf, word: str) -> None:
    shelf.put("Power and light or not near")
    assert shelf.find(word, "absent") == []
    assert shelf.find("absent", word) == []
    assert shelf.find(tags=(word,), owner=word) == []


def test_many_words_and_tags_are_looked_for(shelf: Shelf) -> None:
    words, tags = [f"w{n}" for n in range(100)], [f"t{n}" for n in range(30)]
    found = shelf.put("Power", *tags, caption=" ".join(words))
    assert shelf.find(*words, tags=tuple(tags)) == [found]
    assert shelf.find(*words, "absent", tags=tuple(tags)) == []


def alone(directory: Path, statement: str) -> None:
    """What another part of the store may do, on the same tables."""
    with closing(sqlite3.connect(directory / "timetric.sqlite3")) as db:
        assert db.execute(statement).rowcount == 1
        db.commit()


def test_changes_and_removals_are_followed_whoever_makes_them(tmp_path: Path) -> None:
    shelf = Shelf(open_storage(tmp_path))
    shelf.put("Power", "energy")
    gone = shelf.put("Wind", "energy")
    alone(tmp_path, """UPDATE series SET title = 'Light', tags = '["new"]' WHERE title = 'Power'""")
    alone(tmp_path, "DELETE FROM series WHERE title = 'Wind'")
    assert shelf.find("power") == shelf.find("wind") == shelf.find(tags=("energy",)) == []
    [light] = shelf.find("light")
    assert light != gone
    assert shelf.find(tags=("new",)) == shelf.find("new") == shelf.find() == [light]
    alone(tmp_path, "UPDATE series SET public = 0")
    assert shelf.find() == shelf.find("light") == []
    assert shelf.find("light", viewer=shelf.owner) == [light]
    assert list(shelf.storage.check()) == []
    shelf.storage.close()


def test_points_leave_what_is_found_as_it_is(shelf: Shelf) -> None:
    series = shelf.storage.series(shelf.put("Power"))
    for value in range(3):
        shelf.storage.append(series, float(value), 100.0)
    assert shelf.find("power") == [series.id]
    assert shelf.storage.search(Search()).series[0].points == 3


@pytest.mark.parametrize("version", [1, 2, 4])
def test_the_series_of_an_older_store_are_found(tmp_path: Path, version: int) -> None:
    shutil.copy(ROOT / f"tests/stores/version-{version}.sqlite3", tmp_path / "timetric.sqlite3")
    storage = open_storage(tmp_path)
    everybody = storage.accounts.users()
    kept = storage.series(IDS[0])
    word, viewer = kept.metadata.title.split()[0], kept.owner
    for search in (Search((word,)), Search(tags=kept.metadata.tags), Search(owner=viewer.name)):
        assert kept in storage.search(search._replace(viewer=viewer)).series
    assert total(storage, everybody) == len(every_series(tmp_path))
    assert list(storage.check()) == []
    storage.close()


def total(storage: Storage, users: list[User]) -> int:
    found = [storage.search(Search(owner=user.name, viewer=user)) for user in users]
    return sum(each.total for each in found)


def every_series(directory: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(directory / "timetric.sqlite3")) as db:
        return db.execute("SELECT id FROM series").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tagged WHERE tag = 'energy'",
        "UPDATE listed SET public = 0",
        "UPDATE listed SET owner = 2",
        "DELETE FROM words_docsize",
    ],
)
def test_a_search_that_does_not_add_up_is_found(tmp_path: Path, statement: str) -> None:
    shelf = Shelf(open_storage(tmp_path))
    series: Series = shelf.storage.series(shelf.put("Power", "energy"))
    assert list(shelf.storage.check()) == []
    alone(tmp_path, statement)
    [fault] = shelf.storage.check()
    assert series.id in fault
    assert "search" in fault
    shelf.storage.close()
