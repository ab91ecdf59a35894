"""A service, held against requests at random: no 500, no partial write, and it goes on.

Some hundreds, or under ``pytest -m slow`` TIMETRIC_BAD_CASES of each kind; TIMETRIC_TEST_SEED
repeats a run.
"""

from __future__ import annotations

import gzip
import http.client
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote_from_bytes, urlsplit

import pytest

from tests.bad_input.cases import cases, how_many
from tests.bad_input.parsers import FORM, MULTIPART, PARSERS
from tests.service import Headers, Service, basic, running_service

pytestmark = pytest.mark.slow

#: What one request may take; many times more than it does.
SECONDS = 10.0

CSV, POINTS, PATCH = "text/csv", "application/vnd.timetric.points", "application/merge-patch+json"
_ALLOWED = bytes(range(0x21, 0x7F))  # in a request's target, as http.client sends it

_OAUTH = [
    b'OAuth realm="", oauth_consumer_key="k", oauth_token="t", oauth_signature_method="HMAC-SHA1",'
    b' oauth_timestamp="1236772800", oauth_nonce="n", oauth_version="1.0", oauth_signature="c2ln"',
    b"OAuth oauth_consumer_key=k,oauth_nonce=%zz,oauth_timestamp=-1",
    b"Basic a2V5OnNlY3JldA==",
    b"Bearer x",
]
_QUERIES = [
    b"start=2009-03-11&end=1236772800&limit=10&order=desc",
    b"every=1d&aggregate=mean&tz=Europe/London",
    b"max_points=100&method=lttb",
    b"at=1&side=nearest",
    b"q=power;u=me&n=20&p=2",
]
_TAGS = [b"/tags/energy/", b"/tags/a;b/results.atom", b"/tag/public%2520data/results.thin.json"]
_HEADERS = [b'"1.0-csv", W/"2.1"', b"*", b"bytes=0-1", b"gzip, br;q=0.5", b"text/csv;q=x", b"key-1"]


NO_HEADERS: Headers = {}


class Asked(NamedTuple):
    method: str
    path: str
    body: bytes | None = None
    headers: Headers = NO_HEADERS


def _body(kind: str, method: str = "POST", query: str = "") -> Callable[[str, bytes], Asked]:
    return lambda path, case: Asked(method, path + query, case, {"Content-Type": kind})


def _packed(path: str, case: bytes) -> Asked:
    kind = {"Content-Type": CSV, "Content-Encoding": "gzip"}
    return Asked("PUT", path, case, kind)


def _patch(path: str, case: bytes) -> Asked:
    return Asked("PATCH", f"{path}metadata/", case, {"Content-Type": PATCH})


def _signed(path: str, case: bytes) -> Asked:
    return Asked("POST", path, b"value=1", {"Content-Type": FORM, "Authorization": _latin(case)})


def _read(path: str, case: bytes) -> Asked:
    place = ("csv/", "points/", "value/json/", "metadata/")[len(case) % 4]
    return Asked("GET", f"{path}{place}?{_target(case)}")


def _listed(path: str, case: bytes) -> Asked:
    return Asked("GET", f"/search/results.thick.json?{_target(case)}")


def _tagged(path: str, case: bytes) -> Asked:
    return Asked("GET", f"/{_target(case).lstrip('/')}")


def _told(path: str, case: bytes) -> Asked:
    names = ("If-Match", "If-None-Match", "Range", "Accept", "Accept-Encoding", "Idempotency-Key")
    told = {names[len(case) % 6]: _latin(case), names[len(case) % 5]: _latin(case)}
    return Asked(("GET", "POST")[len(case) % 2], f"{path}csv/", None, told)


#: By name: how a case is sent, and what is right of the kind.
KINDS: dict[str, tuple[Callable[[str, bytes], Asked], list[bytes]]] = {
    "csv": (_body(CSV), PARSERS["csv"].samples),
    "csv by PUT": (_body(CSV, "PUT"), PARSERS["csv"].samples),
    "records": (_body(POINTS), PARSERS["records"].samples),
    "gzip": (_packed, [gzip.compress(case) for case in PARSERS["csv"].samples]),
    "form": (_body(FORM), PARSERS["form"].samples),
    "multipart": (_body(MULTIPART), PARSERS["multipart"].samples),
    "metadata": (_patch, PARSERS["metadata"].samples),
    "authorization": (_signed, _OAUTH),
    "query": (_read, _QUERIES),
    "search": (_listed, _QUERIES),
    "tags": (_tagged, _TAGS),
    "headers": (_told, _HEADERS),
}


def _latin(case: bytes) -> str:
    """As a header may hold it."""
    return case.decode("latin-1").replace("\r", " ").replace("\n", " ")[:8000]


def _target(case: bytes) -> str:
    return quote_from_bytes(case, safe=_ALLOWED)[:8000]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store"), max_body=1 << 20) as running:
        yield running


@pytest.mark.parametrize("name", KINDS)
def test_any_request_is_answered(
    service: Service, name: str, request: pytest.FixtureRequest
) -> None:
    slow = request.config.getoption("markexpr") == "slow"
    seed = os.environ.get("TIMETRIC_TEST_SEED") or str(random.randrange(10**6))
    print(f"TIMETRIC_TEST_SEED={seed}")
    send, samples = KINDS[name]
    series, count = Watched(service), how_many(slow, 100)
    for case in cases(samples, (seed, name), count):
        series.ask(send(series.path, case), case)
    print(f"{name}: {count} requests, {dict(series.statuses)}, longest {series.longest:.2f} s")
    assert max(series.statuses) < 500


class Watched:
    """A series that changes by requests which succeed, and by no other."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.path = service.create(b"0,1\n1,null\n")
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0
        self._credentials = basic(service.config)
        self._connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
        self._state = self._found()

    def ask(self, asked: Asked, case: bytes) -> None:
        begun = time.monotonic()
        status = self._status(asked)
        self.longest = max(self.longest, time.monotonic() - begun)
        self.statuses[status] += 1
        found = self._found()
        assert found == self._state or status // 100 == 2, (status, case)
        assert status < 500, (status, asked)
        assert self.longest < SECONDS, case
        self._state = found

    def _status(self, asked: Asked) -> int:
        headers = {**self._credentials, **asked.headers}
        self._connection.request(asked.method, asked.path, asked.body, headers)
        reply = self._connection.getresponse()
        reply.read()
        return reply.status

    def _found(self) -> tuple[int, int, object]:
        """Version and generation, which go up with each change, and what it says of itself."""
        series = self.service.storage.series(self.path.split("/")[2])
        return series.version, series.generation, series.metadata
