"""The commands about one's own series, run as a user runs them, against a real service."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import timetric
from tests.conftest import ROOT, RunningService
from tests.dancing import pin, program, signed_in
from tests.service import running_service

HANG = 60.0
Done = subprocess.CompletedProcess


class Shell:
    """A user's shell: a directory, an environment with a config, and the command."""

    def __init__(self, home: Path, config: dict[str, Any]) -> None:
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIMETRIC_", "XDG_"))}
        given = {f"TIMETRIC_{key.upper()}": value for key, value in config.items()}
        self.environment = {**kept, **given, "HOME": str(home), "PYTHONPATH": str(ROOT)}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "timetric", *map(str, arguments)]

    def run(self, *arguments: object, input: str = "") -> Done[str]:
        """With its output in a pipe."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=HANG,
        )

    def out(self, *arguments: object, input: str = "") -> str:
        done = self.run(*arguments, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: object, input: str = "") -> str:
        """The one line of an error; nothing is on standard output."""
        done = self.run(*arguments, input=input)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r"timetric: .+\n", done.stderr), done.stderr
        return done.stderr

    def refused_last(self, *arguments: object) -> str:
        """The same, where notes for the person stand ahead of the error."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        error = done.stderr.splitlines()[-1]
        assert error.startswith("timetric: ")
        return error

    def at_terminal(self, *arguments: object, typed: str = "", asked: str = "") -> tuple[int, str]:
        """The exit code and the screen of a terminal, in which ``typed`` is typed once asked."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.home)
            os.execve(sys.executable, self.command(*arguments), self.environment)
        screen = until(terminal, lambda seen: asked in seen) if typed else ""
        os.write(terminal, typed.encode())
        screen += until(terminal, lambda _: False)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen.replace("\r\n", "\n")


def until(terminal: int, enough: Callable[[str], bool]) -> str:
    """What comes until it is enough, or the other side has ended."""
    screen, end = b"", time.monotonic() + HANG
    while time.monotonic() < end and not enough(screen.decode()):
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so that the other side has closed
            break
        if not piece:
            break
        screen += piece
    return screen.decode()


@pytest.fixture
def shell(tmp_path: Path, service: RunningService) -> Shell:
    return Shell(tmp_path, service.config)


@pytest.fixture
def power(client: timetric.TimetricClient) -> timetric.Series:
    title = f"Power {os.urandom(4).hex()}"
    return client.create_series([(1, 10), (2, None), (3, 12.5)], title=title, caption="Of a test")


# which series


def test_a_series_is_named_by_id_url_slug_title_or_a_part_of_it(
    shell: Shell, client: timetric.TimetricClient
) -> None:
    mark = os.urandom(4).hex()
    made = client.create_series([(1, 5)], title=f"Gauge {mark} ü", caption="c", slug=f"g-{mark}")
    names = [made.id, made.url, f"{made.url}csv/", f"g-{mark}", f"gauge {mark} Ü", mark]
    assert [shell.out("latest", name) for name in names] == ["1.0,5.0\n"] * len(names)


def test_a_part_of_several_titles_is_an_error_that_lists_them(
    shell: Shell, client: timetric.TimetricClient
) -> None:
    mark = os.urandom(4).hex()
    both = [client.create_series(title=f"{mark} {n}", caption="c") for n in ("one", "two")]
    error = shell.refused("latest", mark)
    assert all(f"{one.id} {one.title!r}" in error for one in both)
    whole = client.create_series([(1, 7)], title=mark, caption="c")
    assert shell.out("latest", mark) == "1.0,7.0\n", f"{whole.id} has this title, wholly"


def test_what_names_no_series_is_an_error(shell: Shell, power: timetric.Series) -> None:
    assert "timetric ls" in shell.refused("show", "no such title at all")
    assert "timetric ls" in shell.refused("show", " ")
    other = f"http://example.org/series/{power.id}/"
    assert "is no series of the service" in shell.refused("latest", other)
    assert "is no series of the service" in shell.refused("latest", f"{power.url[:-1]}x/")
    shell.refused("latest", "A" * 22)


# reading


def test_ls_lists_and_finds(shell: Shell, power: timetric.Series) -> None:
    rows = list(csv.DictReader(io.StringIO(shell.out("ls", power.title.split()[1]))))
    assert [(row["id"], row["title"]) for row in rows] == [(power.id, power.title)]
    assert power.id in shell.out("ls")
    found = json.loads(shell.out("ls", "--all", *power.title.split(), "--format", "json"))
    assert [one["id"] for one in found] == [power.id]
    assert shell.out("ls", power.title, "--tag", "none") == "id,title,unit,updated\n"


def test_ls_is_a_table_at_a_terminal_which_obeys_no_title(
    shell: Shell, client: timetric.TimetricClient
) -> None:
    mark = os.urandom(4).hex()
    made = client.create_series(title=f"{mark} \u202ered", caption="c", unit="kW")
    code, screen = shell.at_terminal("ls", mark)
    assert code == 0
    assert re.match(r"ID +TITLE +UNIT +UPDATED\n", screen)
    assert re.search(rf"{made.id}  {mark} \ufffdred +kW +\d+ s ago\n", screen)
    assert "\u202e" not in screen


def test_show_is_json_in_a_pipe_and_lines_at_a_terminal(
    shell: Shell, power: timetric.Series
) -> None:
    about = json.loads(shell.out("show", power.id))
    assert (about["title"], about["points"], about["latest"]) == (power.title, 3, [3.0, 12.5])
    code, screen = shell.at_terminal("show", power.id)
    assert code == 0
    assert f"title:       {power.title}\n" in screen
    assert "latest:      1970-01-01T00:00:03Z  12.5\n" in screen
    assert "slug" not in screen


def test_latest(shell: Shell, power: timetric.Series, series: timetric.Series) -> None:
    assert shell.out("latest", power.id) == "3.0,12.5\n"
    assert shell.out("latest", power.id, "--iso") == "1970-01-01T00:00:03Z,12.5\n"
    assert shell.at_terminal("latest", power.id) == (0, "1970-01-01T00:00:03Z,12.5\n")
    empty = shell.run("latest", series.id)
    assert (empty.returncode, empty.stdout) == (0, "")


@pytest.mark.parametrize(
    "flags, text",
    [
        ([], "1.0,10.0\n2.0,null\n3.0,12.5\n"),
        (["--start", "2", "--end", "3"], "2.0,null\n"),
        (["--end", "2", "--iso"], "1970-01-01T00:00:01Z,10.0\n"),
        (["--since", "2w"], ""),
        (["--every", "1mo"], "0.0,11.25\n"),
        (["--every", "1d", "--aggregate", "sum", "--tz", "Europe/London"], "-3600.0,22.5\n"),
    ],
)
def test_cat_prints_csv(shell: Shell, power: timetric.Series, flags: list[str], text: str) -> None:
    done = shell.run("cat", power.id, *flags)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, "")


def test_cat_prints_json(shell: Shell, power: timetric.Series) -> None:
    assert json.loads(shell.out("cat", power.id, "--format", "json")) == [
        [1.0, 10.0],
        [2.0, None],
        [3.0, 12.5],
    ]
    assert json.loads(shell.out("cat", power.id, "--since", "1d", "--format", "json")) == []


def test_cat_refuses_flags_that_say_two_things(shell: Shell, power: timetric.Series) -> None:
    assert "--since" in shell.refused("cat", power.id, "--since", "2w", "--start", "2020")
    assert "--every" in shell.refused("cat", power.id, "--aggregate", "max")
    assert "is no duration" in shell.refused("cat", power.id, "--since", "2 fortnights")


def test_a_reader_that_goes_is_no_error(shell: Shell, series: timetric.Series) -> None:
    series.rewrite([(number, 1) for number in range(300_000)])
    for flags in ("", "--iso", "--format json"):
        command = f"{' '.join(shell.command('cat', series.id))} {flags} | head -n 1"
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            env=shell.environment,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_watch_follows_until_ctrl_c_and_ends_quietly(shell: Shell, power: timetric.Series) -> None:
    with subprocess.Popen(
        shell.command("watch", power.id, "--interval", "0.1"),
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None and watching.stderr is not None
        assert watching.stdout.readline() == "3.0,12.5\n"
        power.update([(2, 1), (4, 13), (5, True)])
        lines = [watching.stdout.readline() for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert (watching.wait(HANG), watching.stderr.read()) == (130, "")
    assert lines == ["4.0,13.0\n", "5.0,true\n"]


# writing


def test_put_takes_a_file_a_pipe_or_a_value(shell: Shell, series: timetric.Series) -> None:
    (shell.home / "power.csv").write_text("2009-03-10,3\n2009-03-11,4.25\n")
    done = shell.run("put", series.id, "power.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 added\n")
    assert shell.run("put", series.id, "-", input="2009-03-11,5\n").stderr == "1 replaced\n"
    assert shell.run("put", series.id, input="2009-03-12,6\n").stderr == "1 added\n"
    assert shell.run("put", series.id, "--value", "-14", "--at", "2010", "--quiet").stderr == ""
    assert series.latest() == (1262304000.0, -14.0)
    done = shell.run("put", series.id, "--value", "null", "--dry-run")
    assert done.stderr == "would be: 1 added\n"
    assert series.count() == 4


def test_put_refuses_what_is_no_data(shell: Shell, series: timetric.Series) -> None:
    assert "line 2" in shell.refused("put", series.id, input="1,2\nx,y\n")
    assert "No such file" in shell.refused("put", series.id, "nowhere.csv")
    shell.refused("put", series.id, "power.csv", "--value", "1")
    shell.refused("put", series.id, "--at", "2010", input="1,2\n")
    assert shell.run("put", series.id, "--value", "x").returncode == 2
    code, screen = shell.at_terminal("put", series.id)
    assert (code, "nothing to put" in screen) == (1, True)
    assert series.count() == 0


def test_new_prints_the_id(shell: Shell, client: timetric.TimetricClient) -> None:
    flags = ["--caption", "In the bowl", "--tag", "fruit", "--tag", "bowl", "--unit", "pieces"]
    done = shell.run("new", "Oranges", *flags, "-", input="1,2\n")
    assert done.returncode == 0
    made = client.series(done.stdout.strip())
    assert (made.title, made.caption, made.unit) == ("Oranges", "In the bowl", "pieces")
    assert (set(made.tags), made.public, made.latest()) == ({"fruit", "bowl"}, False, (1.0, 2.0))
    assert done.stderr == f"{made.url}\n"
    assert shell.run("new", "Oranges").returncode == 2  # a caption is needed


def test_inc_prints_what_it_became(shell: Shell, power: timetric.Series) -> None:
    assert shell.out("inc", power.id, "2").endswith(",14.5\n")
    assert shell.out("inc", power.id, "-0.5").endswith(",14.0\n")


def test_rm_asks_at_a_terminal_and_needs_yes_elsewhere(
    shell: Shell, power: timetric.Series
) -> None:
    assert "--yes" in shell.refused("rm", power.id)
    code, screen = shell.at_terminal("rm", power.id, typed="n\n", asked="[y/N]")
    assert f'Remove "{power.title}" with 3 points, for ever? [y/N]' in screen
    assert (code, power.count()) == (1, 3)
    assert shell.at_terminal("rm", power.id, typed="y\n", asked="[y/N]")[0] == 0
    with pytest.raises(timetric.NotFound):
        power.count()


def test_rm_with_yes_asks_nothing(shell: Shell, power: timetric.Series) -> None:
    done = shell.run("rm", power.id, "--yes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"removed {power.id}\n")


def test_open_opens_the_page(shell: Shell, power: timetric.Series) -> None:
    browser = shell.home / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > opened\n')
    browser.chmod(0o700)
    shell.environment["BROWSER"] = str(browser)
    assert shell.out("open", power.id) == ""
    assert (shell.home / "opened").read_text() == power.url


# signing in


def test_login_keeps_a_token_that_works(shell: Shell, service: RunningService) -> None:
    for name in [name for name in shell.environment if name.startswith("TIMETRIC_")]:
        del shell.environment[name]
    token = f"{service.config['apitoken_key']}:{service.config['apitoken_secret']}"
    path = shell.home / ".config/timetric/config.json"

    assert "no API token" in shell.refused("login", service.url, "--token-stdin", input="secret")
    bad = shell.refused("login", service.url, "--token-stdin", input=f"{token}x\n")
    assert service.config["apitoken_secret"] not in bad
    assert "--token-stdin" in shell.refused("login", service.url)
    assert not path.exists()

    code, screen = shell.at_terminal("login", service.url, typed=f"{token}\n", asked="shown): ")
    assert code == 0, screen
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shell.out("ls").startswith("id,title,unit,updated\n")

    assert "--replace" in shell.refused("login", service.url, "--token-stdin", input=token)
    shell.out("login", service.url, "--token-stdin", "--replace", input=token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["config.json"]


def test_login_by_oauth_is_let_in_by_a_browser(tmp_path: Path) -> None:
    with running_service(tmp_path / "store") as service:
        shell, application = Shell(tmp_path, {}), program(service)
        arguments = ("login", service.url, "--oauth", "--no-browser", "--token-stdin")
        with subprocess.Popen(
            shell.command(*arguments),
            cwd=tmp_path,
            env=shell.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{application.key}:{application.secret}\n")
            process.stdin.flush()
            process.stdout.readline()  # what to do
            page = urlsplit(process.stdout.readline().strip())
            address = f"{page.path}?{page.query}"
            shown = pin(signed_in(service).post(address, "decision=authorize"))
            process.communicate(f"{shown}\n", timeout=HANG)
        assert process.returncode == 0
        path = tmp_path / ".config/timetric/config.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        shell.out("new", "Power", "--caption", "Of a test")
        assert "Power" in shell.out("ls")


# charts


def test_plot_draws_the_numbers(shell: Shell, power: timetric.Series) -> None:
    chart = shell.out("plot", power.id, "--width", 40, "--height", 5)
    assert power.title in chart
    assert max(map(len, chart.splitlines())) <= 40
    part = shell.out("plot", power.id, "--end", "2")
    assert "1 point" in part
    assert "--since" in shell.refused("plot", power.id, "--since", "2w", "--start", "2024")


# completion


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_knows_the_commands(shell: Shell, name: str) -> None:
    pytest.importorskip("shtab")
    script = shell.out("completion", name)
    assert "--aggregate" in script or "-l aggregate" in script
    if name == "bash":
        ask = 'COMP_WORDS=(timetric la); COMP_CWORD=1; _shtab_timetric; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True)
        assert done.stdout.split() == ["latest"], done.stderr
