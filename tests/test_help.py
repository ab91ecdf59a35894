"""The pages of help: their commands run as they stand, and their links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest

import timetric
from tests.conftest import ROOT, RunningService
from tests.service import Service, running_service, send

PAGES = ("help/", "help/start/", "help/protocol/")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Sample(NamedTuple):
    """A block of a page, and what its button says it copies."""

    told: str
    text: str


def samples(url: str, page: str) -> list[Sample]:
    body = send(url, "GET", urlsplit(url).path + page).body.decode()
    blocks = re.findall(r'<pre><code data-copy="(\w+)">(.*?)</code></pre>', body, re.S)
    assert blocks
    return [Sample(told, unescape(text)) for told, text in blocks]


@pytest.fixture
def shell(service: RunningService, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has a token and nothing else of timetric's."""
    command = tmp_path / "bin/timetric"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m timetric "$@"\n')
    command.chmod(0o700)
    key, secret = service.config["apitoken_key"], service.config["apitoken_secret"]
    path = f"{command.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OF": f"{key}:{secret}"}


def run(command: list[str], shell: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=shell["HOME"],
        env=shell,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@needs_curl
def test_the_five_minutes_go_as_they_are_told(
    service: RunningService, client: timetric.TimetricClient, shell: dict[str, str]
) -> None:
    found = samples(service.url, "help/start/")
    typed = "\n".join(text for told, text in found if told.startswith("command"))
    typed = typed.replace("TOKEN=KEY:SECRET", "TOKEN=$OF").replace("curl ", "curl -f ")
    typed = typed.replace("pip install timetric\n", "")  # it is there
    typed = re.sub("^(timetric login .*)$", r'echo "$TOKEN" | \1 --token-stdin', typed, flags=re.M)
    shown = run(["sh", "-euc", typed], shell)
    [address] = re.findall(f"^{service.url}series/.*/$", shown, re.M)
    assert "2026-03-10T08:00:00,3.1\n2026-03-10T09:00:00,4.7\n" in shown
    assert "2026-03-10T00:00:00,4.0\n" in shown
    power = client.series(urlsplit(address).path.split("/")[2])
    assert (power.count(), power.unit, power.public) == (4, "kW", True)
    power.remove()

    before = {series.id for series in client.search("oranges", user="me")}
    program = "\n".join(text for told, text in found if told == "program")
    printed = run([sys.executable, "-c", program], shell)
    run([sys.executable, "-c", program], shell)  # as it says, again
    made = client.search("oranges", user="me")
    [oranges] = [series for series in made if series.id not in before]
    assert oranges.slug == "oranges"
    assert printed.splitlines()[0] == oranges.url
    assert "1773014400.0 112.0" in printed.splitlines()
    oranges.remove()


def test_what_is_shown_elsewhere_is_there(
    service: RunningService, client: timetric.TimetricClient
) -> None:
    public = client.create_series([(1, 2)], title="T", caption="c", public=True)
    shown = [sample for sample in samples(service.url, "help/start/") if "/ID/" in sample.text]
    assert [told for told, _ in shown] == ["HTML", "HTML", "Markdown"]
    for _, text in shown:
        [url] = re.findall(r"https?://[^\s\")]+", text.replace("/ID/", f"/{public.id}/"))
        assert send(url, "GET", url.replace(service.url, "/")).status == 200
    public.remove()


@needs_curl
def test_the_ways_to_a_first_series_go_as_they_are_shown(
    service: RunningService, client: timetric.TimetricClient, shell: dict[str, str]
) -> None:
    with running_service(Path(shell["HOME"]) / "empty") as empty:
        shown = {
            told: text.replace(empty.url, service.url) for told, text in samples(empty.url, "")
        }
    typed, program = shown["command"], shown["program"]
    before = {series.id for series in client.search("office power drawn", user="me")}
    run(["sh", "-euc", typed.replace("KEY:SECRET", "$OF").replace("curl ", "curl -sSf ")], shell)
    config = {f"TIMETRIC_{key.upper()}": value for key, value in service.config.items()}
    run([sys.executable, "-c", program], {**shell, **config})
    found = client.search("office power drawn", user="me")
    made = [series for series in found if series.id not in before]
    assert [list(series) for series in made] == [[(1773100800.0, 3.5)]] * 2
    for series in made:
        series.remove()


@needs_curl
def test_the_examples_of_the_protocol_run_at_the_service_that_shows_them(
    service: RunningService,
    client: timetric.TimetricClient,
    series: timetric.Series,
    shell: dict[str, str],
) -> None:
    home = Path(shell["HOME"])
    (home / "power.csv").write_text("2009-03-10,3\n2009-03-11,4.25\n")
    commands = [text for told, text in samples(service.url, "help/protocol/") if told == "command"]
    assert len(commands) >= 15
    public = client.create_series(title="T", caption="c", public=True)
    known = {**shell, "TOKEN": shell["OF"], "ID": series.id, "PUBLIC_ID": public.id}
    for command in commands:
        assert service.url in command
        series.update([(1, 2)])
        for line in re.findall(r"(?:.|(?<=\\)\n)+", command):
            here = line.replace("curl ", "curl -sSf ")
            if "series=true" not in here:  # the end of it
                run(["sh", "-euc", here], known)
    public.remove()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service behind a proxy, below a path."""
    base = "https://example.org/data/"
    with running_service(tmp_path_factory.mktemp("store"), base_url=base) as running:
        yield running


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_help_names_the_service_by_its_own_address(elsewhere: Service, page: str) -> None:
    body = elsewhere.send("GET", f"/{page}").body.decode()
    assert "https://example.org/data/" in body
    assert "127.0.0.1" not in body.replace("loopback", "")
    assert "{{" not in body and "{%" not in body
    paths = re.findall(r'(?:href|src|action)="(/[^"]*)"', body)
    assert [path for path in paths if not path.startswith("/data/")] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_link_of_help_leads_somewhere(elsewhere: Service, page: str) -> None:
    here = f"/data/{page}"
    body = elsewhere.send("GET", f"/{page}").body.decode()
    targets = {
        urljoin(here, unescape(href)) for href in re.findall(r'<a[^>]* href="([^"]*)"', body)
    }
    for target in sorted(targets):
        url = urlsplit(target)
        if url.netloc:
            continue
        path = url.path.replace("/data", "", 1) + (f"?{url.query}" if url.query else "")
        reply = elsewhere.send("GET", path)
        assert reply.status in (200, 303), target
        assert not url.fragment or f'id="{url.fragment}"'.encode() in reply.body, target


def test_the_page_of_the_protocol_is_that_of_the_documentation(tmp_path: Path) -> None:
    """After a change of docs/protocol.rst: python docs/render_help.py."""
    made = tmp_path / "protocol.html"
    subprocess.run([sys.executable, str(ROOT / "docs/render_help.py"), str(made)], check=True)
    kept = ROOT / "timetric/server/templates/help/protocol.html"
    assert made.read_text("utf-8") == kept.read_text("utf-8"), "python docs/render_help.py"
