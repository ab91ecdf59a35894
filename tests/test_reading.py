"""Reading precisely: which points, in which form."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow
import pytest

from tests.conftest import ROOT
from tests.service import Reply, Service, running_service
from tests.test_service_read import next_of
from timetric.points import format_csv

CSV, JSON = "text/csv", "application/json"
BINARY, ARROW = "application/vnd.timetric.points", "application/vnd.apache.arrow.stream"

ROWS = b"-1.5,1e-05\n0.0,null\n1.0,true\n2.0,false\n3.0,1e+300\n"
POINTS = [(-1.5, 1e-05), (0.0, None), (1.0, True), (2.0, False), (3.0, 1e300)]

#: The bits of the doubles that stand for words (protocol, the 16-byte form).
WORDS = {0x7FF8000000000001: None, 0x7FF8000000000002: True, 0x7FF8000000000003: False}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def path(service: Service) -> str:
    """A series with a point of each kind."""
    return service.create(ROWS)


def get(service: Service, path: str, accept: str | None = None) -> Reply:
    return service.owner_sends("GET", path, headers={"Accept": accept} if accept else {})


def unpacked(body: bytes) -> list[tuple[float, Any]]:
    """The points of the 16-byte form, taken apart by hand."""
    assert len(body) % 16 == 0
    points = []
    for t, bits in struct.iter_unpack("<dQ", body):
        (number,) = struct.unpack("<d", struct.pack("<Q", bits))
        points.append((t, WORDS[bits] if math.isnan(number) else number))
    return points


def exact(points: list[tuple[float, Any]]) -> list[tuple[float, str]]:
    """Points in which True is not 1.0."""
    return [(t, repr(value)) for t, value in points]


# forms


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, CSV),
        ("*/*", CSV),
        ("text/*", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("application/*", JSON),
        (JSON, JSON),
        ("APPLICATION/JSON", JSON),
        (BINARY, BINARY),
        (ARROW, ARROW),
        (f"{CSV};q=0.4, {JSON};q=0.5", JSON),
        (f"{BINARY}, {CSV};q=0.9", BINARY),
        (f"image/png, {BINARY};q=0.1", BINARY),
        (f"*/*, {CSV};q=0.1", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", CSV),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(
    service: Service, path: str, accept: str | None, chosen: str
) -> None:
    reply = get(service, f"{path}points/", accept)
    assert reply.status == 200
    assert reply.headers["Content-Type"].partition(";")[0] == chosen


@pytest.mark.parametrize("accept", ["text/html", f"{CSV};q=0", "*/*;q=0", "nonsense", JSON + "p"])
def test_a_form_that_nobody_can_serve_is_406(service: Service, path: str, accept: str) -> None:
    reply = get(service, f"{path}points/", accept)
    assert reply.status == 406
    detail = json.loads(reply.body)["detail"]
    assert all(form in detail for form in (CSV, JSON, BINARY, ARROW))
    assert get(service, f"{path}csv/", accept).status == 200  # where there is nothing to choose


def test_all_forms_hold_the_same_points(service: Service, path: str) -> None:
    assert get(service, f"{path}points/", CSV).body == ROWS
    document = json.loads(get(service, f"{path}points/", JSON).body)
    assert exact([(t, value) for t, value in document["points"]]) == exact(POINTS)
    assert list(document) == ["points"]
    assert exact(unpacked(get(service, f"{path}points/", BINARY).body)) == exact(POINTS)


def test_arrow_has_two_columns_of_doubles_with_null_as_null(service: Service, path: str) -> None:
    reply = get(service, f"{path}points/", ARROW)
    table = pyarrow.ipc.open_stream(reply.body).read_all()
    table.validate(full=True)
    assert table.schema.names == ["timestamp", "value"]
    assert table.schema.types == [pyarrow.float64(), pyarrow.float64()]
    assert table["timestamp"].to_pylist() == [-1.5, 0.0, 1.0, 2.0, 3.0]
    assert table["value"].to_pylist() == [1e-05, None, 1.0, 0.0, 1e300]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_long_history_is_the_same_in_every_form(service: Service, order: str) -> None:
    points = [(t / 4, None if t % 7 == 0 else t * 0.1) for t in range(150_000)]
    path = service.create(b"".join(format_csv(points)))
    if order == "desc":
        points.reverse()
    page = f"{path}points/?order={order}"
    assert get(service, page, CSV).body == b"".join(format_csv(points))
    assert json.loads(get(service, page, JSON).body)["points"] == [list(pair) for pair in points]
    assert unpacked(get(service, page, BINARY).body) == points
    table = pyarrow.ipc.open_stream(get(service, page, ARROW).body).read_all()
    assert list(zip(table["timestamp"].to_pylist(), table["value"].to_pylist())) == points


def test_an_empty_window_is_empty_in_every_form(service: Service) -> None:
    path = service.create()
    assert get(service, f"{path}points/", CSV).body == b""
    assert json.loads(get(service, f"{path}points/", JSON).body) == {"points": []}
    assert get(service, f"{path}points/", BINARY).body == b""
    table = pyarrow.ipc.open_stream(get(service, f"{path}points/", ARROW).body).read_all()
    assert table.num_rows == 0
    assert table.schema.names == ["timestamp", "value"]


@pytest.mark.parametrize("count", [3, 200_000])
def test_it_is_said_when_there_are_no_words(service: Service, count: int) -> None:
    path = service.create("".join(f"{t},{t}\n" for t in range(count)).encode())
    assert get(service, f"{path}points/", BINARY).headers["Timetric-Words"] == "no"
    assert get(service, f"{path}points/", CSV).headers["Timetric-Words"] is None
    csv = {"Content-Type": "text/csv"}
    service.owner_sends("POST", path, f"{count - 2}.5,null".encode(), csv)
    assert get(service, f"{path}points/", BINARY).headers["Timetric-Words"] is None
    assert get(service, f"{path}points/?end=2", BINARY).headers["Timetric-Words"] == (
        "no" if count > 3 else None
    )


# windows


@pytest.mark.parametrize(
    ("query", "timestamps"),
    [
        ("", [-1.5, 0, 1, 2, 3]),
        ("start=0", [0, 1, 2, 3]),
        ("after=0", [1, 2, 3]),
        ("start=0&after=0", [1, 2, 3]),
        ("start=1&after=0", [1, 2, 3]),
        ("start=0&after=1", [2, 3]),
        ("end=2", [-1.5, 0, 1]),
        ("start=-1.5&end=1", [-1.5, 0]),
        ("start=2&end=1", []),
        ("start=1970-01-01T00:00:01&end=1970-01-01+00:00:03", [1, 2]),
        ("limit=2", [-1.5, 0]),
        ("order=asc&limit=2", [-1.5, 0]),
        ("order=desc", [3, 2, 1, 0, -1.5]),
        ("order=desc&limit=2", [3, 2]),
        ("order=desc&start=0&end=3&limit=2", [2, 1]),
        ("order=desc&after=1", [3, 2]),
        ("start=0&start=0", [0, 1, 2, 3]),
    ],
)
def test_a_window_is_what_was_asked_for(
    service: Service, path: str, query: str, timestamps: list[float]
) -> None:
    kinds = {"points/": JSON, "csv/": CSV, "csv/unix.csv": CSV}
    for name, accept in kinds.items():
        reply = get(service, f"{path}{name}?{query}", accept)
        if accept == JSON:
            assert [t for t, _ in json.loads(reply.body)["points"]] == timestamps
        else:
            assert [float(row.split(b",")[0]) for row in reply.body.splitlines()] == timestamps
    iso = get(service, f"{path}csv/iso.csv?{query}").body
    assert iso.count(b"\n") == len(timestamps)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("start=soon", "start"),
        ("after=", "after"),
        ("end=nan", "end"),
        ("end=1e99", "end"),
        ("limit=0", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1&limit=2", "limit"),
        ("order=down", "order"),
        ("order=", "order"),
        ("order=asc&order=desc", "order"),
    ],
)
def test_a_bad_parameter_is_named(service: Service, path: str, query: str, field: str) -> None:
    for name in ("points/", "csv/", "csv/iso.csv"):
        reply = get(service, f"{path}{name}?{query}")
        assert reply.status == 400
        assert json.loads(reply.body)["field"] == field


@pytest.mark.parametrize("accept", [CSV, JSON, BINARY, ARROW])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_in_every_form_and_order(
    service: Service, path: str, accept: str, order: str
) -> None:
    page: str | None = f"{path}points/?order={order}&limit=2&start=-1.5&oauth_token=x"
    counts = []
    while page:
        reply = get(service, page, accept)
        counts.append(reply.body)
        page = next_of(reply)
        assert "oauth" not in (page or "")
        assert page is None or page.startswith(f"{path}points/?")
    assert len(counts) == 3


def test_the_next_page_of_a_descending_one_moves_the_end(service: Service, path: str) -> None:
    following = next_of(get(service, f"{path}points/?order=desc&after=-1.5&limit=2&end=9"))
    assert following
    query = parse_qs(urlsplit(following).query)
    start = query.pop("start")
    assert float(start[0]) == math.nextafter(-1.5, math.inf)
    assert query == {"end": ["2.0"], "limit": ["2"], "order": ["desc"]}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_large_limit_cuts_where_it_should(service: Service, order: str) -> None:
    count, limit = 600_000, 270_000
    path = service.create("".join(f"{t},{t % 3}\n" for t in range(count)).encode())
    service.owner_sends("POST", path, b"20000.5,1\n150000.5,1\n", {"Content-Type": "text/csv"})
    expected = sorted([*map(float, range(count)), 20000.5, 150000.5], reverse=order == "desc")
    page: str | None = f"{path}points/?order={order}&limit={limit}"
    read: list[float] = []
    sizes = []
    while page:
        reply = get(service, page, BINARY)
        read += [t for t, _ in unpacked(reply.body)]
        sizes.append(len(reply.body) // 16)
        page = next_of(reply)
    assert read == expected
    assert sizes == [limit, limit, count + 2 - 2 * limit]
    exactly = get(service, f"{path}points/?order={order}&limit={count + 2}", BINARY)
    assert exactly.headers["Link"] is None
    assert len(exactly.body) == 16 * (count + 2)


# one point


@pytest.mark.parametrize(
    ("query", "timestamp"),
    [
        ("at=1", 1.0),
        ("at=1.25", 1.0),
        ("at=1&side=before", 1.0),
        ("at=1&side=after", 1.0),
        ("at=1.25&side=after", 2.0),
        ("at=1.25&side=nearest", 1.0),
        ("at=1.5&side=nearest", 1.0),
        ("at=1.75&side=nearest", 2.0),
        ("at=1&side=nearest", 1.0),
        ("at=99&side=nearest", 3.0),
        ("at=-99&side=nearest", -1.5),
        ("at=-99", None),
        ("at=99&side=after", None),
        ("at=1970-01-01T00:00:02", 2.0),
    ],
)
def test_a_value_is_found_by_a_time(
    service: Service, path: str, query: str, timestamp: float | None
) -> None:
    found = json.loads(get(service, f"{path}value/json/?{query}").body)
    assert found == {"timestamp": timestamp, "value": dict(POINTS).get(timestamp)}


@pytest.mark.parametrize("side", ["before", "after", "nearest"])
def test_an_empty_series_has_no_value_near_a_time(service: Service, side: str) -> None:
    found = json.loads(get(service, f"{service.create()}value/json/?at=0&side={side}").body)
    assert found == {"timestamp": None, "value": None}


@pytest.mark.parametrize(
    ("query", "field"), [("at=soon", "at"), ("at=1&side=left", "side"), ("side=after", "at")]
)
def test_a_time_that_is_none_is_named(service: Service, path: str, query: str, field: str) -> None:
    reply = get(service, f"{path}value/json/?{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["field"] == field


WITHOUT_ARROW = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class Finder(PathFinder):
    def find_spec(name, *rest):
        return None if name == "pyarrow" else PathFinder.find_spec(name, *rest)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
from tests.service import running_service

with running_service(Path(sys.argv[1])) as service:
    path = service.create(b"1,2")
    for accept in ("application/vnd.apache.arrow.stream", "application/json"):
        reply = service.owner_sends("GET", f"{path}points/", headers={"Accept": accept})
        print(reply.status, reply.body.decode())
"""


def test_without_pyarrow_arrow_is_not_offered(tmp_path: Path) -> None:
    """As on a machine where it is not installed."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_ARROW, str(tmp_path)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    refused, served = run.stdout.splitlines()
    assert refused.startswith("406")
    assert BINARY in refused
    assert ARROW not in refused
    assert served == '200 {"points": [[1.0,2.0]]}'
