"""What must hold of each parser for any bytes at all: the same answer as another's, or its error.

Each function here takes a case and raises AssertionError, or whatever a parser should not raise.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

import falcon
import orjson
from falcon.testing import create_environ

from timetric import points, records, timestamps
from timetric.exceptions import BadReply, InvalidPoint
from timetric.points import Point
from timetric.server import blocks, body, columns, intake, listing, metadata, unpacked
from timetric.server.problem import Problem

LIMIT = 1 << 20  # bytes of a body

Outcome = tuple[str, Any]


class Parser(NamedTuple):
    """A check, and samples of what is right."""

    check: Callable[[bytes], None]
    samples: list[bytes]


def _exact(found: list[Point]) -> list[tuple[str, str]]:
    """As texts, by which a word is told from a number and 0.0 from -0.0."""
    return [(repr(t + 0.0), repr(value)) for t, value in found]


def _outcome(parse: Callable[[], Any]) -> Outcome:
    try:
        return "points", _exact(parse())
    except InvalidPoint as error:
        return "line", error.line


def check_csv(case: bytes) -> None:
    """Client and service read the same, whole or with the same line refused."""
    whole = case.removeprefix(b"\xef\xbb\xbf")
    by_line = _outcome(lambda: list(points.parse_csv(whole)))
    assert _outcome(lambda: list(columns.to_points(columns.parse_csv(whole)))) == by_line
    uploaded = _outcome(lambda: list(columns.to_points(intake.read_csv(io.BytesIO(case)).points)))
    if by_line[0] == "points":
        stored = dict(points.parse_csv(whole))
        assert uploaded == ("points", _exact(sorted(stored.items())))
        written = columns.write_csv(columns.from_points(stored.items()))
        assert list(points.parse_csv(written)) == list(stored.items())
    else:
        assert uploaded == by_line


def check_records(case: bytes) -> None:
    """The 16-byte form: whole and right, or its error."""
    try:
        read = intake.read_records(io.BytesIO(case))
    except columns.BadRecord as error:
        assert 1 <= error.record <= len(case) // 16 + 1
        return
    assert read.rows == len(case) // 16 and not len(case) % 16
    stored = dict(records.parse_records(case))
    assert _exact(list(columns.to_points(read.points))) == _exact(
        sorted((t + 0.0, value) for t, value in stored.items())
    )


def check_replied_records(case: bytes) -> None:
    """What a client makes of records that come in a reply."""
    whole = case[: len(case) // 16 * 16]
    try:
        found = list(records.parse_records(whole))
    except BadReply:
        return
    assert len(found) == len(whole) // 16


def check_texts(case: bytes) -> None:
    """A single time and a single value, and that what was read is written and read the same."""
    text = case.decode("utf-8", "replace")
    for read, write in (
        (points.parse_value, points.format_value),
        (timestamps.parse_timestamp, timestamps.format_timestamp),
    ):
        try:
            found: Any = read(text)
        except InvalidPoint:
            continue
        assert repr(read(write(found))) == repr(found)
    try:
        timestamps.to_timestamp(text)
    except InvalidPoint:
        return


def check_blocks(case: bytes) -> None:
    """A block gives back what it holds, and one with any damage is told."""
    cells = [cell for (cell,) in struct.iter_unpack("<d", case[: len(case) // 16 * 16])]
    pairs = [(t, v) for t, v in zip(cells[::2], cells[1::2]) if math.isfinite(t)]
    held = columns.tidy(columns.from_points((t, v if v == v else None) for t, v in pairs))
    if not 0 < len(held.t) <= blocks.SIZE:
        return
    block = blocks.encode(held)
    again = blocks.decode(block.codec, block.crc, block.times, block.values)
    assert again.t.tobytes() == held.t.tobytes() and again.v.tobytes() == held.v.tobytes()
    whole = block.times + block.values
    place = zlib.crc32(case) % len(whole)
    damaged = whole[:place] + bytes([whole[place] ^ 1 << len(case) % 8]) + whole[place + 1 :]
    size = len(block.times)
    try:
        blocks.decode(block.codec, block.crc, damaged[:size], damaged[size:])
    except blocks.Corrupt:
        return
    raise AssertionError("damage that no checksum told")


def check_gzip(case: bytes) -> None:
    """A packed body: what Python's gzip makes of it, or a problem."""
    try:
        file = unpacked.Unpacked(io.BytesIO(case), LIMIT)
        found = b"".join(iter(partial(file.read, 1 << 14), b""))
    except Problem as problem:
        assert problem.status in (400, 413)
        return
    assert found == gzip.decompress(case)


def check_form(kind: str, case: bytes) -> None:
    """A body by its content type: fields and points, or an error with a status of its own."""
    environ = create_environ(
        method="POST", path="/series/x/", body=case, headers={"Content-Type": kind}
    )
    req = falcon.Request(environ)
    req.context.body = None
    try:
        form = body.read_form(req, LIMIT)
    except (Problem, InvalidPoint, falcon.HTTPError) as error:
        status = getattr(error, "status_code", getattr(error, "status", None))
        assert status is None or status < 500
        return
    for texts in form.fields.values():
        for text in texts:
            text.encode("utf-8")  # no half of a character


def check_metadata(case: bytes) -> None:
    """Metadata of a form, and as a merge patch: what a series can say of itself, or an error."""
    text = case.decode("utf-8", "replace")
    for name in metadata.Metadata.__dataclass_fields__:
        try:
            metadata.Metadata.from_fields({"title": ["T"], "caption": ["C"], name: [text]})
        except metadata.BadMetadata as error:
            assert error.field == name
    try:
        patch = orjson.loads(case)
        if isinstance(patch, dict):
            metadata.read_changes(patch)
    except (orjson.JSONDecodeError, metadata.BadMetadata):
        return


def check_tags(case: bytes) -> None:
    """The address of a tag leads back to it, from the path as a server has decoded it once."""
    text = case.decode("utf-8", "replace")
    try:
        told = metadata.Metadata.from_fields({"title": ["T"], "caption": ["C"], "tags": [text]})
    except metadata.BadMetadata:
        return
    tags = told.tags[:2]
    path = unquote(listing.tag_path(*tags)).removeprefix("tags/").removesuffix("/")
    assert listing.tags_in(path) == tags


_CSV = [
    b"1236735000,1\n1236735500,null\n",
    b"2009-03-11T01:38:20,true\r\n2009-03-11T01:38:21Z,-2.5e-7\r\n",
    b"\xef\xbb\xbf2009-03-11,1\n\n 1 , FALSE \n1,2\n-5.5,.5\n",
    b"1.5,007\n1,+3\n",
]
_RECORDS = [
    struct.pack("<6d", 1, 2.5, -5, 0, 1e9, -0.0),
    struct.pack("<dQdQ", 1, 0x7FF8000000000001, 2, 0xFFF8000000000003),
    struct.pack("<20d", *range(20)),
]
_FORMS = [
    b"value=14&timestamp=1",
    b"increment=4.5",
    b"title=A%20b&caption=c+d&tags=x;y&public=true",
]
_PARTS = [
    b'--X\r\nContent-Disposition: form-data; name="title"\r\n\r\nPower\r\n--X\r\n'
    b'Content-Disposition: form-data; name="csv"; filename="a.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\n1,2\n3,4\n\r\n--X--\r\n",
    b"--X\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''%e2%82%ac\r\n\r\n"
    b"\r\n--X--",
]
_ITEMS = [
    b'{"title": "Power", "tags": ["a", "b"], "latitude": 51.5, "public": true, "unit": null}',
    b'{"source_url": "http://example.org/", "slug": "office-power", "description": "\\u0000"}',
    b"http://[::1]/?q=\xc3\xa9",
    b"office-power",
]
_WORDS = [b"1236735000.5", b"2003-04-06T00:00:00.25+01:00", b"null", b"10 March 2009 17:47:49"]

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=X"

PARSERS = {
    "csv": Parser(check_csv, _CSV),
    "records": Parser(check_records, _RECORDS),
    "replied records": Parser(check_replied_records, _RECORDS),
    "blocks": Parser(check_blocks, _RECORDS),
    "texts": Parser(check_texts, _WORDS),
    "gzip": Parser(check_gzip, [gzip.compress(case) for case in [*_CSV, b"", b"1,2\n" * 5000]]),
    "form": Parser(partial(check_form, FORM), _FORMS),
    "multipart": Parser(partial(check_form, MULTIPART), _PARTS),
    "metadata": Parser(check_metadata, [*_ITEMS, *_WORDS]),
    "tags": Parser(check_tags, [b"energy", b"public data", "a/b;\u00e9%2F".encode(), b"100%;?#"]),
}
