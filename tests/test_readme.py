"""README.txt says what is so: its examples and commands are run as they stand."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

import timetric
from tests.conftest import ROOT
from tests.test_cli_apps import FORM, added, first_link, send, signed_in
from tests.test_serve import Machine, machine  # noqa: F401

README = ROOT / "README.txt"


def blocks() -> list[str]:
    """The literal blocks of the README, which must be free of errors in its markup."""
    strict = {"report_level": 1, "halt_level": 1}
    tree = publish_doctree(README.read_text(encoding="utf-8"), settings_overrides=strict)
    return [block.astext() for block in tree.findall(nodes.literal_block)]


def commands(beginning: str) -> list[str]:
    return [line for block in blocks() for line in block.splitlines() if line.startswith(beginning)]


def test_the_client_examples_work(
    machine: Machine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they stand, but for the application's key and secret; a user authorizes it meanwhile."""
    service = machine.serve()
    session = signed_in(first_link(service))
    pins = []

    def open_page(url: str) -> bool:
        _, _, page = send(url, "POST", b"decision=authorize", {**FORM, **session})
        pins.extend(re.findall(r'class="pin">([^<]+)<', page))
        return True

    for name in set(os.environ) - set(machine.environment):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(machine.home))
    monkeypatch.setattr("webbrowser.open", open_page)
    monkeypatch.setattr("builtins.input", lambda _: pins.pop())
    monkeypatch.chdir(tmp_path)
    Path("oranges.csv").write_text("2009-03-12T08:00:00,11\n")
    conf = '{"authtype": "oauth", "consumer_key": "XXX", "consumer_secret": "XXX"}'
    text = README.read_text(encoding="utf-8")
    assert conf in text
    examples = doctest.DocTestParser().get_doctest(
        text.replace(conf, repr(added(machine, service))), {}, "README.txt", None, None
    )
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_the_service_commands_work(tmp_path: Path) -> None:
    """As they stand, but for the port: the README's may be in use."""
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    unset = {name for name in os.environ if name.startswith(("TIMETRIC_", "XDG_"))}
    environment = {name: text for name, text in os.environ.items() if name not in unset}
    environment.update(HOME=str(tmp_path), PATH=search)
    first_lines, printed = [], []
    with ExitStack() as services:
        for command in commands("timetric "):
            arguments = shlex.split(command)
            if arguments[1] != "serve":
                printed.append(output(arguments, tmp_path, environment))
                continue
            process = services.enter_context(
                subprocess.Popen(
                    [*arguments, "--port", "0"],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            services.callback(process.terminate)
            assert process.stdout is not None
            first_lines.append(process.stdout.readline())
        config = json.loads(next(text for text in printed if "apitoken_key" in text))
        config["url"] = first_lines[0].split()[-1]
        with timetric.TimetricClient(config) as ann:
            series = ann.create_series([(1, 2)], title="Oranges", caption="In the bowl")
            assert list(series) == [(1.0, 2.0)]
    assert (tmp_path / ".config/timetric/config.json").exists()
    assert (tmp_path / "timetric-data").is_dir()


def output(arguments: list[str], directory: Path, environment: dict[str, str]) -> str:
    return subprocess.run(
        arguments, cwd=directory, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    [tests] = [command for command in commands("python3 ") if "pytest" in command]
    assert tests in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def test_each_command_makes_its_own_virtual_environment() -> None:
    to_try = commands("python3 ")
    assert len(to_try) == 2
    for command in to_try:
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
