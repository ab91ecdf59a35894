"""Writes whose answer is lost, through a service that does as a test's script says."""

from __future__ import annotations

import gc
import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

import timetric
from tests.misbehaving import (
    Behaviour,
    answer,
    answer_and_close,
    http,
    misbehaving,
    reset,
    vanish,
)
from timetric.write import Write, increment_write, series_path

ID = "p-DpewL0TO-iBE4nMBCTsQ"
CONFIG = {"authtype": "apitoken", "apitoken_key": "k" * 22, "apitoken_secret": "s" * 22}
COUNTS = {
    "Timetric_Received": "1",
    "Timetric_Added": "1",
    "Timetric_Replaced": "0",
    "Timetric_Unchanged": "0",
    "Timetric_Removed": "0",
    "Timetric_Version": "7",
}
DONE = http("204 No Content", **COUNTS)
RECEIPT = timetric.Receipt(1, 1, 0, 0, 0, 7)
RUNS = http("409 Conflict", Retry_After="0")
MISSING = http("404 Not Found")
REMEMBERED = http(
    body=b'{"received": 1, "added": 1, "replaced": 0, "unchanged": 0, "removed": 0, "version": 7}'
)


def client_of(url: str, **options: Any) -> timetric.TimetricClient:
    return timetric.TimetricClient({**CONFIG, "url": url}, **options)


def series_of(url: str, **options: Any) -> timetric.Series:
    return client_of(url, **options).series(ID)


@pytest.mark.parametrize(
    "behaviours",
    [
        (vanish, answer(DONE)),
        (reset, reset, answer(DONE)),
        (answer(http("502 Bad Gateway"), DONE),),
        (answer(http("504 Gateway Timeout"), RUNS, DONE),),
        (vanish, answer(http("503 Service Unavailable", Retry_After="0"), RUNS, RUNS, DONE)),
    ],
)
@pytest.mark.parametrize("what", ["update", "increment"])
def test_a_lost_write_is_repeated_with_its_key(
    behaviours: tuple[Behaviour, ...], what: str
) -> None:
    with misbehaving(*behaviours) as service:
        assert getattr(series_of(service.url), what)(2) == RECEIPT
    assert len(service.requests) > 1
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 1
    assert len({request.body for request in service.requests}) == 1


def in_doubt(url: str, write: str, *arguments: Any) -> timetric.WriteInDoubt:
    with pytest.raises(timetric.WriteInDoubt) as caught:
        getattr(series_of(url, retries=0), write)(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("write", "arguments", "body"),
    [
        ("update", (14,), b"value=14.0"),
        ("increment", (14,), b"increment=14.0"),
        ("update", (io.StringIO("1,2\n"),), b"1,2\n"),
        ("update", (io.BytesIO(b"1,2\n"),), b"1,2\n"),
        ("update", ([("1970-01-01", 0)],), b"\0" * 16),
        ("rewrite", (io.StringIO("1,2\n"),), b"1,2\n"),
        ("delete", (), b""),
        ("remove", (), b""),
    ],
)
def test_a_write_in_doubt_can_be_resolved(
    write: str, arguments: tuple[Any, ...], body: bytes
) -> None:
    with misbehaving(vanish, vanish, answer(DONE, DONE)) as service:
        doubt = in_doubt(service.url, write, *arguments)
        assert isinstance(doubt.__cause__, timetric.ConnectionFailed)
        with pytest.raises(timetric.WriteInDoubt):
            doubt.resolve()
        assert doubt.resolve() == RECEIPT
        assert doubt.resolve() == RECEIPT
    assert [request.body for request in service.requests] == [body] * 4
    assert len({request.target for request in service.requests}) == 1
    assert {request.headers["idempotency-key"] for request in service.requests} == {doubt.write.key}


def test_a_file_that_was_closed_since_is_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,2\n" * 300_000)
    with misbehaving(vanish, answer(DONE)) as service:
        with path.open("rb") as file:
            doubt = in_doubt(service.url, "update", file)
        path.unlink()
        assert doubt.resolve() == RECEIPT
    first, second = service.requests
    assert first.body == second.body == b"1,2\n" * 300_000


def test_what_a_write_in_doubt_holds_is_let_go() -> None:
    points = ((t, 1) for t in range(200_000))
    with warnings.catch_warnings(), misbehaving(vanish) as service:
        warnings.simplefilter("error")
        doubt = in_doubt(service.url, "update", points)
        descriptor = doubt.write.body.fileno()
        del doubt
        gc.collect()
        with pytest.raises(OSError), open(descriptor, closefd=False):
            pass


def test_a_write_in_doubt_can_be_settled_in_another_process() -> None:
    with misbehaving(vanish, answer(DONE)) as service:
        doubt = pickle.loads(pickle.dumps(in_doubt(service.url, "update", [(1, 2)])))
        assert isinstance(doubt, timetric.WriteInDoubt)
        with pytest.raises(timetric.ConfigError, match="client"):
            doubt.resolve()
        assert doubt.resolve(client_of(service.url)) == RECEIPT
    first, second = service.requests
    assert len(second.body) == 16
    assert second.body == first.body
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]


def test_a_file_that_has_grown_since_does_not_hide_that_it_was_stored(
    series: timetric.Series, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,2\n")
    with path.open("rb") as file:
        write = Write("POST", series_path(series.id), file, "text/csv")
        receipt = write.send(series.client)
        path.write_bytes(b"1,2\n3,4\n")
        with pytest.raises(timetric.WriteInDoubt) as caught:
            write.send(series.client, again=True)
    assert caught.value.status == 422
    assert caught.value.stored() == receipt


def test_the_service_can_be_asked_whether_it_arrived() -> None:
    with misbehaving(vanish, answer(MISSING, REMEMBERED)) as service:
        doubt = in_doubt(service.url, "update", 14)
        assert doubt.stored() is None
        assert doubt.stored() == RECEIPT
    targets = [request.target for request in service.requests[1:]]
    assert targets == [f"/series/{ID}/writes/{doubt.write.key}/"] * 2


@pytest.mark.parametrize(
    ("behaviours", "error"),
    [
        ((), timetric.ConnectionFailed),
        ((answer(http("503 Service Unavailable"), http("503 Down")),), timetric.ServiceUnavailable),
        ((answer(http("409 Conflict")),), timetric.Conflict),
        ((answer(http("507 Insufficient Storage")),), timetric.ServiceError),
        ((answer(http("401 Unauthorized")),), timetric.NotAuthorized),
        ((vanish, answer(http("400 Bad Request"))), timetric.BadRequest),
        ((vanish, answer(http("409 Conflict"))), timetric.Conflict),
    ],
)
def test_a_write_that_was_surely_not_done_is_not_in_doubt(
    behaviours: tuple[Behaviour, ...], error: type[Exception]
) -> None:
    with misbehaving(*behaviours) as service:
        url = service.url if behaviours else "http://127.0.0.1:1"
        with pytest.raises(error) as caught:
            series_of(url, retries=1).update(14)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "last",
    [
        answer(http("401 Unauthorized")),
        answer(http("403 Forbidden")),
        answer(http("429 Too Many Requests", Retry_After="99")),
        answer(http("500 Internal Server Error")),
        answer(RUNS),
        answer_and_close(DONE[:-20]),
    ],
)
def test_a_lost_answer_is_not_made_up_for_by_one_that_says_nothing_of_it(last: Behaviour) -> None:
    with misbehaving(vanish, last, answer(DONE)) as service:
        with pytest.raises(timetric.WriteInDoubt) as caught:
            series_of(service.url, retries=1).update(14)
        assert caught.value.resolve() == RECEIPT


@pytest.mark.parametrize("reply", [http("500 Failed"), http("200 OK", b"Welcome to our hotel")])
def test_an_answer_that_is_neither_a_receipt_nor_a_refusal_leaves_doubt(reply: bytes) -> None:
    with misbehaving(answer(reply, reply, DONE)) as service:
        client = client_of(service.url)
        with pytest.raises(timetric.WriteInDoubt):
            client.create_series(title="t", caption="c")
        with pytest.raises(timetric.WriteInDoubt) as caught:
            client.series(ID).update(14)
        assert caught.value.status == (500 if b"500" in reply else None)
        assert caught.value.resolve() == RECEIPT
    assert len(service.requests) == 3


def test_a_write_that_can_no_longer_be_sent_stays_in_doubt() -> None:
    with misbehaving(vanish) as service:
        series = series_of(service.url, retries=0)
        with pytest.raises(timetric.WriteInDoubt) as caught:
            series.increment(1)
    with pytest.raises(timetric.WriteInDoubt) as still:  # nothing listens there any more
        caught.value.resolve()
    assert isinstance(still.value.__cause__, timetric.ConnectionFailed)
    assert not still.value.__cause__.sent


def test_a_write_in_doubt_that_is_refused_was_not_done() -> None:
    refused = http("409 Conflict")
    with misbehaving(vanish, answer(refused)) as service:
        doubt = in_doubt(service.url, "increment", 1)
        with pytest.raises(timetric.Conflict):
            doubt.resolve()


def test_a_dry_run_is_never_in_doubt() -> None:
    with misbehaving(vanish) as service, pytest.raises(timetric.ConnectionFailed):
        series_of(service.url, retries=0).update(14, dry_run=True)


@pytest.mark.parametrize("data", [None, [(1, 2)], io.StringIO("1,2\n")])
def test_making_a_series_resolves_to_the_series(data: Any) -> None:
    made = http("201 Created", Location=f"http://elsewhere/series/{ID}/")
    found = http(body=b'{"series": "%b", "received": 1}' % ID.encode())
    with misbehaving(vanish, answer(MISSING, found, made)) as service:
        client = client_of(service.url, retries=0)
        with pytest.raises(timetric.WriteInDoubt) as caught:
            client.create_series(data, title="t", caption="c")
        assert caught.value.stored() is None
        assert caught.value.stored() == client.series(ID)
        assert caught.value.resolve() == client.series(ID)
    first, *asked, last = service.requests
    assert (last.target, last.body) == (first.target, first.body)
    assert {request.target for request in asked} == {f"/create/writes/{caught.value.write.key}/"}


def test_nothing_secret_is_told_by_a_write_in_doubt() -> None:
    with misbehaving(vanish) as service:
        doubt = in_doubt(service.url, "update", 14)
    told = f"{doubt} {doubt!r} {doubt.write!r}"
    assert f"POST series/{ID}/" in told
    assert not re.search("k{22}|s{22}|=14", told)


def test_the_real_service_knows_the_write(series: timetric.Series) -> None:
    series.increment(2)
    write = increment_write(series.id, 3)
    assert write.stored(series.client) is None
    receipt = write.send(series.client)
    assert write.stored(series.client) == receipt
    assert receipt.value == 5.0
