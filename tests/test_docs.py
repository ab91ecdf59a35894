"""The documentation: its examples run, it builds, and it leaves out nothing public."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import timetric
from tests.conftest import ROOT, RunningService

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.rst"))
WITH_EXAMPLES = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]

PROTOCOL = (DOCS / "protocol.rst").read_text(encoding="utf-8")
CURL = re.findall(r"^ +(curl (?:.|(?<=\\)\n)*)", PROTOCOL, re.M)

COMMANDS = [
    "user signin-link",
    "user passwd",
    "user disable",
    "user enable",
    "user remove",
    "user quota",
    "app add",
    "app token",
    "app list",
    "app revoke",
    "serve",
    "user add",
    "user list",
    "token add",
    "token list",
    "token revoke",
    "doctor",
]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_the_examples_work(
    service: RunningService, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in service.config.items():
        monkeypatch.setenv(f"TIMETRIC_{key.upper()}", value)
    monkeypatch.chdir(tmp_path)
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as HTML; a warning fails."""
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-E", "-b", "html"]
    subprocess.run([*command, str(DOCS), str(out)], check=True)
    return out


def test_every_public_name_is_described(built: Path) -> None:
    html = (built / "client.html").read_text(encoding="utf-8")
    described = set(re.findall(r'id="timetric\.(?:exceptions\.)?(\w+)"', html))
    assert set(timetric.__all__) - described == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_a_command_is_described(command: str) -> None:
    arguments = [sys.executable, "-m", "timetric", *command.split(), "--help"]
    run = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    flags = set(re.findall(r"--[a-z-]+", run.stdout)) - {"--help"}
    text = (DOCS / "server.rst").read_text(encoding="utf-8")
    assert f"timetric {command}" in text
    assert {flag for flag in flags if flag not in text} == set()


SERIES_COMMANDS = [
    *("ls", "show", "latest", "cat", "watch", "put", "new", "inc", "rm", "open"),
    *("import", "login", "completion"),
]


@pytest.mark.parametrize("command", SERIES_COMMANDS)
def test_every_flag_about_series_is_described(command: str) -> None:
    arguments = [sys.executable, "-m", "timetric", command, "--help"]
    run = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    text = (DOCS / "cli.rst").read_text(encoding="utf-8")
    assert f"timetric {command}" in text
    assert {flag for flag in re.findall(r"--[a-z-]+", run.stdout) if flag not in text} <= {"--help"}
    assert run.stdout.splitlines()[-1].startswith(f"  timetric {command} ")


@pytest.fixture
def prompt(service: RunningService, tmp_path: Path) -> dict[str, str]:
    """The environment of a shell in which there is a ``timetric`` and a config."""
    command = tmp_path / "bin/timetric"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m timetric "$@"\n')
    command.chmod(0o700)
    config = {f"TIMETRIC_{key.upper()}": value for key, value in service.config.items()}
    path = f"{command.parent}:{os.environ['PATH']}"
    return {**config, "PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


def test_the_session_at_the_prompt_goes_as_shown(prompt: dict[str, str], tmp_path: Path) -> None:
    text = (DOCS / "cli.rst").read_text(encoding="utf-8")
    shown = re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", text, re.M)
    assert len(shown) >= 10
    checker = doctest.OutputChecker()
    for command, output in shown:
        run = subprocess.run(
            ["bash", "-c", f"{command}"],
            cwd=tmp_path,
            env=prompt,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wanted = re.sub("^    ", "", output, flags=re.M)
        assert checker.check_output(wanted, run.stdout, doctest.ELLIPSIS), (command, run.stdout)


@pytest.mark.parametrize("command", sorted({*SERIES_COMMANDS} - {"watch", "login"}))
def test_the_examples_of_help_work(
    client: timetric.TimetricClient, prompt: dict[str, str], tmp_path: Path, command: str
) -> None:
    for slug in ("office-power", "oranges"):
        client.get_or_create(slug, [(1, 2)], title=slug, caption="c")
    (tmp_path / "power.csv").write_text("2009-03-10,3\n")
    (tmp_path / "meter.csv").write_text("t,v\n03/04/2024,3\n")
    prompt["BROWSER"] = "true"
    arguments = [sys.executable, "-m", "timetric", command, "--help"]
    run = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    example = run.stdout.splitlines()[-1]
    subprocess.run(["bash", "-c", example], cwd=tmp_path, env=prompt, check=True)
    for slug in ("office-power", "oranges"):
        client.get_or_create(slug, title=slug, caption="c").remove()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", CURL)
def test_the_curl_examples_work(
    service: RunningService, series: timetric.Series, command: str, tmp_path: Path
) -> None:
    (tmp_path / "power.csv").write_text("2009-03-10,3\n2009-03-11,4.25\n")
    config = service.config
    token = f"{config['apitoken_key']}:{config['apitoken_secret']}"
    here = command.replace("http://127.0.0.1:8000/", service.url).replace("curl ", "curl -sSf ")
    public = service.client.create_series(title="T", caption="c", public=True)
    ids = {"ID": series.id, "PUBLIC_ID": public.id}
    environment = {"PATH": os.environ["PATH"], "TOKEN": token, **ids}
    subprocess.run(["sh", "-c", here], cwd=tmp_path, env=environment, check=True)


def test_the_design_page_lists_every_module() -> None:
    text = (DOCS / "design.rst").read_text(encoding="utf-8")
    package = ROOT / "timetric"
    modules = [*package.glob("*.py"), *(package / "server").glob("*.py")]
    assert {path.name for path in modules if f"    {path.name} " not in text} == set()
