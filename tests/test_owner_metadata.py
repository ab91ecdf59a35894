"""What a series says of itself: changed by its owner in a browser, and shown on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote, urlsplit

import pytest

from tests.dancing import Browser, signed_in
from tests.forms import HOSTILE, fault, gone_on, metadata, seen, sends, value
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def owner(service: Service) -> Browser:
    return signed_in(service)


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
    assert service.send("GET", urlsplit(attributes["src"]).path).status == 200


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
