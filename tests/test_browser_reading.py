"""What a script of another site can read here, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.service import Service, basic, running_service
from tests.test_browser_oauth import Browser, pytestmark  # noqa: F401

SCRIPT = """
const [url, options, done] = arguments;
fetch(url, options).then(
    async reply => done({
        status: reply.status, text: await reply.text(), link: reply.headers.get("Link"),
        etag: reply.headers.get("ETag"), words: reply.headers.get("Timetric-Words"),
        request: reply.headers.get("Request-Id")}),
    error => done({error: String(error)}));
"""


class Elsewhere(BaseHTTPRequestHandler):
    """The page of another site, with nothing on it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One that has the other site's page open."""
    opened = Browser(tmp_path_factory.mktemp("profile"))
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            opened.open(f"http://127.0.0.1:{site.server_port}/")
            yield opened
        finally:
            opened.driver.quit()
            site.shutdown()
            thread.join()


def fetch(browser: Browser, url: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = browser.driver.execute_async_script(SCRIPT, url, options)
    return found


def url_of(service: Service, *, public: bool) -> str:
    return service.url.rstrip("/") + service.create(b"0,1\n1,2\n2,3\n", public=public)


def test_a_script_reads_what_is_public_and_all_that_goes_with_it(
    service: Service, browser: Browser
) -> None:
    url = url_of(service, public=True)
    headers = {"Accept": "application/vnd.timetric.points"}
    found = fetch(browser, f"{url}points/?limit=2", headers=headers)
    assert found["status"] == 200
    assert found["words"] == "no"
    assert 'rel="next"' in found["link"]
    assert found["request"]
    told = fetch(browser, f"{url}csv/", headers={"If-None-Match": '"other"'})  # by a preflight
    assert told["text"] == "0.0,1.0\n1.0,2.0\n2.0,3.0\n"
    assert fetch(browser, f"{url}csv/", method="HEAD")["etag"]


def test_a_script_sees_what_is_wrong(service: Service, browser: Browser) -> None:
    refused = fetch(browser, f"{url_of(service, public=False)}csv/")
    assert refused["status"] == 401
    assert "credentials" in refused["text"]
    assert fetch(browser, f"{url_of(service, public=True)}csv/?limit=0")["status"] == 400


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_script_does_nothing_with_credentials(
    service: Service, browser: Browser, method: str
) -> None:
    url = url_of(service, public=True)
    body = {} if method in ("GET", "DELETE") else {"body": "5,5"}
    found = fetch(browser, url, method=method, headers=basic(service.config), **body)
    assert "error" in found
    assert fetch(browser, url, credentials="include", method="GET").get("status") is None
    assert service.csv(url.removeprefix(service.url.rstrip("/"))).count(b"\n") == 3
