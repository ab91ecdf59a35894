"""Forms of pages, as browsers send them, and what stands in the page that comes back."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import quote

from tests.dancing import Browser, multipart
from tests.service import Headers, Reply, Service

HERE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "\"><script>alert(1)</script>'{{ 7 * 7 }}"


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


def titles(service: Service, title: str) -> int:
    reply = service.owner_sends("GET", f"/search/results.thin.json?u=me&q={quote(title)}")
    return int(json.loads(reply.body)["total"])
