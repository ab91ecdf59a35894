"""Points as the body: in the 16-byte form, and packed by gzip."""

from __future__ import annotations

import gzip
import json
import math
import struct
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from tests.service import Headers, Service, running_service

CSV = {"Content-Type": "text/csv"}
POINTS = {"Content-Type": "application/vnd.timetric.points"}
PACKED = {"Content-Encoding": "gzip"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIMIT = 3_000_000
WORDS = {"null": 0x7FF8000000000001, "true": 0x7FF8000000000002, "false": 0x7FF8000000000003}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store"), max_body=LIMIT) as running:
        yield running


def records(*points: tuple[float, float]) -> bytes:
    return b"".join(struct.pack("<2d", *point) for point in points)


def record(t: float, bits: int) -> bytes:
    """A point whose value is these bits."""
    return struct.pack("<dQ", t, bits)


def refusal(service: Service, body: bytes, headers: Headers, status: int) -> dict[str, object]:
    """The problem of a body, by PUT and by POST, that stores nothing."""
    path = service.create(b"0,1")
    problems = []
    for method in ("PUT", "POST"):
        reply = service.owner_sends(method, path, body, headers)
        assert reply.status == status, reply
        problems.append(json.loads(reply.body))
    assert problems[0] == problems[1]
    assert service.csv(path) == b"0.0,1.0\n"
    return dict(problems[0])


def test_points_are_taken_in_the_16_byte_form(service: Service) -> None:
    body = records((5, 1.5), (-0.0, -0.0), (5, 2.5))
    words = b"".join(record(t, bits) for t, bits in enumerate(WORDS.values(), 10))
    signed = record(13, WORDS["false"] | 1 << 63)
    path = service.create()
    for method in ("POST", "PUT"):
        reply = service.owner_sends(method, path, body + words + signed, POINTS)
        assert reply.status == 204
        assert reply.headers["Timetric-Received"] == "7"
        assert service.csv(path) == (
            b"0.0,-0.0\n5.0,2.5\n10.0,null\n11.0,true\n12.0,false\n13.0,false\n"
        )
    created = service.owner_sends("POST", "/create/?title=T&caption=C", body, POINTS)
    assert created.status == 201
    assert created.headers["Timetric-Added"] == "2"


def test_a_large_body_of_the_16_byte_form_is_stored_whole(service: Service) -> None:
    path, count = service.create(), 180_000
    body = records(*((float(n), n / 7) for n in range(count)))
    assert service.owner_sends("POST", path, body, POINTS).status == 204
    lines = service.csv(path).splitlines()
    assert len(lines) == count
    assert lines[7] == b"7.0,1.0"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (record(1, 0x7FF8000000000000), "NaN"),
        (record(1, 0x7FF8000000000004), "NaN"),
        (record(1, 0x7FF0000000000001), "NaN"),
        (records((1, math.inf)), "infinite"),
        (records((1, -math.inf)), "infinite"),
        (records((math.nan, 1)), "years"),
        (records((math.inf, 1)), "years"),
        (struct.pack("<Qd", 0x7FF0_0000_0000_0001, 1), "years"),  # a NaN that signals
        (records((1236735000000, 1)), "milliseconds"),
        (records((1, 1))[:9], "9 bytes of 16"),
    ],
)
def test_a_bad_record_is_told_by_its_number(service: Service, bad: bytes, told: str) -> None:
    good = records((0, 1), (1, 1)) * 70_000
    for before in (b"", good):
        problem = refusal(service, before + bad, POINTS, 400)
        assert problem["record"] == len(before) // 16 + 1
        assert told in str(problem["detail"])


def test_points_may_come_packed(service: Service) -> None:
    path = service.create()
    for method, body, headers in (
        ("POST", b"0,1\n", CSV),
        ("PUT", b"0,1\n", FORM),  # curl's default
        ("POST", records((0, 1)), POINTS),
        ("PUT", records((0, 1)), POINTS),
    ):
        assert service.owner_sends("DELETE", path).status == 204
        for packed in (gzip.compress(body), gzip.compress(b"") + gzip.compress(body)):
            reply = service.owner_sends(method, path, packed, {**headers, **PACKED})
            assert reply.status == 204, reply
            assert service.csv(path) == b"0.0,1.0\n"
    create = "/create/?title=T&caption=C"
    reply = service.owner_sends("POST", create, gzip.compress(b"0,1\n"), {**CSV, **PACKED})
    assert reply.headers["Timetric-Added"] == "1"
    empty = service.owner_sends("PUT", path, gzip.compress(b""), {**CSV, **PACKED})
    assert empty.headers["Timetric-Removed"] == "1"


def test_a_bad_row_is_told_by_its_line_when_packed(service: Service) -> None:
    body = gzip.compress(b"1,1\n" * 100_000 + b"1,x\n")
    assert refusal(service, body, {**CSV, **PACKED}, 400)["line"] == 100_001


@pytest.mark.parametrize("form", [CSV, POINTS])
def test_a_packed_body_that_is_cut_or_damaged_stores_nothing(
    service: Service, form: Headers
) -> None:
    whole = gzip.compress(b"1,2\n" * 1000 if form is CSV else records((1, 2)) * 1000)
    damaged = bytearray(whole)
    damaged[-6] ^= 1  # in the checksum
    for body in (
        b"",
        whole[:1],
        whole[:-1],
        whole[:-9],
        whole[: len(whole) // 2],
        whole + b"and more",
        bytes(damaged),
        b"1,2\n",
        zlib.compress(b"1,2\n"),
    ):
        refusal(service, body, {**form, **PACKED}, 400)


def test_other_codings_are_not_taken(service: Service) -> None:
    for coding in ("br", "deflate", "gzip, gzip", "nonsense"):
        refusal(service, gzip.compress(b"1,2"), {**CSV, "Content-Encoding": coding}, 415)
    path = service.create()
    multipart = {"Content-Type": "multipart/form-data; boundary=XX"}
    for headers in (FORM, multipart):
        packed = gzip.compress(b"value=1")
        assert service.owner_sends("POST", path, packed, {**headers, **PACKED}).status == 415
    assert service.owner_sends("POST", path, b"0,1", {**CSV, "Content-Encoding": "identity"})
    assert service.csv(path) == b"0.0,1.0\n"


@pytest.mark.parametrize("form", [CSV, POINTS])
def test_a_bomb_is_stopped_at_the_limit(service: Service, form: Headers) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    row = b"1,2\n" if form is CSV else records((1, 2))
    bomb = b"".join(packer.compress(row * 250_000) for _ in range(100)) + packer.flush()
    assert len(bomb) < LIMIT
    tracemalloc.start()
    try:
        refusal(service, bomb, {**form, **PACKED}, 413)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20
