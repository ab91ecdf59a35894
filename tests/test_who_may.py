"""Who may do what, at every address: one table, for all kinds of callers and of series."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.dancing import FORM, Program, entrusted, signed_in
from tests.service import Headers, Reply, Service, basic, running_service
from timetric.server.credentials import make_token
from timetric.server.openapi.document import document
from timetric.server.storage import Quota

CSV = {"Content-Type": "text/csv"}
KINDS = ("private", "public", "absent")
PLACES = {"{form}": "thin.json", "{tags}": "energy", "{key}": "1", "{secret}": "s", "{name}": "n"}
OK = 299  # any status of 2xx

Statuses = tuple[int, int, int]  # by the kind of the series
Table = dict[str, Statuses]


def alike(**statuses: int) -> Table:
    return {caller.replace("_", " "): (status,) * 3 for caller, status in statuses.items()}


#: What is wrong with credentials is told before anything else.
WRONG = alike(wrong=401, broken=400, expired=401, forged=401, both=400, cookie_beside_wrong=401)

READ: Table = {
    **WRONG,
    "nobody": (401, OK, 401),
    "cookie": (OK, OK, 404),
    "other": (404, OK, 404),
    "cookie beside other": (404, OK, 404),
    "owner": (OK, OK, 404),
    "read-only": (OK, OK, 404),
    "oauth": (OK, OK, 404),
}
WRITE: Table = {
    **WRONG,
    "nobody": (401, 401, 401),
    "cookie": (401, 401, 401),
    "other": (404, 403, 404),
    "cookie beside other": (404, 403, 404),
    "owner": (OK, OK, 404),
    "read-only": (403, 403, 403),
    "oauth": (OK, OK, 404),
}
CREATE: Table = {
    **WRONG,
    **alike(nobody=401, cookie=401, other=OK, cookie_beside_other=OK, owner=OK, oauth=OK),
    "read-only": (403, 403, 403),
}
#: There is no such write of anybody's.
LOOK_UP: Table = {
    **WRONG,
    **alike(nobody=401, cookie=401, other=404, cookie_beside_other=404, owner=404, oauth=404),
    "read-only": (404, 404, 404),
}
FIND: Table = {
    **WRONG,
    **alike(nobody=OK, cookie=OK, other=OK, cookie_beside_other=OK, owner=OK, oauth=OK),
    "read-only": (OK, OK, OK),
}
#: From elsewhere, for administrators, who are others.
METRICS: Table = {
    **WRONG,
    **alike(nobody=401, cookie=401, other=403, cookie_beside_other=403, owner=403, oauth=403),
    "read-only": (403, 403, 403),
}
#: Credentials do not count here, and below; but a browser shows its user's own pictures.
PICTURE: Table = {**dict.fromkeys(FIND, (404, OK, 404)), "cookie": (OK, OK, 404)}
EMBED: Table = dict.fromkeys(FIND, (404, OK, 404))
OPEN: Table = dict.fromkeys(FIND, (OK, OK, OK))


def always(status: int) -> Table:
    return dict.fromkeys(FIND, (status,) * 3)


def page(status: int) -> Table:
    """A page of an account, which a cookie opens unless there are other credentials."""
    return {**always(403), **alike(nobody=303, cookie=status)}


def sends(status: int) -> Table:
    """A form of such a page."""
    return {**always(403), **alike(cookie=status)}


def step(status: int) -> Table:
    """A step of OAuth, for which other credentials will not do; nor will an access token."""
    return {**always(400), **alike(oauth=status, forged=401)}


class Endpoint(NamedTuple):
    """A request, and what becomes of it. The path is the description's."""

    method: str
    path: str
    table: Table
    body: bytes | None = None
    headers: Headers = {}  # noqa: RUF012 nobody changes it
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}{self.query}"

    def sent_path(self, series: str) -> str:
        path = self.path.replace("{id}", series)
        for name, text in PLACES.items():
            path = path.replace(name, text)
        return path + self.query


def form(path: str, table: Table, fields: str = "") -> Endpoint:
    return Endpoint("POST", path, table, fields.encode(), FORM)


def kept(status: int, *, nobody: int = 303) -> Table:
    """A page of a series for its owner; signed in, others are told what they are of the series."""
    return {**always(403), **alike(nobody=nobody), "cookie": (status, status, 404)}


PICTURES = ("chart.svg", "chart.png", "sparkline.svg")
READS = (
    "metadata/",
    "value/json/",
    "points/",
    "points.json",
    "csv/",
    "csv/unix.csv",
    "csv/iso.csv",
    "chart.json",
)
KEEPS = ("add/", "upload/", "edit/", "clear/", "remove/")
FOUND = ("search/", *(f"{tags}/{tag}" for tags in ("tags", "tag") for tag in ("", "{tags}/")))
ASKS = ("tokens/{key}/revoke/", "applications/{key}/delete/", "authorized/{key}/revoke/")

ENDPOINTS = [
    Endpoint("POST", "/create/", CREATE, b"0,1", CSV, "?title=T&caption=C&dry_run=true"),
    Endpoint("GET", "/create/writes/{key}/", LOOK_UP),
    Endpoint("GET", "/series/{id}/writes/{key}/", LOOK_UP),
    Endpoint("GET", "/series/{id}/", READ),
    Endpoint("POST", "/series/{id}/", WRITE, b"0,1", CSV),
    Endpoint("PUT", "/series/{id}/", WRITE, b"0,1", CSV),
    Endpoint("DELETE", "/series/{id}/", WRITE),
    Endpoint(
        "PATCH",
        "/series/{id}/metadata/",
        WRITE,
        b'{"unit": "W"}',
        {"Content-Type": "application/json"},
    ),
    Endpoint("GET", "/new/", page(200)),
    form("/new/", sends(400)),
    *(Endpoint("GET", f"/series/{{id}}/{name}", kept(200)) for name in KEEPS),
    form("/series/{id}/add/", kept(400, nobody=403)),
    form("/series/{id}/upload/", kept(400, nobody=403)),
    form("/series/{id}/edit/", kept(400, nobody=403)),
    form("/series/{id}/publish/", kept(400, nobody=403)),
    form("/series/{id}/clear/", kept(303, nobody=403)),
    form("/series/{id}/remove/", sends(400), "key=one&key=another"),  # the others need the series
    *(Endpoint("GET", f"/series/{{id}}/{name}", READ) for name in READS),
    *(Endpoint("GET", f"/series/{{id}}/{name}", PICTURE) for name in PICTURES),
    *(Endpoint("GET", f"/embed/{{id}}/{end}", EMBED) for end in ("", "graph/")),
    Endpoint("GET", "/oembed/", always(400)),  # without a URL
    *(Endpoint("GET", f"/{name}{end}", FIND) for name in FOUND for end in ("", "results.{form}")),
    Endpoint("GET", "/search/", FIND | alike(nobody=401), query="?u=me"),
    Endpoint("GET", "/search/results.{form}", FIND | alike(nobody=401), query="?u=me"),
    Endpoint("GET", "/search/description.xml", OPEN),
    Endpoint("GET", "/openapi.json", OPEN),
    Endpoint("GET", "/health/", OPEN),
    Endpoint("GET", "/metrics/", FIND),  # from the service's own machine
    Endpoint("GET", "/metrics/", METRICS, headers={"X-Forwarded-For": "192.0.2.1"}),
    Endpoint("GET", "/", OPEN),
    Endpoint("GET", "/robots.txt", OPEN),
    *(Endpoint("GET", f"/help/{name}", OPEN) for name in ("", "start/", "protocol/")),
    Endpoint("GET", "/static/{name}", always(404)),
    Endpoint("GET", "/oauth/request_token/", step(400)),
    form("/oauth/request_token/", step(400)),
    Endpoint("GET", "/oauth/access_token/", step(401)),
    form("/oauth/access_token/", step(401)),
    Endpoint("GET", "/oauth/authorize/", page(404)),
    form("/oauth/authorize/", sends(404), "decision=authorize"),
    Endpoint("GET", "/account/sign-in/", OPEN),
    form("/account/sign-in/", always(403), "name=owner&password=a-wrong-password"),
    Endpoint("GET", "/account/sign-in/{secret}/", always(404)),
    form("/account/sign-in/{secret}/", always(404)),
    form("/account/sign-out/", always(303)),
    Endpoint("GET", "/account/sign-up/", OPEN),
    form(
        "/account/sign-up/", always(400), "name=me&password=a-long-password&again=a-long-password"
    ),
    Endpoint("GET", "/account/", page(200)),
    Endpoint("GET", "/account/tokens/", page(200)),
    form("/account/tokens/", sends(400)),
    *(Endpoint("GET", f"/account/{name}", page(404)) for name in ASKS),
    *(form(f"/account/{name}", sends(404)) for name in ASKS),
    Endpoint("GET", "/account/applications/", page(200)),
    form("/account/applications/", sends(400)),
    Endpoint("GET", "/account/applications/{key}/", page(404)),
    Endpoint("GET", "/account/authorized/", page(200)),
    Endpoint("GET", "/account/password/", page(200)),
    form("/account/password/", sends(400), "new=one&again=another"),
    Endpoint("GET", "/account/sessions/", page(200)),
    form("/account/sessions/{key}/end/", sends(404)),
    form("/account/sessions/end-others/", sends(303)),
    form("/account/sessions/end-all/", sends(303)),
]
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

#: Where there is something that anybody may read, scripts of other sites may too.
READABLE = ("/embed/", "/oembed/", "/series/", "/search/", "/tags/", "/tag/", "/openapi.json")


class Place(NamedTuple):
    """A service, and a series of each kind."""

    service: Service
    series: dict[str, str]
    program: Program
    limited: dict[str, Headers]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, signup=Quota(series=1, points=1)) as service:
        series = {kind: service.create(public=kind == "public").split("/")[2] for kind in KINDS}
        series["absent"] = "A" * 22
        limited = {
            "read-only": api_token(service, "read-only", read_only=True),
            "expired": api_token(service, "expired", expires=service.clock()),
        }
        yield Place(service, series, entrusted(service), limited)


def api_token(service: Service, name: str, **limits: object) -> Headers:
    token, secret = make_token(
        service.storage.accounts,
        service.owner,
        name,
        clock=service.clock,
        **limits,  # type: ignore[arg-type]
    )
    return basic({"apitoken_key": token.key, "apitoken_secret": secret})


def cookie(place: Place) -> Headers:
    return {"Cookie": signed_in(place.service).cookie}


def plainly(headers: Callable[[Place], Headers]) -> Callable[[Place, Endpoint, str], Reply]:
    """A caller that is known by headers."""

    def send(place: Place, endpoint: Endpoint, path: str) -> Reply:
        sent = {**SAME_ORIGIN, **endpoint.headers, **headers(place)}
        return place.service.send(endpoint.method, path, endpoint.body, sent)

    return send


def by_oauth(place: Place, endpoint: Endpoint, path: str) -> Reply:
    return signed(place.program, endpoint, path)


def forged(place: Place, endpoint: Endpoint, path: str) -> Reply:
    return signed(replace(place.program, secret="guessed"), endpoint, path)


def signed(program: Program, endpoint: Endpoint, path: str) -> Reply:
    """OAuth signs no other bodies than forms."""
    body = (endpoint.body or b"").decode() if endpoint.headers == FORM else None
    kept = endpoint.headers if endpoint.headers == FORM else {}
    path, form, headers = program.sign(endpoint.method, path, body, kept)
    sent = form.encode() if form else endpoint.body
    return program.service.send(
        endpoint.method, path, sent, {**SAME_ORIGIN, **endpoint.headers, **headers}
    )


def both(place: Place, endpoint: Endpoint, path: str) -> Reply:
    path += ("&" if "?" in path else "?") + "oauth_signature=s"
    return plainly(lambda place: basic(place.service.config))(place, endpoint, path)


def wrong(place: Place) -> Headers:
    return basic({**place.service.config, "apitoken_secret": "guessed"})


CALLERS: dict[str, Callable[[Place, Endpoint, str], Reply]] = {
    "nobody": plainly(lambda place: {}),
    "wrong": plainly(wrong),
    "broken": plainly(lambda place: {"Authorization": "Basic ???"}),
    "expired": plainly(lambda place: place.limited["expired"]),
    "other": plainly(lambda place: basic(place.service.other_config)),
    "owner": plainly(lambda place: basic(place.service.config)),
    "read-only": plainly(lambda place: place.limited["read-only"]),
    "oauth": by_oauth,
    "forged": forged,
    "both": both,
    "cookie": plainly(cookie),
    "cookie beside other": plainly(lambda place: cookie(place) | basic(place.service.other_config)),
    "cookie beside wrong": plainly(lambda place: cookie(place) | wrong(place)),
}


def test_the_table_is_of_all_that_is_described() -> None:
    paths = json.loads(document("http://127.0.0.1/", open_signup=True))["paths"]
    described = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method not in ("head", "options")  # which are tried with each of them
    }
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == described
    assert [str(each) for each in ENDPOINTS if each.table.keys() != CALLERS.keys()] == []


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_who_may(place: Place, endpoint: Endpoint, caller: str) -> None:
    kinds = KINDS if "{id}" in endpoint.path else KINDS[:1]
    for kind, expected in zip(kinds, endpoint.table[caller]):
        place.service.clock.advance(60 * 60)  # attempts to sign in are counted
        path = endpoint.sent_path(place.series[kind])
        before = state(place)
        reply = CALLERS[caller](place, endpoint, path)
        assert reply.status < 400 or state(place) == before
        told = OK if 200 <= reply.status < 300 else reply.status
        assert told == (OK if 200 <= expected < 300 else expected), (kind, reply)
        check_headers(endpoint, caller, reply)
        if endpoint.method == "GET":
            head = CALLERS[caller](place, endpoint._replace(method="HEAD"), path)
            assert (head.status, head.body) == (reply.status, b"")
            check_headers(endpoint, caller, head)


def state(place: Place) -> list[bytes]:
    """What the owner's series hold and say of themselves; a refusal changes nothing of it."""
    paths = [f"/series/{place.series[kind]}/" for kind in ("private", "public")]
    reads = [f"{path}{end}" for path in paths for end in ("csv/", "metadata/")]
    found = place.service.owner_sends("GET", "/search/results.thin.json?u=me")
    return [found.body, *(place.service.owner_sends("GET", path).body for path in reads)]


def check_headers(endpoint: Endpoint, caller: str, reply: Reply) -> None:
    challenge = 'Basic realm="Timetric"' if reply.status == 401 else None
    assert reply.headers["WWW-Authenticate"] == challenge
    is_told = endpoint.method == "GET" and endpoint.path.startswith(READABLE)
    is_told = is_told and caller in ("nobody", "cookie")  # who have no credentials for programs
    assert reply.headers["Access-Control-Allow-Origin"] == ("*" if is_told else None)
    assert reply.headers["Access-Control-Allow-Credentials"] is None
    assert reply.headers["Request-Id"]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", sorted({endpoint.path for endpoint in ENDPOINTS}))
def test_anybody_may_ask_for_the_methods(place: Place, path: str, caller: str) -> None:
    place.service.clock.advance(60 * 60)
    asked = Endpoint("OPTIONS", path, OPEN)
    reply = CALLERS[caller](place, asked, asked.sent_path("A" * 22))
    methods = {endpoint.method for endpoint in ENDPOINTS if endpoint.path == path}
    implied = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    assert reply.status == 204
    assert set(reply.headers["Allow"].split(", ")) == methods | implied
