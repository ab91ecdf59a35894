"""The service as others read it, without our client: curl, urllib, requests."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
import struct
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from tests.conftest import ROOT
from tests.service import Service, running_service

POINTS = [(t / 2, t * 0.1) for t in range(20_000)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def url(service: Service) -> str:
    """A public series."""
    rows = "".join(f"{t!r},{value!r}\n" for t, value in POINTS)
    return service.url.rstrip("/") + service.create(rows.encode(), public=True)


@pytest.fixture
def session(service: Service) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.auth = (service.config["apitoken_key"], service.config["apitoken_secret"])
        yield session


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_sessions_with_curl(service: Service) -> None:
    token = f"{service.config['apitoken_key']}:{service.config['apitoken_secret']}"
    environment = {"PATH": os.environ["PATH"], "URL": service.url, "TOKEN": token}
    run = subprocess.run(
        ["sh", str(ROOT / "tests" / "curl-reading.sh")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


def test_requests_follows_the_links(url: str) -> None:
    read = []
    page = f"{url}points/?{urlencode({'limit': 3000})}"
    while page:
        reply = requests.get(page, headers={"Accept": "application/json"}, timeout=30)
        reply.raise_for_status()
        assert reply.headers["Content-Encoding"] == "gzip"  # which it asks for by itself
        read += [tuple(point) for point in reply.json()["points"]]
        page = reply.links.get("next", {}).get("url")
    assert read == POINTS


def test_requests_asks_whether_it_has_changed(session: requests.Session, service: Service) -> None:
    url = service.url.rstrip("/") + service.create(b"0,1")
    first = session.get(f"{url}csv/")
    known = {"If-None-Match": first.headers["ETag"]}
    assert session.get(f"{url}csv/", headers=known).status_code == 304
    assert requests.get(f"{url}csv/", headers=known, timeout=30).status_code == 401
    session.post(url, data={"value": 2}).raise_for_status()
    second = session.get(f"{url}csv/", headers=known)
    assert second.status_code == 200
    assert second.text.startswith(first.text)
    assert session.head(f"{url}csv/").headers["ETag"] == second.headers["ETag"]
    assert "GET" in session.options(url).headers["Allow"]


def test_requests_reads_16_bytes_a_point_as_they_come(url: str) -> None:
    headers = {"Accept": "application/vnd.timetric.points"}
    with requests.get(f"{url}points/", headers=headers, stream=True, timeout=30) as reply:
        assert reply.headers["Timetric-Words"] == "no"
        body = b"".join(reply.iter_content(1000))
    assert list(struct.iter_unpack("<dd", body)) == POINTS


def test_urllib_reads_csv(url: str) -> None:
    with urllib.request.urlopen(f"{url}csv/?start=10&end=20", timeout=30) as reply:
        rows = csv.reader(io.TextIOWrapper(reply, "utf-8"))
        read = [(float(t), float(value)) for t, value in rows]
    assert read == [point for point in POINTS if 10 <= point[0] < 20]


def test_urllib_reads_what_is_packed(url: str) -> None:
    asked = urllib.request.Request(f"{url}csv/", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=30) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        text = gzip.GzipFile(fileobj=reply).read()
    assert text.count(b"\n") == len(POINTS)


def test_urllib_sees_304_and_errors_as_such(url: str) -> None:
    with urllib.request.urlopen(f"{url}value/json/", timeout=30) as reply:
        tag = reply.headers["ETag"]
    asked = urllib.request.Request(f"{url}value/json/", headers={"If-None-Match": tag})
    for request, status in ((asked, 304), (f"{url}csv/?limit=0", 400), (f"{url}no/", 404)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code == status
        caught.value.close()
