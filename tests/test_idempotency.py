"""Writes that carry an Idempotency-Key are done once, however often they are sent."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from tests.dancing import entrusted, signed_by_hand
from tests.service import Headers, Reply, Service, basic, running_service
from tests.test_storage import IDS, make, read
from timetric.server.columns import Columns
from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import open_storage, writer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CSV = {"Content-Type": "text/csv"}
DAY = 86400.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def keyed(key: str, headers: Headers | None = None) -> Headers:
    return {**(headers or {}), "Idempotency-Key": key}


def told(reply: Reply) -> dict[str, str]:
    """What of a reply is the first's too."""
    names = [name for name in reply.headers if name.startswith(("Timetric", "Location"))]
    return {"status": str(reply.status), **{name: reply.headers[name] for name in names}}


def rows(count: int, value: float = 1.0) -> bytes:
    return b"".join(b"%d,%f\n" % (t, value) for t in range(count))


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("POST", b"value=14", FORM),
        ("POST", b"value=14&timestamp=3", FORM),
        ("POST", b"increment=4.5", FORM),
        ("POST", rows(5), CSV),
        ("POST", rows(5000), CSV),
        ("PUT", rows(5), CSV),
        ("PUT", rows(5000), CSV),
        ("DELETE", None, {}),
    ],
)
def test_a_repeat_answers_what_the_first_did_and_does_nothing(
    service: Service, method: str, body: bytes | None, headers: Headers
) -> None:
    path = service.create(b"0,9\n1,9\n")
    first = service.owner_sends(method, path, body, keyed("once", headers))
    assert first.status == 204
    for _ in range(2):
        service.clock.advance(1)
        service.owner_sends("POST", path, b"value=1", FORM)
        now = service.csv(path)
        assert told(service.owner_sends(method, path, body, keyed("once", headers))) == told(first)
        assert service.csv(path) == now
    receipt = json.loads(service.owner_sends("GET", f"{path}writes/once/").body)
    for name in ("received", "added", "replaced", "unchanged", "removed", "version"):
        assert str(receipt[name]) == first.headers[f"Timetric-{name.title()}"]
    if point := first.headers.get("Timetric-Point"):
        assert ",".join(map(repr, receipt["point"])) == point


def test_a_series_is_made_once_for_a_key(service: Service) -> None:
    for body in (b"", rows(3), rows(3000)):
        key, create = f"make-{len(body)}", "/create/?title=T&caption=C"
        first = service.owner_sends("POST", create, body, keyed(key, CSV))
        again = service.owner_sends("POST", create, body, keyed(key, CSV))
        assert first.status == 201
        assert told(again) == told(first)
        assert again.body == first.body
        receipt = json.loads(service.owner_sends("GET", f"/create/writes/{key}/").body)
        assert f"/series/{receipt['series']}/" in first.headers["Location"]
        assert receipt["added"] == len(body.splitlines())


def test_a_key_with_another_meaning_is_refused(service: Service) -> None:
    path = service.create(b"0,1")
    assert service.owner_sends("POST", path, rows(2), keyed("k", CSV)).status == 204
    for method, query, body, headers in (
        ("PUT", "", rows(2), CSV),
        ("POST", "", rows(2, 2.0), CSV),
        ("POST", "", rows(3), CSV),
        ("POST", "?on_conflict=keep", rows(2), CSV),
        ("POST", "?dry_run=true", rows(2), CSV),
        ("POST", "", b"value=1", FORM),
        ("DELETE", "", None, {}),
    ):
        reply = service.owner_sends(method, path + query, body, keyed("k", headers))
        assert reply.status == 422, (method, query)
    assert service.csv(path) == b"0.0,1.0\n1.0,1.0\n"


def test_the_same_meaning_may_be_written_in_another_way(service: Service) -> None:
    path = service.create()
    assert service.owner_sends("POST", path, b"1,1\n0,2\n", keyed("k", CSV)).status == 204
    for body in (b"0,2\n1,1\n", b"0,2.0\r\n1970-01-01T00:00:01,1e0\r\n"):
        assert service.owner_sends("POST", path, body, keyed("k", CSV)).status == 204
    doubled = service.owner_sends("POST", f"{path}?value=1", b"value=1", keyed("v", FORM))
    single = service.owner_sends("POST", path, b"value=1", keyed("v", FORM))
    assert told(doubled) == told(single)


def test_a_repeat_may_be_signed_anew_in_another_place(service: Service) -> None:
    plotter, path = entrusted(service), service.create()
    form, replies = {"increment": "1"}, []
    for place in ("header", "form", "query"):
        pairs = urlencode(signed_by_hand(plotter, "POST", path, form))
        if place == "header":
            reply = plotter.send("POST", path, urlencode(form), keyed("k", FORM))
        elif place == "form":
            reply = service.send("POST", path, pairs.encode(), keyed("k", FORM))
        else:
            reply = service.send("POST", f"{path}?{pairs}", b"", keyed("k", FORM))
        replies.append(told(reply))
    assert replies[0]["status"] == "204"
    assert replies[1:] == replies[:1] * 2
    assert len(service.csv(path).splitlines()) == 1


def test_a_key_belongs_to_a_user_and_a_series(service: Service) -> None:
    paths = [service.create() for _ in range(2)]
    for path in paths:
        assert service.owner_sends("POST", path, rows(1), keyed("shared", CSV)).status == 204
        assert service.csv(path) == b"0.0,1.0\n"
    create = "/create/?title=T&caption=C"
    other = {**basic(service.other_config), **keyed("shared", CSV)}
    assert service.owner_sends("POST", create, b"", keyed("shared", CSV)).status == 201
    assert service.send("POST", create, b"", other).status == 201
    theirs = service.send("GET", f"{paths[0]}writes/shared/", headers=basic(service.other_config))
    assert theirs.status == 404
    assert service.send("GET", f"{paths[0]}writes/shared/").status == 401


def test_only_what_was_stored_is_remembered(service: Service) -> None:
    path = service.create(b"0,true")
    for body, headers in (
        (b"0,x", CSV),
        (b"increment=1", FORM),
        (b"0,1", {**CSV, "If-Match": '"9.9"'}),
    ):
        assert service.owner_sends("POST", path, body, keyed("k", headers)).status >= 400
        assert service.owner_sends("GET", f"{path}writes/k/").status == 404
    dry = service.owner_sends("POST", f"{path}?dry_run=true", rows(1), keyed("k", CSV))
    assert dry.status == 204
    assert service.owner_sends("POST", path, b"0,1", keyed("k", CSV)).status == 204
    assert service.owner_sends("GET", f"{path}writes/k/").status == 200


def test_a_key_comes_before_all_other_terms(service: Service) -> None:
    path = service.create()
    headers = keyed("k", {**CSV, "If-Match": '"0.0"'})
    first = service.owner_sends("POST", f"{path}?on_conflict=error", rows(2), headers)
    service.owner_sends("PUT", path, rows(2, 5.0), CSV)
    again = service.owner_sends("POST", f"{path}?on_conflict=error", rows(2), headers)
    assert told(again) == told(first)
    assert service.csv(path) == b"0.0,5.0\n1.0,5.0\n"


def test_a_key_is_remembered_for_30_days(service: Service) -> None:
    path = service.create()
    send = lambda: service.owner_sends("POST", path, b"increment=1", keyed("k", FORM))  # noqa: E731
    first = send()
    service.clock.advance(30 * DAY - 1)
    assert told(send()) == told(first)
    service.clock.advance(2)
    assert service.owner_sends("GET", f"{path}writes/k/").status == 404
    assert send().headers["Timetric-Point"].endswith(",2.0")


def test_what_is_remembered_no_longer_goes_in_time(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        path = service.create()
        for n in range(30):
            service.owner_sends("POST", path, b"value=1", keyed(f"key-{n}", FORM))
        service.clock.advance(31 * DAY)
        for n in range(5):
            service.owner_sends("POST", path, b"value=1", keyed(f"later-{n}", FORM))
        with closing(sqlite3.connect(tmp_path / "timetric.sqlite3")) as db:
            assert db.execute("SELECT count(*) FROM receipts").fetchone() == (5,)


@pytest.mark.parametrize("key", ["", "a" * 65, "a b", "a,b", "schlüssel", "a/b", '"a"'])
def test_a_key_of_another_form_is_refused(service: Service, key: str) -> None:
    path = service.create()
    headers = {**CSV, "Idempotency-Key": key.encode("utf-8").decode("latin-1")}
    assert service.owner_sends("POST", path, b"0,1", headers).status == 400
    assert service.csv(path) == b""


def test_a_repeat_is_answered_when_the_series_is_gone(service: Service) -> None:
    path = service.create(rows(2))
    first = service.owner_sends("POST", path, b"value=1", keyed("value", FORM))
    gone = service.owner_sends("DELETE", f"{path}?series=true", headers=keyed("gone"))
    assert gone.headers["Timetric-Removed"] == "3"
    again = service.owner_sends("DELETE", f"{path}?series=true", headers=keyed("gone"))
    assert told(again) == told(gone)
    assert told(service.owner_sends("POST", path, b"value=1", keyed("value", FORM))) == told(first)
    assert service.owner_sends("GET", f"{path}writes/gone/").status == 200
    for body, headers in ((b"value=1", FORM), (rows(5000), CSV)):
        assert service.owner_sends("POST", path, body, keyed("new", headers)).status == 404
        assert service.owner_sends("PUT", path, body, keyed("new", headers)).status in (400, 404)


def test_someone_elses_private_series_can_not_be_told_from_none(service: Service) -> None:
    path, none = service.create(), f"/series/{'n' * 22}/"
    headers = {**basic(service.other_config), **keyed("k", CSV)}
    replies = [service.send("POST", address, b"0,1", headers) for address in (path, none)]
    problems = [(reply.status, reply.body) for reply in replies]
    assert problems[0][0] == 404
    assert problems[0] == problems[1]


@pytest.mark.parametrize("size", [1, 5000])
def test_a_key_that_many_send_at_once_is_done_once(service: Service, size: int) -> None:
    path = service.create(b"-1,0")
    start = threading.Barrier(8)

    def send(_: int) -> dict[str, str]:
        start.wait()
        body, headers = (b"increment=1", FORM) if size == 1 else (rows(size), CSV)
        return told(service.owner_sends("POST", path, body, keyed("k", headers)))

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(send, range(8))
    assert first["status"] == "204"
    assert others == [first] * 7
    assert len(service.csv(path).splitlines()) == size + 1


def test_a_key_is_done_once_by_two_processes(place: Path | str) -> None:
    """Two stores of one place share nothing in memory, as two processes do."""
    stores = [open_storage(place) for _ in range(2)]
    series = make(stores[0], IDS[0], stores[0].accounts.add_user("owner", 1.0))
    start, t = threading.Barrier(8), np.arange(5000.0)
    terms = Terms(key=Key("k", b"meaning"))

    def send(n: int) -> tuple[Receipt, Receipt]:
        start.wait()
        many = stores[n % 2].merge(series, Columns(t, t), 2.0, terms)
        few = Terms(key=Key("few", b"meaning"))
        return many, stores[n % 2].increment(series, 1.0, 9999.0, few)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(send, range(8)))
    assert len(found) == 1
    assert len(read(stores[0], series)) == 5001
    assert list(stores[1].check()) == []
    for store in stores:
        store.close()


def test_a_repeat_that_waited_long_for_the_first_is_told_to_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_PATIENCE", 0.2)
    with running_service(tmp_path) as service:
        path, body = service.create(), rows(5000)

        def send() -> Reply:
            return service.owner_sends("POST", path, body, keyed("k", CSV))

        lock = os.open(tmp_path / "timetric.lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process that writes for long
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(send) for _ in range(2)]
            while not any(sent.done() for sent in both):
                time.sleep(0.01)
            (busy,) = [sent.result() for sent in both if sent.done()]
            assert busy.status == 409
            assert busy.headers["Retry-After"] == "1"
            os.close(lock)
            assert sorted(sent.result().status for sent in both) == [204, 409]
        assert send().status == 204
        assert len(service.csv(path).splitlines()) == 5000
