"""What an error says, and what it keeps to itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import NOON, Reply, Service, basic, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def assert_is_problem(reply: Reply, status: int) -> None:
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(reply.body)
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["status"] == status
    assert problem["detail"].endswith(".")


def test_every_error_is_a_problem_document(service: Service) -> None:
    path = service.create(b"0,1")
    csv = {"Content-Type": "text/csv"}
    assert_is_problem(service.send("GET", "/nowhere/"), 404)
    assert_is_problem(service.send("GET", "/series/"), 404)
    assert_is_problem(service.send("GET", f"{path}csv/%ff%00"), 404)
    assert_is_problem(service.send("GET", "/series/%ff%00/"), 401)
    assert_is_problem(service.owner_sends("GET", "/series/%ff%00/"), 404)
    assert_is_problem(service.send("BREW", path), 400)
    assert_is_problem(service.owner_sends("GET", f"{path}csv/?limit=x"), 400)
    assert_is_problem(service.owner_sends("POST", path, b"0,x", csv), 400)
    assert_is_problem(service.send("GET", path), 401)


def test_a_method_that_is_not_taken_is_answered_with_those_that_are(service: Service) -> None:
    reply = service.owner_sends("PATCH", service.create())
    assert_is_problem(reply, 405)
    allowed = {method.strip() for method in reply.headers["Allow"].split(",")}
    assert {"GET", "POST", "PUT", "DELETE"} <= allowed
    assert_is_problem(service.send("GET", "/create/"), 405)


def test_every_reply_has_a_request_id_of_ours(service: Service) -> None:
    path = service.create(b"0,1")
    theirs = {"Request-Id": "theirs", **basic(service.config)}
    replies = [service.send("GET", address, headers=theirs) for address in ("/", path, "/no", path)]
    replies.append(service.send("GET", path))
    ids = [reply.headers["Request-Id"] for reply in replies]
    assert all(ids)
    assert "theirs" not in ids
    assert len(set(ids)) == len(ids)


def test_a_fault_of_the_service_is_logged_under_its_request_id_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_service(tmp_path) as service:
        path = service.create(b"0,1")
        service.clock.now = "no time"  # type: ignore[assignment]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = service.owner_sends("POST", path, b"increment=5", form)
        assert_is_problem(reply, 500)
        service.clock.now = NOON
        assert service.csv(path) == b"0.0,1.0\n"
    shown = reply.body.decode() + str(reply.headers)
    for secret in ("Traceback", "TypeError", str(tmp_path), service.config["apitoken_secret"]):
        assert secret not in shown
    [record] = [record for record in caplog.records if record.name.startswith("timetric")]
    assert reply.headers["Request-Id"] in record.getMessage()
    assert record.exc_info
    assert service.config["apitoken_secret"] not in caplog.text


def test_no_error_repeats_the_credentials(service: Service) -> None:
    secret = service.config["apitoken_secret"]
    for headers in (basic(service.config), {"Authorization": f"Basic {secret}"}):
        for path in ("/nowhere/", "/series/AAAAAAAAAAAAAAAAAAAAAA/", "/create/"):
            reply = service.send("GET", path, headers=headers)
            assert reply.status >= 400
            assert secret not in reply.body.decode() + str(reply.headers)
            assert headers["Authorization"] not in reply.body.decode() + str(reply.headers)
