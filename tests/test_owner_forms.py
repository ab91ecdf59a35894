"""The forms that add, upload, clear and remove: what they store, what they refuse, and who may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.dancing import Browser, signed_in
from tests.forms import HOSTILE, fault, gone_on, key, metadata, sends, titles, value
from tests.service import Headers, Service, running_service

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, max_body=4 * MEBIBYTE) as running:
        yield running


@pytest.fixture
def owner(service: Service) -> Browser:
    return signed_in(service)


# adding a value


def test_a_value_is_added_now_or_at_a_time(service: Service, owner: Browser) -> None:
    path = service.create()
    reply = owner.post(f"{path}add/", "value=14.25&timestamp=")
    assert reply.headers["Location"].startswith(f"{path}?done=added")
    reply = owner.post(f"{path}add/", f"value=null&timestamp=2009-03-10+09:30&key={'k' * 22}")
    assert gone_on(owner, reply) == "null is stored at 2009-03-10 09:30:00 UTC."
    assert service.csv(path) == b"1236677400.0,null\n1236772800.0,14.25\n"


def test_a_value_takes_the_place_of_another_and_that_is_said(
    service: Service, owner: Browser
) -> None:
    path = service.create(b"60,1")
    page = owner.get(path)
    reply = owner.post(f"{path}add/", f"value=2&timestamp=60&key={key(page)}")
    said = "2 is stored at 1970-01-01 00:01:00 UTC, in the place of another value."
    assert gone_on(owner, reply) == said


def test_a_form_that_is_sent_twice_is_done_once(service: Service, owner: Browser) -> None:
    path = service.create()
    form = f"value=5&timestamp=&key={key(owner.get(path))}"
    first = owner.post(f"{path}add/", form)
    service.clock.advance(60)
    assert "had been sent before" in gone_on(owner, owner.post(f"{path}add/", form))
    assert "had been sent before" not in gone_on(owner, first)
    assert service.csv(path).count(b"\n") == 1
    other = owner.post(f"{path}add/", form.replace("value=5", "value=6"))
    assert "had been sent before" not in gone_on(owner, other)
    assert service.csv(path).count(b"\n") == 2


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("value", "14,25", "'14,25' is no value"),
        ("value", "", "'' is no value"),
        ("value", "1e999", "past a double's range"),
        ("timestamp", "tomorrow", "'tomorrow' is no timestamp"),
        ("timestamp", "1236772800000", "it looks like milliseconds"),
    ],
)
def test_a_value_that_is_none_is_told_at_its_field(
    service: Service, owner: Browser, field: str, typed: str, said: str
) -> None:
    path, form = service.create(), {"value": "1", "timestamp": "5", field: typed}
    page = owner.post(f"{path}add/", urlencode(form))
    assert page.status == 400
    assert said in fault(page, field)
    assert not fault(page, field).startswith("timestamp:")
    assert {name: value(page, name) for name in form} == form
    assert service.csv(path) == b""


# uploading


def test_a_file_is_uploaded_and_counted(service: Service, owner: Browser) -> None:
    path = service.create(b"1,1\n2,2\n")
    form = {"key": key(owner.get(f"{path}upload/")), "pasted": "", "on_conflict": "replace"}
    reply = sends(owner, f"{path}upload/", form, b"\xef\xbb\xbf2,2\r\n3,3")
    assert gone_on(owner, reply) == "2 rows read: 1 point added, 1 unchanged."
    again = sends(owner, f"{path}upload/", form, b"\xef\xbb\xbf2,2\r\n3,3")
    assert gone_on(owner, again).startswith("The form had been sent before")
    assert service.csv(path) == b"1.0,1.0\n2.0,2.0\n3.0,3.0\n"


def test_points_may_be_pasted(service: Service, owner: Browser) -> None:
    path = service.create()
    sends(owner, f"{path}upload/", {"pasted": "2009-03-11 12:00,1\r\n2009-03-11 13:00,null\r\n"})
    assert service.csv(path) == b"1236772800.0,1.0\n1236776400.0,null\n"


@pytest.mark.parametrize("large", [False, True])
def test_a_bad_line_of_a_file_is_pointed_out(service: Service, owner: Browser, large: bool) -> None:
    count = 200_000 if large else 100
    lines = [b"%d,%d" % (number, number) for number in range(count)]
    lines[count - 3] = f"7,{HOSTILE}".encode()
    path = service.create()
    page = sends(owner, f"{path}upload/", {"pasted": ""}, b"\n".join(lines))
    field = "csv" if large else "pasted"
    assert page.status == 400
    assert fault(page, field).startswith(f"Line {count - 2}: ")
    shown = re.search(r'class="bad-line">.*?<code>(.*?)</code>', page.body.decode())
    assert shown
    assert unescape(shown[1]) == f"7,{HOSTILE}"
    assert "<script>" not in page.body.decode().replace("<script src", "")
    assert (value(page, "pasted") == "") == large, "the lines of a small file may be mended"
    assert service.csv(path) == b""


def test_lines_of_a_spreadsheet_are_told_what_they_lack(service: Service, owner: Browser) -> None:
    path = service.create()
    for line in ("2009-03-11 12:00\t14.25", "1236772800;14.25"):
        page = sends(owner, f"{path}upload/", {"pasted": f"1,2\n{line}"})
        assert "Write a comma between time and value." in fault(page, "pasted")


def test_a_heading_is_told_as_such(service: Service, owner: Browser) -> None:
    path = service.create()
    page = sends(owner, f"{path}upload/", {"pasted": "time,value\n1,2\n"})
    assert "If it is a heading, take it out." in fault(page, "pasted")
    assert value(page, "pasted").split() == ["time,value", "1,2"]


@pytest.mark.parametrize(
    ("fields", "csv", "status", "said"),
    [
        ({"pasted": " \r\n"}, None, 400, "There are no points in it."),
        ({"pasted": "1,2"}, b"3,4", 400, "Paste the points or choose a file, not both."),
        ({"pasted": ""}, b"", 400, "There are no points in it."),
        ({"pasted": ""}, b"PK\x03\x04\0\xff", 400, "Line 1: not UTF-8."),
        ({"pasted": "1,9", "on_conflict": "error"}, None, 409, "another value stands already"),
        ({"pasted": "1,9", "on_conflict": "no"}, None, 400, "on_conflict is none of"),
    ],
)
def test_an_upload_that_can_not_be_is_told(
    service: Service,
    owner: Browser,
    fields: dict[str, str],
    csv: bytes | None,
    status: int,
    said: str,
) -> None:
    path = service.create(b"1,1")
    page = sends(owner, f"{path}upload/", fields, csv)
    assert page.status == status
    assert said in unescape(page.body.decode())
    assert service.csv(path) == b"1.0,1.0\n"


def test_more_than_is_taken_is_refused(service: Service, owner: Browser) -> None:
    path = service.create()
    page = sends(owner, f"{path}upload/", {"pasted": "1,2\n" * MEBIBYTE})
    assert page.status == 413
    page = sends(owner, f"{path}upload/", {"pasted": "1,2\n" * (MEBIBYTE // 4 + 1)})
    assert page.status == 413
    assert b"send it as a file" in page.body


# clearing and removing


def test_clearing_says_how_many_go_and_went(service: Service, owner: Browser) -> None:
    path = service.create(b"".join(b"%d,1\n" % number for number in range(1234)))
    page = owner.get(f"{path}clear/")
    assert b"<h1>Clear 1,234 points?</h1>" in page.body
    assert service.csv(path).count(b"\n") == 1234, "asking clears nothing"
    said = gone_on(owner, owner.post(f"{path}clear/", f"key={key(page)}"))
    assert said == "1,234 points cleared."
    assert service.csv(path) == b""
    assert b"/clear/" not in owner.get(path).body, "there is nothing more to clear"


def test_removing_asks_and_a_second_click_finds_it_done(service: Service, owner: Browser) -> None:
    path = service.create(b"1,2\n2,3\n")
    page = owner.get(f"{path}remove/")
    assert b"with 2 points" in page.body
    for _ in range(2):
        said = gone_on(owner, owner.post(f"{path}remove/", f"key={key(page)}"))
        assert said == "The series was removed, with all its points."
    assert owner.get(path).status == 404
    assert owner.post(f"{path}remove/", f"key={'x' * 22}").status == 404


# who may


PAGES = ("add/", "upload/", "edit/", "clear/", "remove/")


def test_others_and_strangers_learn_no_more_than_by_the_page(service: Service) -> None:
    other = signed_in(service, service.storage.accounts.user("other"))
    private, public = service.create(b"1,2"), service.create(b"1,2", public=True)
    absent = f"/series/{'A' * 22}/"
    for name in PAGES:
        gone = [other.get(f"{path}{name}") for path in (private, absent)]
        assert {reply.status for reply in gone} == {404}
        assert len({reply.body.replace(private.encode(), b"") for reply in gone}) <= 2
        assert other.get(f"{public}{name}").status == 403
        assert other.post(f"{public}{name}", "value=1&key=").status == 403
        assert other.post(f"{private}{name}", "value=1&key=").status == 404
        stranger = service.send("GET", f"{private}{name}")
        asked = parse_qs(urlsplit(stranger.headers["Location"]).query)["next"]
        assert (stranger.status, asked) == (303, [f"{private[1:-1]}/{name[:-1]}/"[: len(asked[0])]])
    assert other.post(f"{public}publish/", "public=false").status == 403
    for path in (private, public):
        assert service.csv(path) == b"1.0,2.0\n"
    assert b"/edit/" not in other.get(public).body
    assert b"/edit/" not in service.send("GET", public).body


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}]
)
def test_a_form_of_another_site_is_refused(
    service: Service, owner: Browser, headers: Headers
) -> None:
    path = service.create(b"1,2")
    before = metadata(service, path), service.csv(path)
    for name in (*PAGES, "publish/"):
        reply = owner.post(f"{path}{name}", "value=1&public=true&title=T&caption=C", headers)
        assert reply.status == 403, name
    assert sends(owner, f"{path}upload/", {"pasted": "5,6"}, None, headers).status == 403
    found = titles(service, "Evil")
    form = {"title": "Evil", "caption": "C", "step": "create"}
    assert sends(owner, "/new/", form, None, headers).status == 403
    assert (metadata(service, path), service.csv(path)) == before
    assert titles(service, "Evil") == found


def test_what_was_done_is_told_to_the_owner_only(service: Service, owner: Browser) -> None:
    path = service.create(public=True)
    reply = owner.post(f"{path}add/", f"value=5&timestamp=&key={key(owner.get(path))}")
    page = service.send("GET", reply.headers["Location"])
    assert page.status == 200
    assert b'class="done"' not in page.body
    made_up = owner.get(f"{path}?done=added&write=nothing")
    assert b'class="done"' not in made_up.body
