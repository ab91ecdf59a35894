"""The forms of those who keep series: what they store, what they refuse, and who may send them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.dancing import Browser, multipart, signed_in
from tests.service import Headers, Reply, Service, running_service
from timetric.server.storage import Quota

HERE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "\"><script>alert(1)</script>'{{ 7 * 7 }}"
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, signup=Quota(3, 100), max_body=4 * MEBIBYTE) as running:
        yield running


@pytest.fixture
def owner(service: Service) -> Browser:
    return signed_in(service)


def sends(
    browser: Browser,
    path: str,
    fields: dict[str, str],
    csv: bytes | None = None,
    headers: Headers = HERE,
) -> Reply:
    """A multipart form, as browsers send it."""
    body, kind = multipart(fields, csv)
    cookie = {"Cookie": browser.cookie} if browser.cookie else {}
    return browser.service.send("POST", path, body, {**kind, **cookie, **headers})


def key(page: Reply) -> str:
    [found] = set(re.findall(r'name="key" value="([^"]+)"', page.body.decode()))
    return found


def seen(page: Reply) -> str:
    [found] = re.findall(r'name="seen" value="([^"]+)"', page.body.decode())
    return found


def value(page: Reply, name: str) -> str:
    """What stands in a field of a page."""
    text = page.body.decode()
    area = re.search(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    line = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"', text)
    found = area or line
    assert found, name
    return unescape(found[1])


def fault(page: Reply, name: str) -> str:
    """What is said at a field."""
    found = re.search(rf'id="{name}-fault">(.*?)</p>', page.body.decode())
    assert found, (name, page.body.decode())
    return unescape(found[1])


def gone_on(browser: Browser, reply: Reply) -> str:
    """What the page says that a form went on to."""
    assert reply.status == 303, reply
    page = browser.get(reply.headers["Location"])
    assert page.status == 200, page
    found = re.search(r'class="done" role="status">(.*?)</p>', page.body.decode())
    assert found, page.body.decode()
    return unescape(found[1])


def metadata(service: Service, path: str) -> dict[str, object]:
    reply = service.owner_sends("GET", f"{path}metadata/")
    found: dict[str, object] = json.loads(reply.body)
    return found


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


# what a series says


def test_all_that_a_series_says_can_be_changed(service: Service, owner: Browser) -> None:
    path = service.create()
    said = {
        "title": "Roof",
        "caption": "Sun on the roof",
        "description": "Two\r\nlines",
        "tags": "energy; solar ;energy",
        "unit": "W/m²",
        "source": "The roof",
        "source_url": "https://roof.example/",
        "latitude": "52.5",
        "longitude": "-13.4",
        "public": "true",
        "slug": f"roof-{path[8:12].lower().replace('_', 'x').replace('-', 'x')}",
    }
    form = {**said, "seen": seen(owner.get(f"{path}edit/"))}
    assert gone_on(owner, sends(owner, f"{path}edit/", form)) == "The changes are saved."
    found = metadata(service, path)
    assert found["tags"] == ["energy", "solar"]
    assert found["description"] == "Two\nlines"
    assert (found["latitude"], found["longitude"], found["public"]) == (52.5, -13.4, True)
    page = owner.get(f"{path}edit/")
    assert value(page, "tags") == "energy; solar"
    assert value(page, "description") == "Two\nlines"
    assert {name: value(page, name) for name in ("unit", "source", "slug", "latitude")} == {
        name: said[name] for name in ("unit", "source", "slug", "latitude")
    }
    page_of_it = owner.get(path).body.decode()
    assert "W/m²" in page_of_it
    assert 'href="https://roof.example/" rel="nofollow noreferrer">The roof</a>' in page_of_it


def test_what_somebody_else_changed_is_not_undone_unseen(service: Service, owner: Browser) -> None:
    path = service.create()
    page = owner.get(f"{path}edit/")
    form = {"title": "Mine", "caption": "Office power", "seen": seen(page)}
    patch = json.dumps({"title": "Theirs", "unit": "W"}).encode()
    kind = {"Content-Type": "application/json"}
    assert service.owner_sends("PATCH", f"{path}metadata/", patch, kind).status == 200
    page = sends(owner, f"{path}edit/", form)
    assert page.status == 409
    assert value(page, "title") == "Mine"
    assert [text for text in ("It is now: Theirs", "It is now: W") if text in page.body.decode()]
    assert metadata(service, path)["title"] == "Theirs"
    wrong = sends(owner, f"{path}edit/", {**form, "title": ""})
    assert seen(wrong) == form["seen"], "what was not told of is not taken as seen"
    assert sends(owner, f"{path}edit/", {**form, "seen": seen(page)}).status == 303
    assert metadata(service, path)["title"] == "Mine"


def test_points_that_came_meanwhile_do_not_hinder_a_change(
    service: Service, owner: Browser
) -> None:
    path = service.create()
    form = {"title": "T", "caption": "C", "seen": seen(owner.get(f"{path}edit/"))}
    service.owner_sends("POST", f"{path}?value=1")
    assert sends(owner, f"{path}edit/", form).status == 303
    assert sends(owner, f"{path}edit/", form).status == 303, "a second click finds it done"


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("title", "", "The title is required."),
        ("title", "x" * 201, "The title has 201 characters, and 200 are allowed."),
        ("source_url", "javascript:alert(1)", "The address of the source is no http"),
        ("latitude", "91", "The latitude is no number from -90 to 90."),
        ("slug", "Roof", "The short name is not 1 to 64 of"),
        ("slug", "taken", "Another series of yours has this short name."),
        ("caption", HOSTILE + "\x07", "The caption holds a control character."),
    ],
)
def test_what_can_not_be_said_is_told_at_its_field(
    service: Service, owner: Browser, field: str, typed: str, said: str
) -> None:
    service.owner_sends("POST", "/create/?title=T&caption=C&slug=taken")
    path = service.create()
    form = {"title": "T", "caption": "C", "seen": seen(owner.get(f"{path}edit/")), field: typed}
    page = sends(owner, f"{path}edit/", form)
    assert page.status in (400, 409)
    assert fault(page, field).startswith(said)
    assert value(page, field) == typed
    assert b"<script>" not in page.body
    assert metadata(service, path)["title"] == "Power"


def test_hostile_texts_stay_texts(service: Service, owner: Browser) -> None:
    path = service.create(public=True)
    texts = dict.fromkeys(("title", "caption", "description", "tags", "unit", "source"), HOSTILE)
    form = {**texts, "seen": seen(owner.get(f"{path}edit/")), "public": "true"}
    form["source_url"] = "https://x.example/?\"><script>alert(1)</script>'"
    assert sends(owner, f"{path}edit/", form).status == 303
    for name in ("", "add/", "upload/", "edit/", "clear/", "remove/"):
        page = owner.get(path + name)
        assert page.status == 200
        assert b"<script>" not in page.body, name
        assert b"{{ 7" in page.body or b"49" not in page.body, name


def test_the_tag_to_embed_holds_a_hostile_title_as_a_text(service: Service) -> None:
    made = service.owner_sends("POST", f"/create/?caption=C&public=true&title={quote(HOSTILE)}")
    path = urlsplit(made.headers["Location"]).path
    [shown] = re.findall(r'<code id="embed"[^>]*>(.*?)</code>', page_of(service, path), re.DOTALL)
    [(tag, attributes)] = Tags(unescape(shown)).found
    assert tag == "iframe"
    assert attributes["title"] == HOSTILE
    assert attributes["src"] == f"{service.url}embed/{path.split('/')[2]}/"


class Tags(HTMLParser):
    """The tags that begin in a text, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def page_of(service: Service, path: str) -> str:
    return service.send("GET", path).body.decode()


def test_a_page_tells_age_and_span(service: Service) -> None:
    path = service.create(b"60,1\n1236772560,0.30000000000000004\n", public=True)
    page = page_of(service, path)
    age = f"{round((service.clock() - 1236772560) / 60)} min ago"
    told = '<time datetime="2009-03-11T11:56:00Z" title="2009-03-11 11:56:00 UTC">'
    assert f"{told}{age}</time>, at" in page
    assert '<data value="0.30000000000000004">0.3</data>' in page
    assert "1970-01-01 00:01:00 UTC" in page
    for name in ("csv/unix.csv", "csv/iso.csv", "points.json"):
        assert f'href="{path}{name}"' in page
    points = json.loads(service.send("GET", f"{path}points.json").body)["points"]
    assert points == [[60.0, 1.0], [1236772560.0, 0.30000000000000004]]


def test_a_series_is_shown_to_everybody_and_hidden_again(service: Service, owner: Browser) -> None:
    path = service.create()
    for public, said in (("true", "Everybody can see"), ("false", "Only you can see")):
        assert said in gone_on(owner, owner.post(f"{path}publish/", f"public={public}"))
        assert metadata(service, path)["public"] == (public == "true")
    assert owner.post(f"{path}publish/", "public=maybe").status == 400


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


# making a series


def test_a_series_is_previewed_and_made_once(service: Service, owner: Browser) -> None:
    form = {"title": "New", "caption": "C", "key": key(owner.get("/new/")), "slug": "new-one"}
    form["pasted"] = "".join(f"{60 * number},{number}\n" for number in (3, 1, 2, 0, 4, 5, 5))
    page = sends(owner, "/new/", {**form, "step": "preview"})
    text = page.body.decode()
    assert page.status == 200
    assert "6 points" in text
    assert "of 7 rows" in text
    assert len(re.findall("<tr><td>", text)) == 5
    assert "and 1 more" in text
    assert "<details open>" in text, "what was typed behind the fold is not hidden"
    assert value(page, "pasted").split() == form["pasted"].split()
    assert titles(service, "New") == 0
    replies = [sends(owner, "/new/", {**form, "step": "create"}) for _ in range(2)]
    assert len({urlsplit(reply.headers["Location"]).path for reply in replies}) == 1
    assert gone_on(owner, replies[0]) == "The series is made, with 6 points."
    assert gone_on(owner, replies[1]).startswith("The form had been sent before")
    assert titles(service, "New") == 1


def titles(service: Service, title: str) -> int:
    reply = service.owner_sends("GET", f"/search/results.thin.json?u=me&q={quote(title)}")
    return int(json.loads(reply.body)["total"])


def test_a_small_file_is_kept_over_the_preview_and_a_large_one_is_asked_for_again(
    owner: Browser,
) -> None:
    form = {"title": "T", "caption": "C", "step": "preview", "pasted": ""}
    page = sends(owner, "/new/", form, b"1,2\n3,4\n")
    assert value(page, "pasted").split() == ["1,2", "3,4"]
    assert b"power.csv stand in the field below" in page.body
    large = sends(owner, "/new/", form, b"1,2\n" * (MEBIBYTE // 2))
    assert value(large, "pasted") == ""
    assert b"Choose power.csv once more" in large.body
    assert b"<strong>1 point</strong> of 524,288 rows" in large.body
    form |= {"step": "create", "awaited": "power.csv"}
    assert "did not come again" in fault(sends(owner, "/new/", form), "csv")


def test_a_series_needs_no_points(service: Service, owner: Browser) -> None:
    form = {"title": "Empty", "caption": "C", "pasted": "", "key": key(owner.get("/new/"))}
    assert b"A series without points yet." in sends(owner, "/new/", form).body
    reply = sends(owner, "/new/", {**form, "step": "create"})
    assert gone_on(owner, reply) == "The series is made, with 0 points."


def test_what_is_wrong_with_a_new_series_is_told_before_it_is_made(
    service: Service, owner: Browser
) -> None:
    service.owner_sends("POST", "/create/?title=T&caption=C&slug=taken")
    form = {"title": HOSTILE, "caption": "C", "pasted": "1,2\n3,4,5\n", "slug": "taken"}
    page = sends(owner, "/new/", form)
    assert fault(page, "pasted") == "Line 2: '3,4,5' has 3 columns, not timestamp,value."
    page = sends(owner, "/new/", {**form, "pasted": "1,2"})
    assert (page.status, fault(page, "slug")) == (
        409,
        "Another series of yours has this short name.",
    )
    assert value(page, "title") == HOSTILE
    assert b"<script>" not in page.body
    page = sends(owner, "/new/", {**form, "title": " ", "slug": ""})
    assert fault(page, "title") == "The title is required."


def test_a_quota_is_told_by_the_preview(service: Service) -> None:
    user = service.storage.accounts.add_user("small", service.clock(), None, Quota(1, 2))
    browser = signed_in(service, user)
    form = {"title": "T", "caption": "C", "pasted": "1,2\n2,3\n3,4\n"}
    page = sends(browser, "/new/", form)
    assert page.status == 403
    assert b"this account may have 2 points" in page.body
    assert value(page, "pasted").split() == form["pasted"].split()


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
