"""What every write says it did, and the terms on which it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.service import Headers, Reply, Service, basic, running_service

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CSV = {"Content-Type": "text/csv"}
MANY = 1000  # points that are packed ahead of their transaction


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def rows(*values: float) -> bytes:
    """CSV of these values at 0, 1, 2 and so on."""
    return "".join(f"{t},{value}\n" for t, value in enumerate(values)).encode()


def receipt(reply: Reply) -> tuple[int, ...]:
    """Received, added, replaced, unchanged, removed, version."""
    assert reply.status in (201, 204), reply
    names = ("Received", "Added", "Replaced", "Unchanged", "Removed", "Version")
    return tuple(int(reply.headers[f"Timetric-{name}"]) for name in names)


def problem(reply: Reply, status: int) -> dict[str, object]:
    assert reply.status == status, reply
    document: dict[str, object] = json.loads(reply.body)
    return document


def test_each_write_has_a_receipt(service: Service) -> None:
    created = service.owner_sends("POST", "/create/?title=T&caption=C", rows(1, 2), CSV)
    path = f"/series/{created.body.decode().split('/')[-2]}/"
    assert receipt(created) == (2, 2, 0, 0, 0, 1)
    for method, query, body, headers, expected in (
        ("POST", "", rows(1, 3, 4), CSV, (3, 1, 1, 1, 0, 2)),
        ("POST", "", rows(1, 3, 4), CSV, (3, 0, 0, 3, 0, 2)),
        ("POST", "", b"0,9\n0,1\n", CSV, (2, 0, 0, 1, 0, 2)),
        ("POST", "", b"value=5&timestamp=9", FORM, (1, 1, 0, 0, 0, 3)),
        ("POST", "", b"value=5.0&timestamp=9", FORM, (1, 0, 0, 1, 0, 3)),
        ("POST", "", b"value=-0&timestamp=9", FORM, (1, 0, 1, 0, 0, 4)),
        ("POST", "", b"value=0&timestamp=9", FORM, (1, 0, 1, 0, 0, 5)),
        ("POST", "", b"increment=1", FORM, (1, 1, 0, 0, 0, 6)),
        ("PUT", "", rows(1, 3, 5), CSV, (3, 0, 1, 2, 2, 7)),
        ("PUT", "", rows(1, 3, 5), CSV, (3, 0, 0, 3, 0, 7)),
        ("DELETE", "?start=1&end=2", None, {}, (0, 0, 0, 0, 1, 8)),
        ("DELETE", "?start=1&end=2", None, {}, (0, 0, 0, 0, 0, 8)),
        ("DELETE", "", None, {}, (0, 0, 0, 0, 2, 9)),
        ("DELETE", "", None, {}, (0, 0, 0, 0, 0, 9)),
        ("POST", "", b"", CSV, (0, 0, 0, 0, 0, 9)),
    ):
        reply = service.owner_sends(method, path + query, body, headers)
        assert receipt(reply) == expected, (method, query, body)


def test_a_single_value_is_told_with_its_timestamp(service: Service) -> None:
    path, now = service.create(), service.clock.now
    for body, point in (
        (b"value=NULL&timestamp=1970-01-01", "0.0,null"),
        (b"value=14", f"{now!r},14.0"),
        (b"increment=-1", None),
    ):
        reply = service.owner_sends("POST", path, body, FORM)
        timestamp, _, value = reply.headers["Timetric-Point"].partition(",")
        assert service.csv(path).decode().splitlines()[-1] == f"{timestamp},{value}"
        assert point in (None, f"{timestamp},{value}")
    assert "Timetric-Point" not in service.owner_sends("POST", path, rows(1), CSV).headers


def test_many_points_are_counted_like_few(service: Service) -> None:
    path = service.create(rows(*range(MANY)))
    service.owner_sends("POST", path, b"value=-1&timestamp=5", FORM)
    service.owner_sends("POST", path, b"value=-1&timestamp=5000", FORM)
    again = rows(*range(MANY)) + b"5000,-1\n6000,1\n"
    assert receipt(service.owner_sends("POST", path, again, CSV)) == (
        MANY + 2,
        1,
        1,
        MANY,
        0,
        4,
    )
    assert service.csv(path).splitlines()[5] == b"5.0,5.0"
    assert receipt(service.owner_sends("PUT", path, rows(*range(MANY)), CSV))[:5] == (
        MANY,
        0,
        0,
        MANY,
        2,
    )


@pytest.mark.parametrize("size", [3, MANY])
def test_a_conflict_can_keep_what_stands_or_refuse_all(service: Service, size: int) -> None:
    path = service.create(rows(0, 1, 2))
    body = rows(0, 7, 8, *range(size))
    reply = service.owner_sends("POST", f"{path}?on_conflict=error", body, CSV)
    assert problem(reply, 409)["timestamp"] == 1.0
    assert "1.0" in str(problem(reply, 409)["detail"])
    assert service.csv(path) == b"0.0,0.0\n1.0,1.0\n2.0,2.0\n"
    reply = service.owner_sends("POST", f"{path}?on_conflict=keep", body, CSV)
    assert receipt(reply) == (size + 3, size, 0, 3, 0, 2)
    assert service.csv(path).startswith(b"0.0,0.0\n1.0,1.0\n2.0,2.0\n3.0,0.0\n")
    same = service.owner_sends("POST", f"{path}?on_conflict=error", rows(0, 1, 2), CSV)
    assert receipt(same) == (3, 0, 0, 3, 0, 2)


def test_a_single_value_can_keep_or_refuse_too(service: Service) -> None:
    path = service.create(rows(1))
    kept = service.owner_sends("POST", path, b"value=2&timestamp=0&on_conflict=keep", FORM)
    assert receipt(kept) == (1, 0, 0, 1, 0, 1)
    assert kept.headers["Timetric-Point"] == "0.0,1.0"
    refused = service.owner_sends("POST", path, b"value=2&timestamp=0&on_conflict=error", FORM)
    assert problem(refused, 409)["timestamp"] == 0.0
    assert service.csv(path) == b"0.0,1.0\n"


@pytest.mark.parametrize(
    ("method", "query", "body", "headers"),
    [
        ("POST", "on_conflict=maybe", b"0,1", CSV),
        ("PUT", "on_conflict=keep", b"0,1", CSV),
        ("POST", "dry_run=yes", b"0,1", CSV),
        ("POST", "dry_run=", b"value=1", FORM),
    ],
)
def test_terms_that_mean_nothing_are_refused_by_name(
    service: Service, method: str, query: str, body: bytes, headers: Headers
) -> None:
    path = service.create()
    reply = service.owner_sends(method, f"{path}?{query}", body, headers)
    assert problem(reply, 400)["field"] == query.partition("=")[0]
    assert service.csv(path) == b""


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(service: Service) -> None:
    path = service.create(rows(1, 2, 3))
    before = service.csv(path)
    many = rows(*range(MANY))
    for method, query, body, headers, expected in (
        ("POST", "", rows(1, 5) + b"9,1\n", CSV, (3, 1, 1, 1, 0, 1)),
        ("POST", "", many, CSV, (MANY, MANY - 3, 3, 0, 0, 1)),
        ("POST", "&on_conflict=keep", many, CSV, (MANY, MANY - 3, 0, 3, 0, 1)),
        ("POST", "", b"value=1", FORM, (1, 1, 0, 0, 0, 1)),
        ("POST", "", b"increment=1", FORM, (1, 1, 0, 0, 0, 1)),
        ("PUT", "", rows(1), CSV, (1, 0, 0, 1, 2, 1)),
        ("PUT", "", many, CSV, (MANY, MANY - 3, 3, 0, 0, 1)),
        ("DELETE", "", None, {}, (0, 0, 0, 0, 3, 1)),
        ("DELETE", "&start=1", None, {}, (0, 0, 0, 0, 2, 1)),
        ("DELETE", "&series=true", None, {}, (0, 0, 0, 0, 3, 1)),
    ):
        reply = service.owner_sends(method, f"{path}?dry_run=true{query}", body, headers)
        assert receipt(reply) == expected, (method, query)
        assert service.csv(path) == before
    conflict = service.owner_sends("POST", f"{path}?dry_run=true&on_conflict=error", many, CSV)
    assert problem(conflict, 409)["timestamp"] == 0.0


def test_a_series_can_be_made_in_a_dry_run(service: Service) -> None:
    create = "/create/?title=T&caption=C&dry_run=true"
    reply = service.owner_sends("POST", create, rows(1, 2), CSV)
    assert reply.status == 200
    assert "Location" not in reply.headers
    assert reply.headers["Timetric-Added"] == "2"
    assert service.owner_sends("POST", create, b"0,x", CSV).status == 400


def test_a_write_is_done_only_to_the_version_that_it_names(service: Service) -> None:
    path = service.create(rows(1))  # version 1, generation 0
    for tag in (
        '"0.0"',
        '"*"',
        ",",
        '"1.1-csv"',
        '"2.0-csv"',
        '"x"',
        '"1.0"x',
        '"5.0", W/"6.0-json"',
    ):
        for method, body in (("POST", b"1,1"), ("PUT", b"1,1"), ("DELETE", None), ("PATCH", b"{}")):
            to = f"{path}metadata/" if method == "PATCH" else path
            kind = "application/json" if method == "PATCH" else "text/csv"
            reply = service.owner_sends(method, to, body, {"If-Match": tag, "Content-Type": kind})
            assert "version is 1" in str(problem(reply, 412)["detail"])
    assert service.csv(path) == b"0.0,1.0\n"
    for number, tag in enumerate(('"1.0"', 'W/"2.0-csv-gzip"', '"x", "3.0-json"', "*")):
        reply = service.owner_sends("POST", path, f"1,{number}".encode(), {**CSV, "If-Match": tag})
        assert receipt(reply)[5] == number + 2
    reply = service.owner_sends("DELETE", path, headers={"If-Match": '"5.0"'})
    assert receipt(reply) == (0, 0, 0, 0, 2, 6)
    assert service.owner_sends("PUT", path, b"1,1", {"If-Match": '"6.0"'}).status == 412
    assert service.owner_sends("PUT", path, b"1,1", {"If-Match": '"6.1"'}).status == 204


def test_terms_are_for_whoever_may_write(service: Service) -> None:
    path = service.create(rows(1), public=True)
    for headers, status in (({}, 401), (basic(service.other_config), 403)):
        told = {**CSV, **headers, "If-Match": '"9.9"', "Idempotency-Key": "key"}
        assert service.send("POST", f"{path}?dry_run=true", rows(2), told).status == status
