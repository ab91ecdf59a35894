"""Pages that other sites frame, and their data; in a browser, framed by another site."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from lxml import html

from tests.browser import Browser, needed
from tests.conftest import ROOT
from tests.dancing import signed_in
from tests.service import Service, basic, running_service
from tests.test_pages import PERSON
from tests.test_pictures import HOSTILE, RISING, make
from timetric.display.look import DARK

SHARING = (ROOT / "docs/sharing.rst").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def embed(path: str) -> str:
    """The path of the page to be framed of the series at a path."""
    return path.replace("/series/", "/embed/")


def test_the_page_shows_title_latest_value_and_chart(service: Service) -> None:
    path = make(service, title="Office power", unit="kW")
    page = service.send("GET", embed(path))
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    root = html.fromstring(page.body)
    [link] = root.iter("a")
    assert (link.text, link.get("href")) == ("Office power", f"{service.url[:-1]}{path}")
    assert (link.get("target"), link.get("rel")) == ("_blank", "noopener")
    assert root.find(".//strong").text == "10.0"
    assert "1970-01-01 00:00 UTC" in root.text_content()
    [line] = root.xpath("//*[local-name()='path']")
    assert line.get("d").startswith("M0.0 1000.0L") and line.get("d").endswith("L1000.0 0.0")
    labels = [text.text for text in root.xpath("//*[local-name()='text']")]
    assert {"0", "10", "00:00:06"} <= set(labels)


def test_it_alone_may_be_framed_and_runs_no_script(service: Service) -> None:
    path = make(service, title=HOSTILE)
    page = service.send("GET", embed(path), headers=PERSON)
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"frame-ancestors *", "base-uri 'none'", "form-action 'none'"} < set(policy)
    assert not any("unsafe" in rule or "script" in rule for rule in policy)
    elements = list(html.fromstring(page.body).iter())
    assert not {"script", "style", "form", "b"} & {element.tag for element in elements}
    attributes = {name for element in elements for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert page.headers["X-Frame-Options"] is None
    for other in ("/", path, "/search/", "/account/sign-in/", f"{embed(path)}nothing/"):
        policy = service.send("GET", other, headers=PERSON).headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy.split("; ")


def test_a_problem_may_not_be_framed_either(service: Service) -> None:
    page = service.send("GET", f"{embed(make(service))}?start=x", headers=PERSON)
    assert page.status == 400
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"].split("; ")


@pytest.mark.parametrize("end", ["", "graph/"])
def test_a_private_series_is_embedded_for_nobody(service: Service, end: str) -> None:
    path = embed(make(service, public="false")) + end
    for headers in ({}, basic(service.config), basic(service.other_config)):
        assert service.send("GET", path, headers=headers).status == 404
    assert signed_in(service).get(path).status == 404


def test_a_frame_says_why_it_is_empty(service: Service) -> None:
    for path in (make(service, public="false"), f"/series/{'A' * 22}/"):
        page = service.send("GET", embed(path), headers=PERSON)
        assert page.status == 404
        assert "frame-ancestors *" in page.headers["Content-Security-Policy"].split("; ")
        assert page.headers["Cache-Control"] == "private, no-cache"
        assert b"not public any more, or never was" in page.body
    program = service.send("GET", embed(path))
    assert program.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("end", ["", "graph/"])
def test_wrong_credentials_do_not_count(service: Service, end: str) -> None:
    path = embed(make(service)) + end
    for headers in (
        {"Authorization": "Basic ???"},
        basic({**service.config, "apitoken_secret": ""}),
    ):
        assert service.send("GET", path, headers=headers).status == 200
    shown = signed_in(service).get(path)
    assert shown.body == service.send("GET", path).body, "who is signed in makes no difference"


@pytest.mark.parametrize("end", ["", "graph/"])
def test_what_is_embedded_holds_until_the_series_changes(service: Service, end: str) -> None:
    path = make(service)
    first = service.send("GET", embed(path) + end)
    assert first.headers["Cache-Control"] == "public, no-cache"
    known = {"If-None-Match": first.headers["ETag"]}
    assert service.send("GET", embed(path) + end, headers=known).status == 304
    service.owner_sends("POST", f"{path}?value=3")
    assert service.send("GET", embed(path) + end, headers=known).status == 200


def test_the_page_is_dark_or_light_when_told(service: Service) -> None:
    path = embed(make(service))
    for query, name in (("?dark=true", "dark"), ("?dark=false", "light"), ("", None)):
        root = html.fromstring(service.send("GET", path + query).body)
        assert root.get("class") == name


@pytest.mark.parametrize(
    ("csv", "told"),
    [(b"", "There are no points yet."), (b"1,null", "There are no numbers to draw.")],
)
def test_where_there_is_nothing_it_is_said(service: Service, csv: bytes, told: str) -> None:
    root = html.fromstring(service.send("GET", embed(make(service, csv))).body)
    assert root.find_class("nothing")[0].text == told
    assert not root.find_class("plot")


def test_the_graph_is_the_data_for_scripts_of_any_site(service: Service) -> None:
    path = make(service, b"1,1\n2,null\n3,true\n4,2.5", title="Office power", unit="kW")
    reply = service.send("GET", f"{embed(path)}graph/", headers={"Origin": "https://example.org"})
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert json.loads(reply.body) == {
        "title": "Office power",
        "caption": "C",
        "unit": "kW",
        "url": f"{service.url[:-1]}{path}",
        "latest": [4.0, 2.5],
        "points": [[1.0, 1.0], [2.0, None], [3.0, True], [4.0, 2.5]],
    }
    empty = json.loads(service.send("GET", f"{embed(make(service, b''))}graph/").body)
    assert (empty["latest"], empty["points"], empty["unit"]) == (None, [], None)


def test_the_graph_is_of_a_window_and_thinned(service: Service) -> None:
    rows = [
        b"%d,%s\n" % (t, b"null" if 4000 < t < 6000 else b"%d" % (t == 777)) for t in range(9999)
    ]
    path = f"{embed(make(service, b''.join(rows)))}graph/"
    whole = json.loads(service.send("GET", path).body)["points"]
    assert len(whole) <= 1001
    assert [777.0, 1.0] in whole
    assert [t for t, v in whole if v is None] != []
    assert [t for t, _ in whole] == sorted(t for t, _ in whole)
    part = json.loads(service.send("GET", f"{path}?start=10&end=20&max_points=10").body)["points"]
    assert part == [[float(t), 0.0] for t in range(10, 20)]
    for query in ("max_points=1", "max_points=10001", "start=x"):
        assert service.send("GET", f"{path}?{query}").status == 400


# the documentation's snippets


def addresses() -> list[str]:
    """Of a service with a series ID, as they stand in the documentation."""
    found = re.findall(r"http://127\.0\.0\.1:8000(/[^\s\")]*ID/[^\s\")]*)", unescape(SHARING))
    assert len(found) >= 6
    return found


@pytest.mark.parametrize("address", addresses())
def test_the_addresses_of_the_documentation_work(service: Service, address: str) -> None:
    id = make(service).split("/")[2]
    assert service.send("GET", address.replace("ID", id)).status == 200


def site(page: str) -> Iterator[str]:
    """The address of another site, on another port, that has this page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def snippets(service: Service, id: str) -> str:
    """The HTML and the script of the documentation, on one page."""
    blocks = re.findall(r"code-block:: (html|js)\n\n((?:    .*\n|\n)+)", SHARING)
    assert [kind for kind, _ in blocks].count("html") >= 3
    wrap = {"html": "{}", "js": '<script type="module">{}</script>'}
    page = "".join(wrap[kind].format(text) for kind, text in blocks)
    page = page.replace("http://127.0.0.1:8000/", service.url).replace("/ID/", f"/{id}/")
    head = '<link rel="icon" href="data:,"><title>Elsewhere</title>'
    return f"<!DOCTYPE html><html lang=en><head>{head}</head><body>{page}</body></html>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser") / "profile")
    yield opened
    opened.driver.quit()


@needed
def test_another_site_shows_what_is_embedded(service: Service, browser: Browser) -> None:
    path = make(service, RISING, title="Office power", unit="kW")
    for address in site(snippets(service, path.split("/")[2])):
        browser.open(address)
        loaded = """
            const images = [...document.images], told = arguments[0];
            images.forEach(image => image.loading = "eager");
            Promise.all(images.map(image => image.decode()))
                .then(() => told(images.map(image => image.naturalWidth)), told);
        """
        assert browser.driver.execute_async_script(loaded) == [600, 400, 120]
        frame = browser.driver.find_element("tag name", "iframe")
        browser.driver.execute_script("arguments[0].scrollIntoView()", frame)
        browser.driver.switch_to.frame(frame)
        assert browser.shows("Office power")
        assert browser.shows("10.0 kW")
        line = browser.driver.find_element("css selector", ".line path").rect
        assert line["width"] > 500 and line["height"] > 200, "the chart fills the frame"
        browser.driver.switch_to.default_content()
        logged = browser.faults()
    # nothing but what the documentation's script itself says
    assert [entry for entry in logged if entry["level"] != "INFO"] == []


@needed
@pytest.mark.parametrize("size", [(200, 60), (300, 200), (600, 400), (1200, 700)])
def test_it_fits_a_frame_of_any_size(
    service: Service, browser: Browser, size: tuple[int, int]
) -> None:
    path = make(service, RISING, title="Office power " * 9, unit="kW")
    width, height = size
    page = f'<iframe src="{service.url[:-1]}{embed(path)}" width={width} height={height}></iframe>'
    for address in site(f"<!DOCTYPE html><link rel=icon href=data:,>{page}"):
        browser.open(address)
        browser.driver.switch_to.frame(0)
        assert browser.shows("Office power")
        outer = "const r = document.documentElement; return [r.scrollWidth, r.scrollHeight]"
        assert browser.driver.execute_script(outer) == [width, height], "nothing is to be scrolled"
        texts = browser.driver.find_elements("css selector", ".plot text")
        for text in (text for text in texts if text.is_displayed()):
            left, top = text.rect["x"], text.rect["y"]
            assert left >= 0 and left + text.rect["width"] <= width
            assert top >= 0 and top + text.rect["height"] <= height
        assert browser.faults() == []


@needed
def test_the_embedded_page_is_fit_for_all(service: Service, browser: Browser) -> None:
    browser.open(f"{service.url[:-1]}{embed(make(service, title='Office power', unit='kW'))}")
    assert browser.shows("Office power", "embed")
    assert browser.faults() == []
    browser.open(f"{service.url[:-1]}{embed(make(service))}?dark=true")
    ground = "return getComputedStyle(document.body).backgroundColor"
    dark = ", ".join(str(part) for part in bytes.fromhex(DARK.ground[1:]))
    assert browser.driver.execute_script(ground) == f"rgb({dark})"


@needed
def test_another_site_can_not_frame_a_page_of_the_service(
    service: Service, browser: Browser
) -> None:
    path = make(service, title="Office power")
    frames = "".join(f'<iframe src="{service.url}{name}"></iframe>' for name in (path[1:], ""))
    for address in site(f"<!DOCTYPE html><link rel=icon href=data:,>{frames}"):
        browser.open(address)
        for number in range(2):
            browser.driver.switch_to.frame(number)
            assert "Office power" not in browser.text
            browser.driver.switch_to.default_content()
        told = [entry["message"] for entry in browser.faults()]
        assert len([text for text in told if "frame-ancestors 'none'" in text]) == 2


@needed
def test_the_page_of_a_private_series_shows_its_picture_to_its_owner_without_scripts(
    service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make(service, title="Office power", public="false")
    plain = Browser(tmp_path_factory.mktemp("browser") / "profile", scripts=False)
    try:
        plain.open(service.url)
        name, _, secret = signed_in(service).cookie.partition("=")
        plain.driver.add_cookie({"name": name, "value": secret})
        plain.open(f"{service.url[:-1]}{path}")
        assert plain.shows("Office power")
        widths = "return [...document.images].map(i => i.naturalWidth)"
        assert plain.driver.execute_script(widths) == [1000]
        assert plain.faults() == []
    finally:
        plain.driver.quit()
