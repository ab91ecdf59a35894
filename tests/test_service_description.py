"""/series/ID/metadata/: what a series says of itself, read and changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.service import Reply, Service, basic, running_service

PATCH = {"Content-Type": "application/merge-patch+json"}
FIELDS = {
    "title": "Office power",
    "caption": "Drawn by the office",
    "description": "Two lines:\none",
    "tags": "energy;büro",
    "unit": "kW",
    "source": "The meter",
    "source_url": "https://example.org/meter",
    "latitude": "51.5",
    "longitude": "-0.25",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def create(service: Service, csv: bytes = b"", **fields: str) -> str:
    query = urlencode({**FIELDS, **fields})
    reply = service.owner_sends("POST", f"/create/?{query}", csv, {"Content-Type": "text/csv"})
    assert reply.status == 201, reply
    return f"/series/{reply.body.decode().split('/')[-2]}/"


def item(service: Service, path: str) -> dict[str, Any]:
    reply = service.owner_sends("GET", f"{path}metadata/")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    return dict(json.loads(reply.body))


def patch(service: Service, path: str, document: object, **headers: str) -> Reply:
    body = json.dumps(document).encode()
    return service.owner_sends("PATCH", f"{path}metadata/", body, {**PATCH, **headers})


def test_the_item_has_all_that_there_is_to_say(service: Service) -> None:
    path, now = create(service, b"0,1\n1,true\n"), service.clock.now
    assert item(service, path) == {
        "name": path.split("/")[2],
        "title": "Office power",
        "url": f"{service.url.rstrip('/')}{path}",
        "caption": "Drawn by the office",
        "description": "Two lines:\none",
        "tags": ["energy", "büro"],
        "unit": "kW",
        "source": "The meter",
        "source_url": "https://example.org/meter",
        "latitude": 51.5,
        "longitude": -0.25,
        "owner": "owner",
        "public": False,
        "slug": None,
        "created": now,
        "updated": now,
        "points": 2,
        "latest": {"timestamp": 1.0, "value": True},
    }


def test_what_is_not_given_is_null(service: Service) -> None:
    found = item(service, service.create())
    optional = ("description", "unit", "source", "source_url", "latitude", "longitude")
    assert [found[name] for name in optional] == [None] * 6
    assert found["tags"] == []
    assert found["latest"] == {"timestamp": None, "value": None}


def test_a_patch_changes_what_it_names(service: Service) -> None:
    path = create(service, b"0,1\n")
    before = item(service, path)
    service.clock.advance(5)
    changes = {"title": "New", "tags": ["a", "e\u0301"], "latitude": -90, "public": True}
    reply = patch(service, path, changes)
    assert reply.status == 200
    assert reply.headers["Timetric-Version"] == "2"
    expected = {**before, **changes, "tags": ["a", "é"], "updated": service.clock.now}
    assert json.loads(reply.body) == expected
    assert item(service, path) == expected
    assert service.send("GET", f"{path}csv/").body == b"0.0,1.0\n"  # public by now
    assert patch(service, path, {"public": False}).status == 200
    assert service.send("GET", f"{path}csv/").status == 401


def test_null_clears_what_is_optional(service: Service) -> None:
    path = create(service, public="true")
    optional = FIELDS.keys() - {"title", "caption"} | {"public"}
    cleared = json.loads(patch(service, path, dict.fromkeys(optional)).body)
    assert cleared == {
        **item(service, service.create()),
        **{name: cleared[name] for name in ("name", "title", "caption", "url")},
    }


def test_a_patch_that_changes_nothing_is_no_change(service: Service) -> None:
    path = create(service)
    before = item(service, path)
    service.clock.advance(5)
    for document in ({}, {"title": "Office power", "tags": ["energy", "büro"]}):
        reply = patch(service, path, document)
        assert reply.headers["Timetric-Version"] == "0"
        assert json.loads(reply.body) == before


def test_the_item_is_told_to_be_the_same_until_it_changes(service: Service) -> None:
    path = create(service, b"0,1\n")
    tag = service.owner_sends("GET", f"{path}metadata/").headers["ETag"]
    known = {"If-None-Match": tag}
    assert service.owner_sends("GET", f"{path}metadata/", headers=known).status == 304
    assert patch(service, path, {"unit": "W"}, **{"If-Match": tag}).status == 200
    assert patch(service, path, {"unit": "V"}, **{"If-Match": tag}).status == 412
    reply = service.owner_sends("GET", f"{path}metadata/", headers=known)
    assert json.loads(reply.body)["unit"] == "W"
    by_csv = service.owner_sends("GET", f"{path}csv/").headers["ETag"]
    assert patch(service, path, {"unit": "V"}, **{"If-Match": by_csv}).status == 200


def test_points_that_come_meanwhile_stay_counted(service: Service) -> None:
    path = create(service, b"0,1\n")
    assert patch(service, path, {"unit": "W"}, **{"If-Match": '"1.0"'}).status == 200
    assert patch(service, path, {"unit": "kW"}, **{"If-Match": '"1.0"'}).status == 412
    assert service.owner_sends("POST", path, b"1,1", {"Content-Type": "text/csv"}).status == 204
    assert patch(service, path, {"unit": "kW"}, **{"If-Match": '"3.0"'}).status == 200
    assert item(service, path)["points"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None),
        ("title", ""),
        ("title", "é" * 201),
        ("title", 5),
        ("title", "a\0b"),
        ("caption", None),
        ("caption", "c" * 1001),
        ("caption", ["C"]),
        ("description", {}),
        ("tags", "energy"),
        ("tags", ["a;b"]),
        ("tags", ["a", 5]),
        ("unit", True),
        ("source_url", "ftp://example.org/"),
        ("latitude", "51.5"),
        ("latitude", 90.5),
        ("latitude", True),
        ("longitude", -181),
        ("public", "true"),
        ("public", 1),
        ("colour", "red"),
        ("name", "A"),
        ("url", "http://example.org/"),
        ("owner", "other"),
        ("points", 5),
        ("latest", None),
    ],
)
def test_a_patch_that_cannot_be_taken_is_refused_whole(
    service: Service, field: str, value: object
) -> None:
    path = create(service)
    before = item(service, path)
    reply = patch(service, path, {"unit": "W", field: value})
    assert reply.status == 400
    problem = json.loads(reply.body)
    assert problem["field"] == field
    assert field in problem["detail"]
    assert item(service, path) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"title"', b'{"title": "\xff"}'])
def test_a_patch_that_is_no_json_object_is_refused(service: Service, body: bytes) -> None:
    path = create(service)
    reply = service.owner_sends("PATCH", f"{path}metadata/", body, PATCH)
    assert reply.status == 400
    for odd in (b'{"unit": "\\ud800"}', b'{"latitude": NaN}', b'{"latitude": 1e999}'):
        assert service.owner_sends("PATCH", f"{path}metadata/", odd, PATCH).status == 400


def test_a_patch_of_another_type_or_size_is_refused(service: Service) -> None:
    path = f"{create(service)}metadata/"
    for kind in ("application/json-patch+json", "text/plain", "application/x-www-form-urlencoded"):
        reply = service.owner_sends("PATCH", path, b"{}", {"Content-Type": kind})
        assert reply.status == 415
    packed = {**PATCH, "Content-Encoding": "gzip"}
    assert service.owner_sends("PATCH", path, b"{}", packed).status == 415
    long = json.dumps({"description": "d" * 70_000}).encode()
    assert service.owner_sends("PATCH", path, long, PATCH).status == 413
    plain = {"Content-Type": "application/json; charset=utf-8"}
    assert service.owner_sends("PATCH", path, b"{}", plain).status == 200


def test_metadata_is_for_those_who_may(service: Service) -> None:
    other = basic(service.other_config)
    private, public = create(service), create(service, public="true")
    for path, reads, writes in (
        (private, (401, 404), (401, 404)),
        (public, (200, 200), (401, 403)),
    ):
        for headers, read, write in zip(({}, other), reads, writes):
            assert service.send("GET", f"{path}metadata/", headers=headers).status == read
            told = {**PATCH, **headers}
            assert service.send("PATCH", f"{path}metadata/", b"{}", told).status == write
    assert service.owner_sends("PUT", f"{private}metadata/", b"{}", PATCH).status == 405
