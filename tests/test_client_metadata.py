"""What a series says of itself, and how series are found by it, through the client."""

from __future__ import annotations

import secrets
import threading
from typing import Any

import pytest

import timetric
from tests.conftest import RunningService
from tests.misbehaving import answer, http, misbehaving
from timetric.metadata import as_form, checked, from_item

FIELDS: dict[str, Any] = {
    "title": "Étaille; <b>Office</b> power",
    "caption": "Drawn by the office",
    "description": "From the meter.\nBy the door.",
    "tags": ("energy", "a/b ; c".replace(" ; ", ", "), "50 %", "..", "é"),
    "unit": "kW",
    "source": "Meter 7",
    "source_url": "https://example.org/meter?n=7",
    "latitude": 51.5,
    "longitude": -0.125,
    "public": False,
}


@pytest.fixture
def word() -> str:
    """One that no other series has."""
    return f"w{secrets.token_hex(6)}"


def test_a_new_series_knows_what_it_says_without_asking(
    service: RunningService, client: timetric.TimetricClient
) -> None:
    made = client.create_series(**FIELDS)
    away = client.within(0.001)  # in which nothing can be asked
    known = timetric.Series(away, made.id, made.about)
    assert {name: getattr(known, name) for name in FIELDS} == FIELDS
    asked = client.series(made.id)
    assert {name: getattr(asked, name) for name in FIELDS} == FIELDS
    assert asked.owner == made.owner == "owner"
    assert 0 <= asked.updated - asked.created < 10


def test_what_is_not_given_is_empty(client: timetric.TimetricClient) -> None:
    made = client.create_series(title="t", caption="c")
    for series in (made, client.series(made.id)):
        assert (series.description, series.tags, series.unit, series.source) == ("", (), "", "")
        assert (series.latitude, series.longitude, series.public) == (None, None, False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"title": ""}, "needs a title"),
        ({"title": " \n"}, "needs a title"),
        ({"caption": ""}, "needs a caption"),
        ({"title": "t" * 201}, "201 characters, and 200"),
        ({"caption": "c" * 1001}, "1001 characters, and 1000"),
        ({"title": 7}, "title 7 is no text"),
        ({"tags": ["a;b"]}, "semicolon"),
        ({"tags": [7]}, "tag 7 is no text"),
        ({"tags": 7}, "tags 7"),
        ({"latitude": "north"}, "latitude 'north'"),
        ({"longitude": True}, "longitude True"),
        ({"public": "yes"}, "public 'yes'"),
        ({"slug": "Office power"}, "slug 'Office power'"),
        ({"titel": "t"}, "'titel' is no field"),
    ],
)
def test_what_can_not_be_taken_is_refused_before_it_is_sent(
    fields: dict[str, Any], told: str
) -> None:
    nowhere = timetric.TimetricClient(
        {"url": "http://127.0.0.1:9/", "authtype": "apitoken", "apitoken_key": "k"}
        | {"apitoken_secret": "s"},
        retries=0,
    )
    with pytest.raises(timetric.BadRequest, match=told):
        nowhere.create_series(**{"title": "t", "caption": "c", **fields})
    with pytest.raises(ValueError, match=told):
        nowhere.series("A" * 22).describe(**fields)


def test_describing_changes_what_is_named(client: timetric.TimetricClient) -> None:
    series = client.create_series(**FIELDS)
    before = client.series(series.id)
    assert before.title == FIELDS["title"]
    told = series.describe(title="New", tags=["b", "b", "a"], unit="", latitude=None, public=True)
    changed = {"title": "New", "tags": ("b", "a"), "unit": "", "latitude": None, "public": True}
    for handle in (series, client.series(series.id)):
        assert {name: getattr(handle, name) for name in FIELDS} == {**FIELDS, **changed}
    assert told["title"] == "New"
    assert before.title == FIELDS["title"]  # as it was read
    before.describe()
    assert before.title == "New"


def test_what_the_service_refuses_changes_nothing(client: timetric.TimetricClient) -> None:
    series = client.create_series(**FIELDS)
    with pytest.raises(timetric.BadRequest, match="latitude"):
        series.describe(title="New", latitude=91)
    assert series.title == client.series(series.id).title == FIELDS["title"]


def test_a_handle_shows_its_title_once_it_knows_it(client: timetric.TimetricClient) -> None:
    made = client.create_series(title="Office power", caption="c")
    assert repr(made) == f'<timetric.Series {made.id!r} "Office power">'
    handle = client.series(made.id)
    assert repr(handle) == f"<timetric.Series {made.id!r}>"
    assert handle.caption == "c"
    assert repr(handle) == '<Series "Office power" no points>'


def test_series_are_found_by_words_tags_and_owner(
    client: timetric.TimetricClient, word: str
) -> None:
    fields = {**FIELDS, "title": f"Power {word}"}
    made = client.create_series(**fields)
    other = client.create_series(title=f"Heat {word}", caption="c", tags=["energy"])
    assert list(client.search(word)) == [other, made]
    assert list(client.search(f"power {word}")) == [made]
    assert list(client.search(word, tags=fields["tags"])) == [made]
    assert list(client.search(word, tags="energy", user="owner")) == [other, made]
    assert list(client.search(word, user="nobody")) == []
    assert list(client.mine(word, tags=["energy"])) == [other, made]
    [found] = client.search(f"power {word}")
    assert {name: getattr(found, name) for name in fields} == fields


def test_a_search_asks_nothing_until_it_is_read_and_then_page_by_page(
    client: timetric.TimetricClient, word: str
) -> None:
    made = [client.create_series(title=f"{word} {n}", caption="c") for n in range(101)]
    found = client.search(word)
    first = next(found)
    late = client.create_series(title=f"{word} late", caption="c")  # moves all by one
    rest = list(found)
    assert {first, *rest} >= set(made)
    assert len(rest) == len(set(rest))
    assert first not in rest
    assert late not in rest


def test_what_is_no_listing_is_told(client: timetric.TimetricClient) -> None:
    bodies = [b"no", b"[]", b"{}", b'{"total": 1, "results": [{}]}', b'{"total": 1, "results": 7}']
    bodies.append(b'{"total": 1, "results": [{"name": "x", "owner": 1}]}')
    for body in bodies:
        with misbehaving(answer(http(body=body))) as service:
            lost = timetric.TimetricClient({**dict(client.config), "url": service.url})
            with pytest.raises(timetric.BadReply):
                list(lost.search("x"))


def test_metadata_go_there_and_back() -> None:
    known = checked(FIELDS)
    assert dict(as_form({"title": "t", "unit": "", "latitude": 0.5, "public": True})) == {
        "title": "t",
        "latitude": "0.5",
        "public": "true",
    }
    told = {**known, "tags": list(known["tags"]), "owner": "o", "created": 1, "updated": 2}
    assert from_item(told) == {**known, "slug": None, "owner": "o", "created": 1.0, "updated": 2.0}


def test_a_slug_names_a_series(client: timetric.TimetricClient, word: str) -> None:
    first = client.get_or_create(word, [(1, 2)], title="Power", caption="c", unit="kW")
    again = client.get_or_create(word, [(3, 4)], title="Other", caption="d")
    assert first == again
    assert list(again) == [(1.0, 2.0)]
    assert (again.title, again.slug, first.slug) == ("Power", word, word)
    with pytest.raises(timetric.Conflict):
        client.create_series(title="t", caption="c", slug=word)
    with pytest.raises(timetric.Conflict):
        client.create_series(title="t", caption="c").describe(slug=word)
    first.describe(slug=None)
    assert client.get_or_create(word, title="New", caption="c") != first


@pytest.mark.parametrize("slug", ["", "Office", "-a", "a b", "a" * 65, "é", None])
def test_what_is_no_slug_is_refused(client: timetric.TimetricClient, slug: Any) -> None:
    with pytest.raises(ValueError, match="slug"):
        client.get_or_create(slug, title="t", caption="c")


def test_threads_that_want_a_slug_at_once_get_one_series(
    client: timetric.TimetricClient, word: str
) -> None:
    got: list[timetric.Series] = []
    start = threading.Barrier(8)

    def want() -> None:
        start.wait()
        got.append(client.get_or_create(word, title="Power", caption="c"))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert list(client.mine(word)) == got[:1]
