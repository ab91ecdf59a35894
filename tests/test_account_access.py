"""Every address under /account/, tried by those who may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import falcon
import pytest
from falcon.inspect import inspect_routes

from tests.dancing import FORM, Browser, authorized, link, signed_in
from tests.service import Headers, Reply, Service, basic, running_service
from timetric.server import account

#: Each address of a page that needs somebody to be signed in, and the form that it takes, if any.
PAGES: dict[str, dict[str, str] | None] = {
    "/account/": None,
    "/account/tokens/": {"name": "Mine now"},
    "/account/tokens/TOKEN/revoke/": {},
    "/account/applications/": {"name": "Mine now"},
    "/account/applications/APPLICATION/": None,
    "/account/applications/APPLICATION/delete/": {},
    "/account/authorized/": None,
    "/account/authorized/GRANT/revoke/": {},
    "/account/password/": {"new": "mine-now-mine", "again": "mine-now-mine"},
    "/account/sessions/": None,
    "/account/sessions/SESSION/end/": {},
    "/account/sessions/end-others/": {},
    "/account/sessions/end-all/": {},
}
#: Those that only take a form.
FORMS_ONLY = {path for path in PAGES if "/end" in path}
#: Those that anybody may open, as they are how one signs in and out.
OPEN = {
    "/account/sign-in/",
    "/account/sign-in/{secret}/",
    "/account/sign-out/",
    "/account/sign-up/",
}

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
FOREIGN: list[Headers] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
]


class Place:
    """A service whose owner has one of everything."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.program = authorized(service)
        self.browser = signed_in(service)
        accounts, grants = service.storage.accounts, service.storage.grants
        [grant] = grants.access_tokens_of(service.owner)
        self._names = {
            "TOKEN": service.config["apitoken_key"],
            "APPLICATION": self.program.key,
            "GRANT": grant.key,
            "SESSION": str(accounts.sessions_of(service.owner, service.clock())[0].key),
        }

    def path(self, page: str) -> str:
        for name, text in self._names.items():
            page = page.replace(name, text)
        return page

    def state(self) -> list[Any]:
        """What the owner has; when it was used last does not count."""
        accounts, grants = self.service.storage.accounts, self.service.storage.grants
        owner = self.service.owner
        used: list[Any] = [*accounts.tokens(), *grants.access_tokens()]
        sessions = accounts.sessions_of(owner, self.service.clock())
        return [
            *(token._replace(last_used=None) for token in used),
            *grants.applications(),
            *sorted(session.key for session in sessions),
            accounts.account(owner),
            accounts.password(owner.name),
        ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running_service(tmp_path_factory.mktemp("store")) as service:
        yield Place(service)


Send = Callable[[Place, str, str, str], Reply]


def as_stranger(place: Place, method: str, path: str, body: str) -> Reply:
    return place.service.send(method, path, body.encode(), {**FORM, **SAME_ORIGIN})


def with_a_guessed_cookie(place: Place, method: str, path: str, body: str) -> Reply:
    headers = {**FORM, **SAME_ORIGIN, "Cookie": "timetric=" + "a" * 22}
    return place.service.send(method, path, body.encode(), headers)


def with_an_api_token(place: Place, method: str, path: str, body: str) -> Reply:
    headers = {**FORM, **SAME_ORIGIN, **basic(place.service.config)}
    return place.service.send(method, path, body.encode(), headers)


def with_oauth(place: Place, method: str, path: str, body: str) -> Reply:
    form = {} if method == "GET" else FORM
    sent = None if method == "GET" else body
    return place.program.send(method, path, sent, {**form, **SAME_ORIGIN})


def with_a_cookie_beside_a_token(place: Place, method: str, path: str, body: str) -> Reply:
    cookie = {"Cookie": place.browser.cookie}
    headers = {**FORM, **SAME_ORIGIN, **basic(place.service.config), **cookie}
    return place.service.send(method, path, body.encode(), headers)


WAYS: list[Send] = [
    as_stranger,
    with_a_guessed_cookie,
    with_an_api_token,
    with_oauth,
    with_a_cookie_beside_a_token,
]


def test_the_table_names_every_address(place: Place) -> None:
    app = falcon.App()
    account.add_routes(
        app,
        place.service.storage,
        place.service.keyring,
        sessions=None,  # type: ignore[arg-type]  # nothing is asked
        clock=place.service.clock,
        random=bytes,
        open_signup=True,
    )
    routes = {route.path: route for route in inspect_routes(app)}
    assert {plain(f"{path}/") for path in routes} == {plain(path) for path in [*PAGES, *OPEN]}
    for page, form in PAGES.items():
        [route] = [route for path, route in routes.items() if plain(f"{path}/") == plain(page)]
        methods = {method.method for method in route.methods if not method.internal}
        assert ("POST" in methods) == (form is not None), page
        assert ("GET" in methods) == (page not in FORMS_ONLY), page
        assert methods <= {"GET", "POST"}


def plain(path: str) -> str:
    """A path with the steps that name a thing alike."""
    return re.sub(r"/(\{[^}]*\}|[A-Z]+)/", "/*/", path)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("page", PAGES)
def test_nobody_but_a_signed_in_browser_gets_in(place: Place, page: str, way: Send) -> None:
    path, before = place.path(page), place.state()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        reply = way(place, method, path, urlencode(PAGES[page] or {}))
        assert reply.status in (303, 400, 401, 403, 405), (method, reply)
        if reply.status == 303:
            assert method == "GET"
            assert "/account/sign-in/?next=" in reply.headers["Location"]
        told = reply.body.replace(path.encode(), b"").replace(
            quote(path.strip("/"), safe="").encode(), b""
        )
        for known in (
            place.service.config["apitoken_key"],
            place.program.key,
            place.program.secret,
        ):
            assert known.encode() not in told
    assert place.state() == before


@pytest.mark.parametrize("page", [page for page in PAGES if page != page.lower()])
def test_another_user_gets_at_nothing_of_ones_own(place: Place, page: str) -> None:
    other = signed_in(place.service, place.service.storage.accounts.user("other"))
    path, before = place.path(page), place.state()
    if page not in FORMS_ONLY:
        assert other.get(path).status == 404
    if PAGES[page] is not None:
        assert other.post(path).status == 404
    assert place.state() == before


@pytest.mark.parametrize("page", [page for page in PAGES if page == page.lower()])
def test_another_user_changes_nothing_of_ones_own(place: Place, page: str) -> None:
    other = signed_in(place.service, place.service.storage.accounts.user("other"))
    path, before = place.path(page), place.state()
    if page not in FORMS_ONLY:
        text = other.get(path).body.decode()
        assert place.service.config["apitoken_key"] not in text
        assert place.program.key not in text
    if PAGES[page] is not None:
        other.post(path, urlencode(PAGES[page] or {}))
    after = [thing for thing in place.state() if thing in before]
    assert after == before


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("page", [page for page, form in PAGES.items() if form is not None])
def test_a_form_from_elsewhere_does_nothing(place: Place, page: str, headers: Headers) -> None:
    before = place.state()
    body = urlencode(PAGES[page] or {})
    assert place.browser.post(place.path(page), body, headers).status == 403
    assert place.state() == before


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_signing_in_and_out_from_elsewhere_does_nothing(place: Place, headers: Headers) -> None:
    before = place.state()
    victim = Browser(place.service)
    fields = urlencode({"name": "owner", "password": "a-long-password"})
    for path in ("/account/sign-in/", link(place.service)):
        assert victim.post(path, fields, headers).status == 403
    assert victim.cookie == ""
    assert place.browser.post("/account/sign-out/", "", headers).status == 403
    assert place.state() == before
