"""What a running service says of itself to those who watch over it: /health/ and /metrics/."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service import Headers, Reply, send
from tests.test_access_log import ask, lines_of
from tests.test_kills import FORM, Service
from tests.test_serve import Machine, eventually, machine
from tests.test_service_disk import noise, serve

__all__ = ["machine", "serve"]  # fixtures

Serve = Callable[..., Service]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(reply: Reply) -> Samples:
    assert reply.status == 200, reply
    families = list(text_string_to_metric_families(reply.body.decode()))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def get(service: Service, path: str, headers: Headers | None = None) -> Reply:
    """Without credentials, unless they are given."""
    return send(f"http://{service.netloc}/", "GET", path, None, headers)


def token(machine: Machine, user: str, *flags: str) -> Headers:
    """The credentials of a new token."""
    config = json.loads(machine.run("token", "add", "watch", "--user", user, *flags).stdout)
    pair = f"{config['apitoken_key']}:{config['apitoken_secret']}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


# health


def test_a_service_that_is_well_says_so_to_anybody(serve: Serve) -> None:
    service = serve()
    for path in ("/health/", "/health"):
        reply = get(service, path)
        assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_store_that_does_not_answer_is_told(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    with closing(sqlite3.connect(tmp_path / "data/timetric.sqlite3")) as db:
        (version,) = db.execute("PRAGMA schema_version").fetchone()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET rootpage = 100000 WHERE tbl_name = 'users'")
        db.execute(f"PRAGMA schema_version = {version + 1}")
        db.commit()
    reply = get(service, "/health/")
    assert reply.status == 503
    assert json.loads(reply.body)["status"] == 503
    assert reply.headers["Retry-After"]
    assert b"malformed" not in reply.body
    (cause, _) = lines_of(service, reply.headers["Request-Id"])
    assert "GET /health/" in cause
    assert "malformed" in cause


# metrics


def test_metrics_count_what_was_done(serve: Serve) -> None:
    service = serve()
    series = service.create()
    body = noise(0)
    for _ in range(2):
        assert ask(service, "POST", series, body).status == 204
    assert ask(service, "POST", f"{series}?dry_run=true", noise(10**6)).status == 204
    assert ask(service, "POST", series, "value=3", FORM).status == 204
    assert ask(service, "DELETE", f"{series}?start=0&end=100").status == 204
    reply = ask(service, "GET", f"{series}csv/")
    assert get(service, f"{series}csv/").status == 401
    assert get(service, "/nowhere/").status == 404
    assert ask(service, "BREW", "/").status == 400
    found = samples(get(service, "/metrics/"))

    def requests(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return of(found, "timetric_requests_total", **labels)

    assert requests("POST", "/create", 201) == 1
    assert requests("POST", "/series/{id}", 204) == 4
    assert requests("GET", "/series/{id}/csv", 200) == 1
    assert requests("GET", "/series/{id}/csv", 401) == 1
    assert requests("GET", "", 404) == 1
    assert requests("other", "/", 400) == 1
    read = {"method": "GET", "route": "/series/{id}/csv"}
    assert of(found, "timetric_request_seconds_count", **read) == 2
    assert of(found, "timetric_request_seconds_bucket", le="+Inf", **read) == 2
    assert of(found, "timetric_request_seconds_sum", **read) > 0
    sent = of(found, "timetric_sent_bytes_total", **read)
    assert len(reply.body) < sent < len(reply.body) + 1000  # the refusal's too
    write = {"method": "POST", "route": "/series/{id}"}
    assert of(found, "timetric_received_bytes_total", **write) >= 3 * len(body)
    assert of(found, "timetric_writes_total") == 5  # with the one that made the series
    assert of(found, "timetric_points_total", kind="added") == 10_001
    assert of(found, "timetric_points_total", kind="removed") == 100
    assert of(found, "timetric_uploads_under_way") == 0
    assert of(found, "process_resident_memory_bytes") > 1 << 20
    assert of(found, "process_open_fds") > 3


def test_uploads_under_way_are_told(serve: Serve) -> None:
    service = serve()
    series = service.create()
    connection = service.connect()
    connection.putrequest("POST", series)
    for name, text in {**service.headers, "Content-Type": "text/csv"}.items():
        connection.putheader(name, text)
    connection.putheader("Content-Length", "100000")
    connection.endheaders(b"0,1\n" * 20_000)

    def under_way() -> float:
        return of(samples(get(service, "/metrics/")), "timetric_uploads_under_way")

    assert eventually(lambda: under_way() == 1)
    connection.send(b"0,1\n" * 5_000)
    assert connection.getresponse().status == 204
    connection.close()
    assert eventually(lambda: under_way() == 0)


def test_strangers_words_make_no_metrics(serve: Serve) -> None:
    service = serve()
    for word in ("FORGED", "M-SEARCH", "X" * 1000):
        ask(service, word, f"/{word}/")
    reply = get(service, "/metrics/")
    assert samples(reply)
    for word in (b"FORGED", b"M-SEARCH", b"XXX"):
        assert word not in reply.body


FORWARDED = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "unknown"},
    {"X-Forwarded-For": ""},
    {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Via": "1.1 proxy"},
]


@pytest.mark.parametrize("flags", [(), ("--trust-proxy",)])
def test_what_a_proxy_passes_on_is_not_from_here(serve: Serve, flags: tuple[str, ...]) -> None:
    service = serve(flags=flags)
    assert get(service, "/metrics/").status == 200
    for headers in FORWARDED:
        reply = get(service, "/metrics/", headers)
        assert (reply.status, "timetric_" in reply.body.decode()) == (401, False), headers


def test_a_service_with_an_address_in_the_world_may_have_a_silent_proxy(serve: Serve) -> None:
    world = ("--base-url", "https://series.example.org/")
    assert get(serve(flags=world), "/metrics/").status == 401


def test_behind_a_proxy_that_says_so_this_machine_is_known(serve: Serve) -> None:
    service = serve(flags=("--base-url", "https://series.example.org/", "--trust-proxy"))
    assert get(service, "/metrics/").status == 200
    assert get(service, "/metrics/", {"Host": "series.example.org"}).status == 401


def test_administrators_read_metrics_from_anywhere(machine: Machine) -> None:
    machine.serve().stop()  # which makes the store
    for name in ("watcher", "other"):
        assert machine.run("user", "add", name).returncode == 0
    service = machine.serve("--administrator", "watcher")
    far = {"X-Forwarded-For": "203.0.113.7"}
    watcher, other = token(machine, "watcher", "--read-only"), token(machine, "other")

    def status(headers: Headers) -> int:
        return send(service.url, "GET", "/metrics/", None, headers).status

    assert status({**far, **watcher}) == 200
    assert status({**far, **other}) == 403
    assert status(other) == 200  # from here anybody may
    assert status(far) == 401
    wrong = base64.b64encode(b"wrong:wrong").decode()
    assert status({"Authorization": f"Basic {wrong}"}) == 401


def test_an_administrator_is_somebody(machine: Machine) -> None:
    done = machine.run("serve", "--port", "0", "--administrator", "nobody")
    assert done.returncode == 1
    assert done.stderr == "timetric: there is no user 'nobody' to be an administrator\n"
