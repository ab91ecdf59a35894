"""POST /create/ in its three encodings."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.service import Reply, Service, basic, running_service

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CSV = {"Content-Type": "text/csv"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=XX"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def multipart(fields: dict[str, str], csv: bytes | None = None) -> bytes:
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    if csv is not None:
        head = '--XX\r\nContent-Disposition: form-data; name="csv"; filename="a.csv"\r\n\r\n'
        parts.insert(0, head.encode() + csv + b"\r\n")
    return b"".join(parts) + b"--XX--\r\n"


def path_of(reply: Reply) -> str:
    assert reply.status == 201, reply
    return urlsplit(reply.headers["Location"]).path


def test_raw_csv_with_the_metadata_in_the_query_newest_first_makes_a_series(
    service: Service,
) -> None:
    body = b"2009-03-11 01:38:20,2\n2009-03-11 01:30:00,1\n"
    path = "/create/?title=Power&caption=Office%20power&unit=kW+h"
    reply = service.owner_sends("POST", path, body, CSV)
    assert reply.status == 201
    assert reply.body.decode() == reply.headers["Location"]
    assert reply.headers["Location"].startswith(service.url + "series/")
    assert service.csv(path_of(reply)) == b"1236735000.0,1.0\n1236735500.0,2.0\n"
    page = service.owner_sends("GET", path_of(reply)).body.decode()
    assert "Office power" in page
    assert "kW h" in page


def test_a_form_makes_an_empty_series(service: Service) -> None:
    body = urlencode({"title": "Température", "caption": "It's hot"}).encode()
    path = path_of(service.owner_sends("POST", "/create/", body, FORM))
    assert service.csv(path) == b""
    assert "Température" in service.owner_sends("GET", path).body.decode()


def test_a_multipart_form_makes_a_series_of_its_csv(service: Service) -> None:
    body = multipart({"title": "Power", "caption": "Office"}, b"0,1\n1,2\n")
    path = path_of(service.owner_sends("POST", "/create/", body, MULTIPART))
    assert service.csv(path) == b"0.0,1.0\n1.0,2.0\n"


def test_a_multipart_form_without_csv_makes_an_empty_series(service: Service) -> None:
    body = multipart({"title": "Power", "caption": "Office"})
    path = path_of(service.owner_sends("POST", "/create/", body, MULTIPART))
    assert service.csv(path) == b""


def test_the_csv_part_may_end_in_a_line_end_of_its_own(service: Service) -> None:
    body = multipart({"title": "Power", "caption": "Office"}, b"0,1\r\n1,2\r\n\r\n")
    path = path_of(service.owner_sends("POST", "/create/", body, MULTIPART))
    assert service.csv(path) == b"0.0,1.0\n1.0,2.0\n"


def test_an_id_is_a_random_uuid_that_begins_with_a_letter_or_digit(service: Service) -> None:
    path = service.create()
    id = path.split("/")[2]
    assert len(id) == 22
    assert id[0].isalnum()
    assert uuid.UUID(bytes=base64.urlsafe_b64decode(id + "==")).version == 4


def test_fields_in_query_and_body_count_once(service: Service) -> None:
    fields = urlencode([("title", "Power"), ("caption", "A"), ("tags", "x"), ("tags", "y")])
    reply = service.owner_sends("POST", f"/create/?{fields}", fields.encode(), FORM)
    page = service.owner_sends("GET", path_of(reply)).body.decode()
    assert "<dt>Tags</dt><dd>x, y</dd>" in page


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("title=A&caption=C", "title=B&caption=C"),
        ("title=A&title=B&caption=C", ""),
        ("", "title=A&caption=C&caption=D"),
    ],
)
def test_a_field_with_two_texts_is_refused(service: Service, query: str, body: str) -> None:
    reply = service.owner_sends("POST", f"/create/?{query}", body.encode(), FORM)
    assert reply.status == 400
    assert json.loads(reply.body)["field"] in ("title", "caption")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"caption": "C"}, "title"),
        ({"title": " ", "caption": "C"}, "title"),
        ({"title": "T"}, "caption"),
        ({"title": "T" * 201, "caption": "C"}, "title"),
        ({"title": "T\0", "caption": "C"}, "title"),
        ({"title": "T", "caption": "C", "public": "yes"}, "public"),
        ({"title": "T", "caption": "C", "latitude": "91"}, "latitude"),
        ({"title": "T", "caption": "C", "source_url": "javascript:alert(1)"}, "source_url"),
    ],
)
def test_metadata_that_cannot_be_taken_is_refused_by_name(
    service: Service, fields: dict[str, str], field: str
) -> None:
    reply = service.owner_sends("POST", "/create/", urlencode(fields).encode(), FORM)
    assert reply.status == 400
    assert json.loads(reply.body)["field"] == field


def test_csv_that_would_be_lost_in_a_form_is_refused(service: Service) -> None:
    query = "title=Power&caption=Office"
    typed_as_form = service.owner_sends("POST", f"/create/?{query}", b"0,1\n1,2\n", FORM)
    assert typed_as_form.status == 400
    assert b"Content-Type" in typed_as_form.body
    in_a_field = f"{query}&csv={quote('0,1')}".encode()
    assert service.owner_sends("POST", "/create/", in_a_field, FORM).status == 400


def test_a_bad_row_is_named_by_its_line(service: Service) -> None:
    body = b"0,1\r\n\r\n1,nan\r\n"
    reply = service.owner_sends("POST", "/create/?title=T&caption=C", body, CSV)
    assert reply.status == 400
    assert json.loads(reply.body)["line"] == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b'--XX\r\nContent-Disposition: form-data; name="title"\r\n\r\nT',
        b'--XX\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nT\r\n--XX--\r\n',
        b'--XX\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--XX--\r\n',
        multipart({"title": "T", "caption": "C"}, b"0,1\n")[:-8],
        multipart({"title": "T", "caption": "C", "description": "d" * 70_000}),
        multipart({}, b"0,1\n")[:-8] + multipart({"title": "T", "caption": "C"}, b"0,2\n"),
    ],
)
def test_a_broken_multipart_form_is_refused(service: Service, body: bytes) -> None:
    query = "" if body.startswith(b"--XX") else "?title=T&caption=C"
    reply = service.owner_sends("POST", f"/create/{query}", body, MULTIPART)
    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_a_form_that_is_not_utf8_is_refused(service: Service) -> None:
    for text in (b"title=%ff&caption=C", b"title=\xff&caption=C"):
        assert service.owner_sends("POST", "/create/", text, FORM).status == 400


def test_a_series_is_private_unless_made_public(service: Service) -> None:
    assert service.send("GET", service.create()).status == 401
    assert service.send("GET", service.create(public=True)).status == 200


def test_creating_needs_credentials(service: Service) -> None:
    path = "/create/?title=T&caption=C"
    assert service.send("POST", path, b"0,1", CSV).status == 401
    other = {**CSV, **basic(service.other_config)}
    assert service.send("POST", path, b"0,1", other).status == 201
