"""POST, PUT and DELETE on a series."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service import Service, basic, running_service

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CSV = {"Content-Type": "text/csv"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=XX"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store"), max_body=3_000_000) as running:
        yield running


def latest(service: Service, path: str) -> tuple[Any, Any]:
    point = json.loads(service.owner_sends("GET", f"{path}value/json/").body)
    return point["timestamp"], point["value"]


def test_a_value_is_stamped_now(service: Service) -> None:
    path = service.create()
    assert service.owner_sends("POST", path, b"value=14", FORM).status == 204
    assert latest(service, path) == (service.clock.now, 14.0)


def test_two_values_in_one_instant_are_both_kept(service: Service) -> None:
    path = service.create()
    for value in (b"value=1", b"value=NULL"):
        assert service.owner_sends("POST", path, value, FORM).status == 204
    lines = service.csv(path).splitlines()
    assert [line.partition(b",")[2] for line in lines] == [b"1.0", b"null"]


def test_a_value_may_bring_its_timestamp(service: Service) -> None:
    path = service.create()
    for time in ("1236735000", "2009-03-11T02:38:20%2B01:00", "2009-03-11T02:38:20.5+01:00"):
        form = f"value=3&timestamp={time}".encode()
        assert service.owner_sends("POST", path, form, FORM).status == 204
    assert service.csv(path) == b"1236735000.0,3.0\n1236735500.0,3.0\n1236735500.5,3.0\n"


def test_an_increment_adds_to_the_latest_value_and_starts_from_0(service: Service) -> None:
    path = service.create()
    for amount in ("4.5", "-1"):
        service.clock.advance(10)
        assert service.owner_sends("POST", f"{path}?increment={amount}", b"").status == 204
    assert latest(service, path) == (service.clock.now, 3.5)
    assert len(service.csv(path).splitlines()) == 2


def test_an_increment_is_stamped_after_the_latest_point_whatever_the_clock_says(
    service: Service,
) -> None:
    ahead = service.clock.now + 1000
    path = service.create(f"{ahead!r},1\n".encode())
    assert service.owner_sends("POST", path, b"increment=1", FORM).status == 204
    timestamp, value = latest(service, path)
    assert timestamp > ahead
    assert value == 2.0


@pytest.mark.parametrize(("csv", "amount"), [(b"0,true", b"1"), (b"0,1.7e308", b"1.7e308")])
def test_an_increment_that_makes_no_number_is_a_conflict(
    service: Service, csv: bytes, amount: bytes
) -> None:
    path = service.create(csv)
    before = service.csv(path)
    assert service.owner_sends("POST", path, b"increment=" + amount, FORM).status == 409
    assert service.csv(path) == before


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"unknown=1",
        b"value=nan",
        b"value=",
        b"value=1&value=2",
        b"value=1&increment=1",
        b"value=1&timestamp=yesterday",
        b"value=1&timestamp=1236735000000",
        b"increment=null",
        b"increment=1e999",
        b"increment=",
        b"increment=1&timestamp=5",
        b"csv=0,1",
    ],
)
def test_a_form_that_means_nothing_is_refused_and_stores_nothing(
    service: Service, form: bytes
) -> None:
    path = service.create(b"0,1")
    reply = service.owner_sends("POST", path, form, FORM)
    assert reply.status == 400
    assert json.loads(reply.body)["detail"]
    assert service.csv(path) == b"0.0,1.0\n"


def test_a_field_that_comes_twice_counts_once(service: Service) -> None:
    path = service.create(b"0,1")
    reply = service.owner_sends("POST", f"{path}?increment=4.5", b"increment=4.5", FORM)
    assert reply.status == 204
    assert latest(service, path)[1] == 5.5
    different = service.owner_sends("POST", f"{path}?increment=4.5", b"increment=4", FORM)
    assert different.status == 400
    assert latest(service, path)[1] == 5.5


def test_points_are_merged_in_and_replace_those_at_their_timestamps(service: Service) -> None:
    path = service.create(b"0,1\n2,3\n")
    body = b"\xef\xbb\xbf 2 , 4\r\n1,null\r\n\r\n1,true"
    assert service.owner_sends("POST", path, body, CSV).status == 204
    assert service.csv(path) == b"0.0,1.0\n1.0,true\n2.0,4.0\n"


def test_points_may_come_as_a_multipart_file(service: Service) -> None:
    path = service.create(b"0,1")
    head = b'--XX\r\nContent-Disposition: form-data; name="csv"; filename="a"\r\n\r\n'
    body = head + b"1,2\r\n\r\n--XX--"
    assert service.owner_sends("POST", path, body, MULTIPART).status == 204
    assert service.csv(path) == b"0.0,1.0\n1.0,2.0\n"


def test_csv_typed_as_a_form_is_refused_and_told_why(service: Service) -> None:
    path = service.create()
    for body in (b"0,1\n1,2\n", b"0,1\n" * 50_000):
        reply = service.owner_sends("POST", path, body, FORM)
        assert reply.status == 400
        assert "Content-Type: text/csv" in json.loads(reply.body)["detail"]


def test_put_replaces_the_whole_history_whatever_its_type(service: Service) -> None:
    path = service.create(b"0,1\n1,2\n")
    for number, type in enumerate(["text/csv", FORM["Content-Type"], "text/plain", "text/x"]):
        body = f"5,{number}".encode()
        assert service.owner_sends("PUT", path, body, {"Content-Type": type}).status == 204
        assert service.csv(path) == f"5.0,{number}.0\n".encode()


def test_put_of_a_multipart_form_is_refused(service: Service) -> None:
    path = service.create(b"0,1")
    assert service.owner_sends("PUT", path, b"--XX--", MULTIPART).status == 415
    assert service.csv(path) == b"0.0,1.0\n"


def test_an_empty_body_of_points_is_fine(service: Service) -> None:
    path = service.create(b"0,1")
    assert service.owner_sends("POST", path, b"", CSV).status == 204
    assert service.csv(path) == b"0.0,1.0\n"
    assert service.owner_sends("PUT", path, b"", CSV).status == 204
    assert service.csv(path) == b""


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_row_anywhere_stores_nothing(service: Service, method: str) -> None:
    path = service.create(b"0,1")
    body = b"1,1\n" * 100_000 + b"1,2,3\n"
    reply = service.owner_sends(method, path, body, CSV)
    assert reply.status == 400
    assert json.loads(reply.body)["line"] == 100_001
    assert service.csv(path) == b"0.0,1.0\n"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_past_the_limit_is_refused(service: Service, method: str) -> None:
    path = service.create(b"0,1")
    assert service.owner_sends(method, path, b"1,1\n" * 800_000, CSV).status == 413
    assert service.csv(path) == b"0.0,1.0\n"


def test_a_large_body_is_stored_whole(service: Service) -> None:
    path = service.create()
    body = b"".join(b"%d,%d\n" % (row, row) for row in range(150_000))
    assert service.owner_sends("POST", path, body, CSV).status == 204
    assert service.csv(path) == b"".join(b"%d.0,%d.0\n" % (row, row) for row in range(150_000))


def test_delete_clears_the_data_and_the_series_stays(service: Service) -> None:
    path = service.create(b"0,1")
    reply = service.owner_sends("DELETE", path, headers={"Content-Length": "0"})
    assert reply.status == 204
    assert service.csv(path) == b""
    assert service.owner_sends("GET", path).status == 200
    assert service.owner_sends("POST", path, b"value=1", FORM).status == 204


def test_a_delete_clears_a_range(service: Service) -> None:
    for size in (5, 10_000):
        rows = [b"%d.0,1.0\n" % t for t in range(size)]
        path = service.create(b"".join(rows))
        for query, left in (
            ("start=1&end=3", rows[:1] + rows[3:]),
            ("start=1970-01-01T00:00:04", [*rows[:1], *rows[3:4]]),
            ("end=1", rows[3:4]),
            ("start=3.5", rows[3:4]),
            ("start=4&end=3", rows[3:4]),
            ("end=3%2e5", []),
        ):
            assert service.owner_sends("DELETE", f"{path}?{query}").status == 204
            assert service.csv(path) == b"".join(left)
        assert service.owner_sends("GET", path).status == 200


def test_a_delete_that_is_not_understood_clears_nothing(service: Service) -> None:
    path = service.create(b"0,1\n1,2\n")
    for query, field in (
        ("after=0", "after"),
        ("strat=1", "strat"),
        ("start=yesterday", "start"),
        ("end=", "end"),
        ("end=1&end=2", "end"),
        ("series=yes", "series"),
        ("series=true&start=1", "series"),
        ("series=true&end=1", "series"),
        ("on_conflict=keep", "on_conflict"),
    ):
        reply = service.owner_sends("DELETE", f"{path}?{query}")
        assert reply.status == 400
        assert json.loads(reply.body)["field"] == field
    assert service.csv(path) == b"0.0,1.0\n1.0,2.0\n"


def test_a_series_is_removed_with_its_url(service: Service) -> None:
    path = service.create(b"0,1\n1,2\n", public=True)
    other = service.create(b"0,1")
    assert service.owner_sends("POST", path, b"value=1", FORM).status == 204  # it is known
    stranger = service.send("DELETE", f"{path}?series=true", headers=basic(service.other_config))
    assert stranger.status == 403
    reply = service.owner_sends("DELETE", f"{path}?series=true")
    assert reply.status == 204
    assert reply.headers["Timetric-Removed"] == "3"
    for method, address in (
        ("GET", path),
        ("GET", f"{path}csv/"),
        ("GET", f"{path}value/json/"),
        ("GET", f"{path}metadata/"),
        ("DELETE", f"{path}?series=true"),
        ("DELETE", path),
    ):
        assert service.owner_sends(method, address).status == 404
    for method in ("POST", "PUT"):
        assert service.owner_sends(method, path, b"0,1", CSV).status == 404
    assert service.csv(other) == b"0.0,1.0\n"


def test_paths_without_the_last_slash_are_served_and_never_redirected(service: Service) -> None:
    path = service.create(b"0,1").rstrip("/")
    assert service.owner_sends("POST", path, b"1,2", CSV).status == 204
    assert service.owner_sends("GET", f"{path}/csv").body == b"0.0,1.0\n1.0,2.0\n"
    assert service.owner_sends("GET", f"{path}/value/json").status == 200
    assert service.owner_sends("POST", "/create?title=T&caption=C", b"", CSV).status == 201
