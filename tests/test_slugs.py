"""A series by a short name of its owner's own: unique, found, and kept by the store."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_bytes
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import ROOT
from tests.service import Reply, Service, basic, running_service
from timetric.server.columns import EMPTY
from timetric.server.credentials import make_id
from timetric.server.metadata import Metadata
from timetric.server.receipt import PLAIN, Key, Terms
from timetric.server.storage import Search, SlugTaken, Storage, User, open_storage

NAMED = Metadata("Power", "Drawn by the office", slug="office-power")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def storage(place: Path | str) -> Iterator[Storage]:
    store = open_storage(place)
    yield store
    store.close()


def put(
    storage: Storage, owner: User, metadata: Metadata = NAMED, terms: Terms = PLAIN
) -> str | None:
    return storage.create(make_id(token_bytes), owner, metadata, EMPTY, 5.0, terms).made


def ids(storage: Storage, **asked: Any) -> list[str]:
    return [series.id for series in storage.search(Search(**asked)).series]


def test_no_two_series_of_one_owner_have_one_slug(storage: Storage) -> None:
    anna, bert = (storage.accounts.add_user(name, 1.0) for name in ("anna", "bert"))
    first = put(storage, anna)
    with pytest.raises(SlugTaken) as taken:
        put(storage, anna)
    assert taken.value.id == first
    with pytest.raises(SlugTaken):
        put(storage, anna, terms=Terms(dry_run=True))
    assert ids(storage, viewer=anna) == [first]
    assert put(storage, bert) != first
    plain = [put(storage, anna, Metadata("t", "c")) for _ in range(2)]
    assert len({first, *plain}) == 3


def test_a_slug_is_changed_freed_and_taken_again(storage: Storage) -> None:
    anna = storage.accounts.add_user("anna", 1.0)
    first, other = put(storage, anna), put(storage, anna, Metadata("Other", "c"))
    assert first is not None
    assert other is not None
    before = storage.series(other)
    with pytest.raises(SlugTaken):
        storage.amend(before, {"slug": NAMED.slug, "title": "New"}, 6.0)
    assert storage.series(other) == before
    storage.amend(storage.series(first), {"slug": "power.1"}, 6.0)
    storage.amend(storage.series(other), {"slug": NAMED.slug}, 7.0)
    assert storage.series(first).metadata.slug == "power.1"
    storage.remove(storage.series(other), 8.0)
    assert put(storage, anna) is not None
    storage.amend(storage.series(first), {"slug": None}, 9.0)
    assert storage.series(first).metadata == dataclasses.replace(NAMED, slug=None)
    assert list(storage.check()) == []


def test_a_user_who_is_removed_leaves_no_slug(storage: Storage) -> None:
    first = put(storage, storage.accounts.add_user("anna", 1.0))
    storage.accounts.remove_user(storage.accounts.user("anna"))
    again = storage.accounts.add_user("anna", 2.0)
    assert ids(storage, viewer=again, slug=NAMED.slug) == []
    second = put(storage, again)
    assert second != first
    assert ids(storage, viewer=again, slug=NAMED.slug) == [second]


def test_series_are_found_by_slug_and_by_its_words(storage: Storage) -> None:
    anna = storage.accounts.add_user("anna", 1.0)
    tagged = dataclasses.replace(NAMED, tags=("energy",), slug="meter_7.north-side")
    first, second = put(storage, anna, tagged), put(storage, anna)
    assert ids(storage, viewer=anna, slug="meter_7.north-side") == [first]
    assert ids(storage, viewer=anna, owner="anna", slug="office-power") == [second]
    assert ids(storage, viewer=anna, slug="office") == []
    assert ids(storage, slug="office-power") == []  # it is private
    for words in (("meter",), ("7", "north"), ("energy", "side")):
        assert ids(storage, viewer=anna, words=words) == [first]
    assert first is not None
    storage.amend(storage.series(first), {"slug": None}, 6.0)
    assert ids(storage, viewer=anna, words=("north",)) == []
    assert ids(storage, viewer=anna, words=("energy",)) == [first]
    assert list(storage.check()) == []


def test_a_repeat_with_its_key_is_answered_before_the_slug_is_looked_at(storage: Storage) -> None:
    anna = storage.accounts.add_user("anna", 1.0)
    terms = Terms(key=Key("again", b"the same"))
    assert put(storage, anna, terms=terms) == put(storage, anna, terms=terms)


def test_a_store_of_version_7_is_brought_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/stores/version-7.sqlite3", tmp_path / "timetric.sqlite3")
    store = open_storage(tmp_path)
    owner = store.accounts.user("owner")
    assert list(store.check()) == []
    old = store.series("A" * 22)
    assert (old.points, old.metadata.tags, old.metadata.slug) == (5000, ("energy", "é"), None)
    assert ids(store, viewer=owner, words=("energy",)) == ["C" * 22, "A" * 22]
    store.amend(old, {"slug": "office"}, 30.0)
    assert ids(store, viewer=owner, slug="office") == ids(store, viewer=owner, words=("office",))
    store.remove(store.series("A" * 22), 40.0)
    assert ids(store, viewer=owner, words=("energy",)) == ["C" * 22]
    assert list(store.check()) == []
    store.close()


def _put_all(place: Path | str, start: Any, made: Any) -> None:
    """In a process of its own: try to make each of many series."""
    storage = open_storage(place)
    owner = storage.accounts.user("owner")
    start.wait()
    for number in range(40):
        named = dataclasses.replace(NAMED, slug=f"s{number}")
        try:
            made.put((number, put(storage, owner, named)))
        except SlugTaken as taken:
            made.put((number, taken.id))
    storage.close()


def test_processes_that_race_agree(place: Path | str) -> None:
    store = open_storage(place)
    owner = store.accounts.add_user("owner", 1.0)
    fresh = multiprocessing.get_context("spawn")
    start, made = fresh.Barrier(3), fresh.Queue()
    racers = [fresh.Process(target=_put_all, args=(place, start, made)) for _ in range(3)]
    for racer in racers:
        racer.start()
    got = {made.get(timeout=60) for _ in range(3 * 40)}
    for racer in racers:
        racer.join(60)
    assert len(got) == 40  # of each number one series
    assert {id for _, id in got} == set(ids(store, viewer=owner, limit=100))
    store.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def create(service: Service, slug: str, config: dict[str, Any] | None = None) -> Reply:
    form = urlencode({"title": "Power", "caption": "Office", "slug": slug}).encode()
    headers = {**FORM, **basic(config or service.config)}
    return service.send("POST", "/create/", form, headers)


def document(reply: Reply) -> dict[str, Any]:
    return dict(json.loads(reply.body))


def test_a_slug_that_is_taken_is_409_and_names_the_series(service: Service) -> None:
    made = create(service, "taken")
    id = made.headers["Location"].split("/")[-2]
    again = create(service, "taken")
    assert again.status == 409
    assert document(again)["field"] == "slug"
    assert document(again)["series"] == id
    assert again.headers["Location"] == made.headers["Location"] == f"{service.url}series/{id}/"
    assert create(service, "taken", service.other_config).status == 201
    other = create(service, "other-one").headers["Location"].split("/")[-2]
    patched = service.owner_sends(
        "PATCH", f"/series/{other}/metadata/", b'{"slug": "taken"}', PATCH
    )
    assert (patched.status, document(patched)["series"]) == (409, id)
    assert patched.headers["Location"] == made.headers["Location"]
    item = document(service.owner_sends("GET", f"/series/{other}/metadata/"))
    assert item["slug"] == "other-one"


def test_the_repeat_of_a_making_is_answered_like_the_first(service: Service) -> None:
    form = urlencode({"title": "Power", "caption": "Office", "slug": "repeated"}).encode()
    headers = {**FORM, "Idempotency-Key": "made-once"}
    made, again = (service.owner_sends("POST", "/create/", form, headers) for _ in range(2))
    assert (made.status, again.status) == (201, 201)
    assert again.headers["Location"] == made.headers["Location"]


@pytest.mark.parametrize("slug", ["Office", "-x", ".x", "a b", "é", "a" * 65, "a;b", "a/b"])
def test_what_is_no_slug_is_400(service: Service, slug: str) -> None:
    reply = create(service, slug)
    assert (reply.status, document(reply)["field"]) == (400, "slug")
    path = service.create()
    patch = json.dumps({"slug": slug}).encode()
    assert service.owner_sends("PATCH", f"{path}metadata/", patch, PATCH).status == 400


def test_a_slug_is_cleared_by_null_and_shown(service: Service) -> None:
    path = service.create()
    address = f"{path}metadata/"
    assert document(service.owner_sends("GET", address))["slug"] is None
    set_to = service.owner_sends("PATCH", address, b'{"slug": "shown-7"}', PATCH)
    assert document(set_to)["slug"] == "shown-7"
    assert b"shown-7" in service.owner_sends("GET", path).body
    cleared = service.owner_sends("PATCH", address, b'{"slug": null}', PATCH)
    assert document(cleared)["slug"] is None


def test_a_search_by_slug_is_exact_and_keeps_it_in_its_links(service: Service) -> None:
    id = create(service, "exact").headers["Location"].split("/")[-2]
    create(service, "exact-2")
    reply = service.owner_sends("GET", "/search/results.thick.json?u=me&slug=exact")
    found = document(reply)
    assert [item["name"] for item in found["results"]] == [id]
    assert found["total"] == 1
    assert "slug=exact" in reply.headers["Link"]
    stranger = service.send("GET", "/search/results.thick.json?slug=exact")
    assert document(stranger)["total"] == 0


def test_of_many_at_once_one_makes_it(service: Service) -> None:
    start = Barrier(8)

    def race(_: int) -> Reply:
        start.wait()
        return create(service, "raced")

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(race, range(8)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 7
    [made] = [reply for reply in replies if reply.status == 201]
    told = {document(reply)["series"] for reply in replies if reply.status == 409}
    assert told == {made.headers["Location"].split("/")[-2]}
