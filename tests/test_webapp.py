"""The web application of docs/webapp: under waitress, with a real service and two users of both."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    ProxyHandler,
    Request,
    build_opener,
)

import pytest

import timetric
from tests.conftest import ROOT
from tests.test_cli_apps import added, first_link
from tests.test_serve import HANG, Machine, Service, eventually, machine  # noqa: F401


class Page(NamedTuple):
    status: int
    url: str
    text: str


class Visits(HTTPRedirectHandler):
    """Follows redirects unless told not to, and notes what address each leads to."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.follows = True

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        self.urls.append(newurl)
        if not self.follows:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Browser:
    """What both the application and the service need of one."""

    def __init__(self) -> None:
        self.visits = Visits()
        cookies = HTTPCookieProcessor(CookieJar())
        self._opener = build_opener(ProxyHandler({}), cookies, self.visits)

    def open(self, url: str, data: bytes | None = None) -> Page:
        self.visits.urls.append(url)
        request = Request(url, data, {"Sec-Fetch-Site": "same-origin"} if data is not None else {})
        try:
            reply = self._opener.open(request, timeout=HANG)
        except HTTPError as error:  # a page too
            reply = error
        with reply:
            return Page(reply.status, reply.url, reply.read().decode())

    def press(self, page: Page, **fields: str) -> Page:
        """Send the page's form, with these fields."""
        main = page.text.rpartition("<main")[2]  # the service's head has a form of its own
        [form] = re.findall(r'<form method="post"(?: action="([^"]*)")?', main)
        return self.open(urljoin(page.url, unescape(form)), urlencode(fields).encode())


@dataclass
class WebApp:
    """The running application, and where its user finds what it keeps."""

    url: str
    database: Path
    log: Path
    config: dict[str, str]

    def tokens(self, user: str) -> dict[str, tuple[str, str]]:
        """Key and secret of each kind."""
        connection = sqlite3.connect(self.database)
        sql = "SELECT kind, key, secret FROM token WHERE user = ?"
        rows = connection.execute(sql, (user,)).fetchall()
        connection.close()
        return {kind: (key, secret) for kind, key, secret in rows}


@dataclass
class Person:
    """Signed in to the application, and to the service under another name."""

    webapp: WebApp
    name: str
    link: str
    browser: Browser = field(default_factory=Browser)

    def __post_init__(self) -> None:
        assert self.browser.press(self.browser.open(self.link)).status == 200
        self.browser.press(self.browser.open(self.webapp.url), name=self.name)

    def home(self) -> Page:
        return self.browser.open(self.webapp.url)

    def asked(self) -> Page:
        """The service's page, to which the application's button leads."""
        page = self.home()
        assert (page.status, button(page)) == (403, "Connect")
        return self.browser.press(page)

    def connected(self) -> Page:
        return self.browser.press(self.asked(), decision="authorize")

    def starts(self, title: str) -> Page:
        return self.browser.press(self.home(), title=title)


def button(page: Page) -> str:
    [label] = re.findall(r"<button>(.*?)</button>", page.text)
    return str(label)


def counted(page: Page) -> int:
    found = re.search(r"Counted: (\d+)", page.text)
    assert found, page
    return int(found[1])


@pytest.fixture
def service(machine: Machine) -> Service:  # noqa: F811
    return machine.serve()


@pytest.fixture
def webapp(machine: Machine, service: Service, tmp_path: Path) -> Iterator[WebApp]:  # noqa: F811
    config, database, log = added(machine, service), tmp_path / "webapp.db", tmp_path / "log"
    file = tmp_path / "webapp.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    settings = {
        "TIMETRIC_CONFIG": str(file),
        "FLASK_SECRET_KEY": "of this test",
        "FLASK_DATABASE": str(database),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "waitress", "--listen=127.0.0.1:0", "--threads=8"]
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, "webapp:app"],
            cwd=ROOT / "docs/examples",
            env={**machine.environment, **settings},
            stdout=out,
            stderr=out,
        ) as process,
    ):
        listens = re.compile(r"Serving on (http://127\.0\.0\.1:\d+)")
        assert eventually(lambda: bool(listens.search(log.read_text()))), log.read_text()
        [url] = listens.findall(log.read_text())
        yield WebApp(f"{url}/", database, log, config)
        process.kill()


@pytest.fixture
def ann(machine: Machine, service: Service, webapp: WebApp) -> Person:  # noqa: F811
    machine.run("user", "add", "annette")
    link = machine.run("user", "signin-link", "annette", "--url", service.url).stdout.strip()
    return Person(webapp, "ann", link)


@pytest.fixture
def bob(service: Service, webapp: WebApp) -> Person:
    return Person(webapp, "bob", first_link(service))


def test_two_users_at_once_count_in_many_threads_each_in_series_of_their_own(
    machine: Machine,  # noqa: F811
    service: Service,
    ann: Person,
    bob: Person,
) -> None:
    asked = {person.name: person.asked() for person in (ann, bob)}
    for person in (ann, bob):
        assert "Let Plotter use your data?" in asked[person.name].text
        page = person.browser.press(asked[person.name], decision="authorize")
        assert (page.status, button(page)) == (200, "Start")
    counters = {person.name: person.starts("Cups") for person in (ann, bob)}

    def count(person: Person) -> int:
        return counted(person.browser.press(counters[person.name]))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(count, [ann, bob, ann] * 12))
    assert 1 <= min(results) <= max(results) == 24
    assert counted(ann.browser.open(counters["ann"].url)) == 24
    assert counted(bob.browser.open(counters["bob"].url)) == 12
    assert bob.browser.open(counters["ann"].url).status == 404

    owner = machine.client(service)  # bob, at the service
    ids = {name: page.url.rpartition("/")[2] for name, page in counters.items()}
    assert [value for _, value in owner.series(ids["bob"])] == [float(n) for n in range(1, 13)]
    with pytest.raises(timetric.NotFound):
        owner.series(ids["ann"]).latest()


def test_whose_token_was_revoked_is_asked_again_and_goes_on(
    machine: Machine,  # noqa: F811
    webapp: WebApp,
    ann: Person,
    bob: Person,
) -> None:
    for person in (ann, bob):
        person.connected()
    counters = {person.name: person.starts("Cups") for person in (ann, bob)}
    assert counted(ann.browser.press(counters["ann"])) == 1

    key, _ = webapp.tokens("ann")["access"]
    assert machine.run("app", "revoke", key).returncode == 0
    refused = ann.browser.press(counters["ann"])
    assert (refused.status, button(refused)) == (403, "Connect")
    assert "'ann', POST '/counters/" in webapp.log.read_text()
    assert counted(bob.browser.press(counters["bob"])) == 1

    page = ann.browser.press(ann.browser.press(refused), decision="authorize")
    assert button(page) == "Start"
    assert webapp.tokens("ann")["access"][0] != key
    assert counted(ann.browser.press(counters["ann"])) == 2


def test_who_says_no_is_asked_again_and_nothing_is_kept(webapp: WebApp, ann: Person) -> None:
    page = ann.browser.press(ann.asked(), decision="deny")
    assert (page.status, button(page)) == (403, "Connect")
    assert webapp.url in page.url
    assert "access" not in webapp.tokens("ann")
    assert button(ann.connected()) == "Start"


def test_nobody_is_connected_by_the_callback_of_another_user(
    webapp: WebApp, ann: Person, bob: Person
) -> None:
    asked = {person.name: person.asked() for person in (ann, bob)}
    # bob's browser is at the service's page for ann's token, and comes back with the answer to it
    page = bob.browser.press(asked["ann"], decision="authorize")
    assert "oauth_verifier=" in page.url
    assert (page.status, button(page)) == (403, "Connect")
    assert "access" not in webapp.tokens("bob") | webapp.tokens("ann")

    # nor does it spoil his own, which he has allowed: five wrong verifiers would end it
    bob.browser.visits.follows = False
    assert bob.browser.press(asked["bob"], decision="authorize").status == 303
    bob.browser.visits.follows = True
    own = bob.browser.visits.urls[-1]
    for _ in range(6):
        assert bob.browser.open(page.url).status == 403
    assert button(bob.browser.open(own)) == "Start"


def test_no_secret_gets_into_an_address_or_the_log(webapp: WebApp, ann: Person) -> None:
    service_page = ann.asked()
    _, request_secret = webapp.tokens("ann")["request"]
    ann.browser.press(service_page, decision="authorize")
    ann.browser.open(f"{webapp.url}counters/none")
    _, access_secret = webapp.tokens("ann")["access"]
    seen = "\n".join([webapp.log.read_text(), *ann.browser.visits.urls])
    assert "is no series ID" in seen
    assert "oauth_verifier=" in seen
    for secret in (request_secret, access_secret, webapp.config["consumer_secret"]):
        assert len(secret) > 20
        assert secret not in seen
    assert os.stat(webapp.database).st_mode & 0o077 == 0


def test_a_service_that_is_down_is_told_and_costs_nobody_their_token(
    service: Service, webapp: WebApp, ann: Person
) -> None:
    ann.connected()
    counter = ann.starts("Cups")
    service.stop()
    page = ann.browser.press(counter)
    assert page.status == 502
    assert "is the service running there?" in page.text
    assert "access" in webapp.tokens("ann")
