"""What attackers try by a browser or a program; docs/security lists which test holds what."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from tests.dancing import FORM, Browser, authorized, entrusted, link, program, signed_in
from tests.service import Headers, Reply, Service, basic, running_service
from tests.test_pages import PERSON
from tests.test_sign_in import ELSEWHERE
from tests.test_who_may import ENDPOINTS, OPEN, Endpoint
from timetric.server.password import Passwords
from timetric.server.storage import Quota

PATCH = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}
PASSWORD = "a-long-password"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, signup=Quota(series=5, points=5)) as running:
        password = Passwords(secrets.token_bytes).hash(PASSWORD)
        running.storage.accounts.set_password(running.owner, password)
        yield running


@pytest.fixture(autouse=True)
def later(service: Service) -> None:
    """Attempts of one test are not counted in the next."""
    service.clock.advance(24 * 60 * 60)


def item(service: Service, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.owner_sends("GET", f"{path}metadata/").body)
    return found


# fields that are nobody's to set

#: What a series has that its owner does not choose, and what others might have in its place.
NOT_ONES_OWN: dict[str, object] = {
    "id": "A" * 22,
    "key": 1,
    "owner": "other",
    "owner_id": 2,
    "user": "other",
    "created": 0,
    "updated": 0,
    "updated_at": 0,
    "version": 99,
    "generation": 99,
    "points": 99,
    "count": 99,
    "latest": 1,
    "url": "http://evil.example/",
    "quota": 10**9,
    "administrator": True,
    "read_only": False,
    "__class__": "x",
    "__proto__": {"public": True},
}


@pytest.mark.parametrize("name", NOT_ONES_OWN)
def test_what_is_nobodys_to_set_is_not_set(service: Service, name: str) -> None:
    fields = {"title": "T", "caption": "C", name: str(NOT_ONES_OWN[name])}
    made = service.owner_sends("POST", "/create/", urlencode(fields).encode(), FORM)
    assert made.status == 201
    path = urlsplit(made.headers["Location"]).path
    before = item(service, path)
    assert (before["owner"], before["points"], before["public"]) == ("owner", 0, False)
    assert before["created"] == service.clock()
    assert path == f"/series/{before['name']}/" != f"/series/{'A' * 22}/"
    change = json.dumps({"title": "Changed", name: NOT_ONES_OWN[name]}).encode()
    refused = service.owner_sends("PATCH", f"{path}metadata/", change, PATCH)
    assert (refused.status, json.loads(refused.body)["field"]) == (400, name)
    assert item(service, path) == before


def test_forms_of_an_account_set_what_they_show_and_nothing_else(service: Service) -> None:
    extra = {"user": "other", "owner": "other", "key": "K" * 22, "secret": "S", "quota": "99"}
    browser = signed_in(service)
    page = browser.post("/account/tokens/", urlencode({"name": "Mine", **extra}))
    assert page.status == 200
    [token] = [t for t in service.storage.accounts.tokens_of(service.owner) if t.name == "Mine"]
    assert token.key != extra["key"]
    more = {"predates_1_0a": "true", "administrator": "true"}
    assert browser.post("/account/applications/", urlencode({"name": "A", **extra, **more})).status
    [application] = service.storage.grants.applications_of(service.owner)
    assert (application.owner, application.predates_1_0a) == (service.owner, False)
    assert application.key != extra["key"]
    fields = {"name": "stranger", "password": PASSWORD, "again": PASSWORD, "points": "9999"}
    stranger = Browser(service)
    assert stranger.post("/account/sign-up/", urlencode({**fields, **extra})).status == 303
    account = service.storage.accounts.account(service.storage.accounts.user("stranger"))
    assert account.quota == Quota(series=5, points=5)


# markup in what strangers write

#: None of our pages has such a tag, or such an attribute.
PAYLOADS = [
    "<xss>alert(1)</xss>",
    '"><xss src=x onxss=alert(1)>',
    "' onxss='alert(1)",
    "</title></textarea></style></script><xss/onxss=1>",
    "{{7*7}}<xss>{% raw %}",
    "&lt;xss&gt;&#60;xss&#62;",
    "]]><xss>--><xss>",
    "\u202e\u200b<xss>",
]


class Harmless(HTMLParser):
    """What a browser makes of a page, which has to be free of all that a payload would bring."""

    def __init__(self, page: Reply) -> None:
        super().__init__()
        self.links: list[str] = []
        assert page.headers["Content-Type"] == "text/html; charset=utf-8", page
        self.feed(page.body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert tag != "xss"
        assert [name for name in names if name.startswith("on") or name == "style"] == []
        assert tag != "script" or "src" in names
        links = [text or "" for name, text in attrs if name in ("href", "src", "action")]
        for address in links:
            assert urlsplit(address).scheme in ("", "http", "https"), address
        self.links += links


def filled(service: Service, payload: str) -> tuple[str, str]:
    """A public series with the payload wherever a text may stand, and its tag."""
    texts = dict.fromkeys(("title", "caption", "description", "unit", "source"), payload)
    tag = payload.replace(";", "")
    fields = {**texts, "tags": tag, "source_url": f"http://e.example/{payload}".replace(" ", "+")}
    sent = urlencode({**fields, "public": "true"}).encode()
    made = service.owner_sends("POST", "/create/", sent, FORM)
    assert made.status == 201, made
    return urlsplit(made.headers["Location"]).path, tag


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_metadata_stays_text_in_pages(service: Service, payload: str) -> None:
    path, tag = filled(service, payload)
    tagged = f"/tags/{quote(quote(tag, safe=''), safe='')}/"
    shown = [path, "/", tagged, f"/search/?q={quote(payload)}", "/tags/"]
    forms = [f"{path}{name}/" for name in ("edit", "add", "upload", "clear", "remove")]
    owner, stranger = signed_in(service), Browser(service)
    replies = [owner.get(page, PERSON) for page in (*shown, *forms, "/account/")]
    replies += [stranger.get(page, PERSON) for page in (*shown, f"/embed/{path.split('/')[2]}/")]
    for reply in replies:
        assert reply.status == 200
        Harmless(reply)
    assert payload.encode() not in Browser(service).get(path, PERSON).body or "<" not in payload
    service.owner_sends("DELETE", f"{path}?series=true")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_metadata_stays_text_in_feeds_and_json(service: Service, payload: str) -> None:
    path, _ = filled(service, payload)
    reply = service.send("GET", "/search/results.atom")
    feed = ElementTree.fromstring(reply.body)
    tags = {element.tag.partition("}")[2] for element in feed.iter()}
    assert "title" in tags
    assert "xss" not in tags
    replies = [service.owner_sends("GET", f"{path}{end}") for end in ("metadata/", "value/json/")]
    for found in (reply, *replies):
        assert "html" not in found.headers["Content-Type"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(replies[0].body)["title"] == payload
    service.owner_sends("DELETE", f"{path}?series=true")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_metadata_stays_text_in_pictures_and_snippets(
    service: Service, payload: str
) -> None:
    path, _ = filled(service, payload)
    service.owner_sends("POST", path, b"0,1\n1,2", CSV)
    for name in ("chart.svg", "sparkline.svg"):
        reply = service.send("GET", f"{path}{name}")
        assert "sandbox" in reply.headers["Content-Security-Policy"]
        names = [element.tag for element in ElementTree.fromstring(reply.body).iter()]
        assert [name for name in names if "xss" in name or "script" in name] == []
    asked = f"/oembed/?url={quote(service.url.rstrip('/') + path, safe='')}"
    snippet = json.loads(service.send("GET", asked).body)["html"]
    [frame] = ElementTree.fromstring(f"<body>{snippet}</body>").iter("iframe")
    assert not {name for name in frame.attrib if name.startswith("on")}
    assert frame.attrib["src"].startswith(f"{service.url}embed/")
    ElementTree.fromstring(service.send("GET", f"{asked}&format=xml").body)
    service.owner_sends("DELETE", f"{path}?series=true")


#: Addresses at which a page repeats what was asked; the payload stands for "PAYLOAD".
REPEATING = [
    "/search/?q=PAYLOAD",
    "/search/?u=PAYLOAD",
    "/search/?tags=PAYLOAD&start=PAYLOAD",
    "/tags/PAYLOAD/",
    "/nothing/PAYLOAD/",
    "/series/PAYLOAD/",
    "/account/sign-in/?next=PAYLOAD&done=PAYLOAD",
    "/account/sign-in/PAYLOAD/",
    "/oauth/authorize/?oauth_token=PAYLOAD&oauth_callback=PAYLOAD",
    "/PAYLOAD",
]


@pytest.mark.parametrize("address", REPEATING)
def test_markup_in_an_address_stays_text(service: Service, address: str) -> None:
    browser = signed_in(service)
    for payload in PAYLOADS:
        Harmless(browser.get(address.replace("PAYLOAD", quote(payload, safe="")), PERSON))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_csv_and_forms_stays_text_in_errors(service: Service, payload: str) -> None:
    path = service.create(b"0,1")
    row = f"{payload},1\n".encode()
    told = service.owner_sends("POST", path, row, CSV)
    assert (told.status, told.headers["Content-Type"]) == (400, "application/problem+json")
    assert told.headers["X-Content-Type-Options"] == "nosniff"
    Harmless(service.owner_sends("POST", path, row, {**CSV, **PERSON}))
    fields = urlencode({"name": payload, "password": payload, "next": payload})
    Harmless(Browser(service).post("/account/sign-in/", fields))
    fields = urlencode({"name": f"{payload}\n", "callback": payload, "expires": payload})
    for page in ("tokens", "applications"):
        Harmless(signed_in(service).post(f"/account/{page}/", fields))


def test_markup_in_names_stays_text(service: Service) -> None:
    """Of a browser, a token and an application."""
    named, browser = {"name": "<xss onxss=1>"}, Browser(service)
    headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": named["name"]}
    assert browser.post(link(service), headers=headers).status == 200
    for page in ("tokens", "applications"):
        assert browser.post(f"/account/{page}/", urlencode(named)).status in (200, 303)
    for page in ("tokens", "applications", "sessions"):
        reply = browser.get(f"/account/{page}/")
        Harmless(reply)
        assert b"&lt;xss" in reply.body


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JaVaScRiPt://x", "data:text/html,x", "vbscript:x", "//e.x"]
)
def test_a_link_that_runs_is_refused(service: Service, address: str) -> None:
    path = service.create()
    change = json.dumps({"source_url": address}).encode()
    reply = service.owner_sends("PATCH", f"{path}metadata/", change, PATCH)
    assert (reply.status, json.loads(reply.body)["field"]) == (400, "source_url")


# forms of other sites

#: What takes a POST of programs, which no cookie opens.
OF_PROGRAMS = {"/create/", "/series/{id}/", "/oauth/request_token/", "/oauth/access_token/"}
FORMS = [each for each in ENDPOINTS if each.method == "POST" and each.path not in OF_PROGRAMS]


@pytest.mark.parametrize("endpoint", FORMS, ids=str)
def test_no_form_of_another_site_is_taken(service: Service, endpoint: Endpoint) -> None:
    """Whatever it is about, and whether there is such a thing."""
    path, owner = endpoint.sent_path(service.create().split("/")[2]), signed_in(service)
    for headers in ELSEWHERE:
        sent = {**FORM, **endpoint.headers, **headers, "Cookie": owner.cookie}
        reply = service.send("POST", path, endpoint.body, sent)
        assert (reply.status, reply.headers["Set-Cookie"]) == (403, None), headers
    assert owner.get("/account/").status == 200


# where browsers are sent to

AWAY = [
    "http://evil.example/",
    "https:evil.example",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "\t//evil.example/",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "x:y",
    "/x\r\nSet-Cookie: timetric=planted",
    "%0d%0aSet-Cookie: a=b",
    "@evil.example/",
    ".evil.example/",
    ".//evil.example/",
    "..//evil.example/",
]


@pytest.mark.parametrize("address", AWAY)
def test_signing_in_leads_nowhere_else(service: Service, address: str) -> None:
    browser = Browser(service)
    fields = {"name": "owner", "password": PASSWORD, "next": address}
    reply = browser.post("/account/sign-in/", urlencode(fields))
    assert reply.status == 303
    assert re.fullmatch(r"/(?!/)[!-\[\]-~]*", reply.headers["Location"])
    assert len(reply.headers.get_all("Set-Cookie", [])) == 1
    page = Browser(service).get(f"/account/sign-in/?next={quote(address, safe='')}")
    assert [at for at in Harmless(page).links if "evil" in at] == []


# sessions


@pytest.mark.parametrize("way", ["password", "link", "sign-up"])
@pytest.mark.parametrize("whose", ["made up", "the attacker's"])
def test_a_planted_session_is_not_the_one_that_signs_in(
    service: Service, way: str, whose: str
) -> None:
    """Neither a made-up cookie nor the attacker's own session becomes the victim's."""
    other = service.storage.accounts.user("other")
    planted = "timetric=" + "p" * 22 if whose == "made up" else signed_in(service, other).cookie
    new = {"name": f"victim-{len(whose)}", "password": PASSWORD, "again": PASSWORD}
    path, fields = {
        "password": ("/account/sign-in/", {"name": "owner", "password": PASSWORD}),
        "link": (link(service), {}),
        "sign-up": ("/account/sign-up/", new),
    }[way]
    victim, attacker = Browser(service), Browser(service)
    victim.cookie = attacker.cookie = planted
    assert victim.post(path, urlencode(fields)).status in (200, 303)
    assert victim.cookie != planted
    assert victim.get("/account/").status == 200
    assert attacker.get("/account/").status == 303, "what was planted opens nothing any more"


# credentials that are tried


def test_whoever_guesses_learns_nothing_from_the_answer(service: Service) -> None:
    """Whether a token is unknown, revoked or another's: the answers are the same."""
    accounts = service.storage.accounts
    key = service.config["apitoken_key"]
    gone = accounts.add_token(service.owner, "gone", "G" * 22, b"\0" * 32, service.clock())
    accounts.revoke_own(service.owner, gone.key)
    path = service.create()
    tries = [(key, "wrong"), ("unknown", "wrong"), (gone.key, "wrong"), (key[:-1], "")]
    pairs = [{"apitoken_key": one, "apitoken_secret": secret} for one, secret in tries]
    replies = [service.send("GET", f"{path}csv/", headers=basic(pair)) for pair in pairs]
    assert {(reply.status, reply.body) for reply in replies} == {(401, replies[0].body)}
    assert {tuple(sorted(reply.headers.keys())) for reply in replies} == {
        tuple(sorted(replies[0].headers.keys()))
    }


def test_whoever_tries_names_learns_nothing_from_the_page(service: Service) -> None:
    accounts = service.storage.accounts
    accounts.add_user("disabled", service.clock())
    accounts.set_disabled(accounts.user("disabled"), disabled=True)
    pages = []
    for name in ("owner", "nobody", "disabled", "other"):
        page = Browser(service).post("/account/sign-in/", f"name={name}&password=wrong-wrong")
        pages.append((page.status, page.body.replace(name.encode(), b"NAME")))
    assert set(pages) == {(403, pages[0][1])}


def test_a_private_series_and_none_look_alike_to_others(service: Service) -> None:
    private, absent = service.create(b"0,1"), f"/series/{'A' * 22}/"
    browser = signed_in(service, service.storage.accounts.user("other"))
    callers: list[Headers] = [{}, PERSON, basic(service.other_config), {"Cookie": browser.cookie}]
    for headers in callers:
        for ending in ("", "csv/", "metadata/", "value/json/", "points/"):
            for method in ("GET", "POST", "DELETE"):
                found = [
                    service.send(method, f"{path}{ending}", b"0,1", {**CSV, **headers})
                    for path in (private, absent)
                ]
                hidden = [reply.body.replace(private[8:-1].encode(), b"ID") for reply in found]
                hidden = [body.replace(b"A" * 22, b"ID") for body in hidden]
                assert (found[0].status, hidden[0]) == (found[1].status, hidden[1])


# what stands on each reply

GETS = [endpoint for endpoint in ENDPOINTS if endpoint.method == "GET" and not endpoint.headers]

#: What is the same for everybody, so that caches may share it.
FOR_ALL = ("/static/", "/openapi.json", "/search/description.xml", "/robots.txt")

#: The one page that other sites show: of public series, without forms and scripts.
FRAMED = "/embed/{id}/"


def asked(service: Service, endpoint: Endpoint, series: str) -> list[Reply]:
    """The replies to all kinds of callers of one address."""
    browser, signed = signed_in(service), entrusted(service)
    path = endpoint.sent_path(series)
    callers: list[Headers] = [{}, basic(service.config), basic(service.other_config)]
    callers += [{**PERSON, "Cookie": browser.cookie}, PERSON]
    replies = [service.send("GET", path, headers=headers) for headers in callers]
    return [*replies, signed.send("GET", path)]


@pytest.mark.parametrize("endpoint", GETS, ids=str)
def test_no_page_is_framed_and_none_runs_what_it_does_not_load(
    service: Service, endpoint: Endpoint
) -> None:
    series = service.create(b"0,1", public=True).split("/")[2]
    for reply in asked(service, endpoint, series):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        if not (reply.headers["Content-Type"] or "").startswith("text/html"):
            continue
        policy = set(reply.headers["Content-Security-Policy"].split("; "))
        assert {"default-src 'none'", "base-uri 'none'"} <= policy
        if endpoint.path == FRAMED:
            assert {"frame-ancestors *", "form-action 'none'"} <= policy
            assert not [rule for rule in policy if rule.startswith("script-src")]
            continue
        assert {"script-src 'self'", "frame-ancestors 'none'"} <= policy
        assert reply.headers["Referrer-Policy"] in ("same-origin", "no-referrer")


@pytest.mark.parametrize("endpoint", GETS, ids=str)
def test_no_cache_keeps_for_others_what_is_private(service: Service, endpoint: Endpoint) -> None:
    series = service.create(b"0,1").split("/")[2]
    for reply in asked(service, endpoint, series):
        told = set((reply.headers["Cache-Control"] or "").split(", "))
        if not endpoint.path.startswith(FOR_ALL):
            assert told & {"private", "no-store"}, reply
            assert "public" not in told
        if told & {"no-store"} == set():
            varies = reply.headers["Vary"].split(", ")
            assert {"Accept", "Authorization", "Cookie"} <= set(varies)
        assert "Set-Cookie" not in reply.headers, "no page that is looked at signs in or out"


def test_what_is_public_is_shared_only_where_nobody_is_named(service: Service) -> None:
    path = service.create(b"0,1", public=True)
    for headers in ({}, basic(service.config), {"Cookie": signed_in(service).cookie}):
        page = service.send("GET", path, headers=headers)
        assert page.headers["Cache-Control"] == "private, no-cache"
        assert service.send("GET", f"{path}csv/", headers=headers).headers["Cache-Control"] == (
            "public, no-cache"
        )


def test_what_holds_a_secret_is_kept_nowhere(service: Service) -> None:
    browser = signed_in(service)
    made = browser.post("/account/tokens/", "name=Kept+nowhere")
    begun = program(service).send("POST", "/oauth/request_token/", callback_uri="oob")
    signed = Browser(service).post(link(service))
    granted = authorized(service).token
    assert granted["oauth_token_secret"]
    for reply in (made, begun, signed):
        assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")


def test_credentials_do_not_count_where_they_are_open(service: Service) -> None:
    """What needs none is the same with them, so that no cache has to tell callers apart."""
    for endpoint in [each for each in GETS if each.table is OPEN and each.path in FOR_ALL]:
        path = endpoint.sent_path("")
        plain = service.send("GET", path)
        assert service.owner_sends("GET", path).body == plain.body
