"""The wheel: what is in it, and that it works where there is nothing but it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

LEFTOVERS = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "_build", "timetric-data"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the project: what git knows, or all but leftovers where there is no git."""
    copy = tmp_path_factory.mktemp("tree") / "timetric"
    if not (ROOT / ".git").exists():
        return Path(shutil.copytree(ROOT, copy, ignore=LEFTOVERS))
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    for name in listing.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(tree)]
    subprocess.run(command, check=True)
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(tree: Path, wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = (path for path in (tree / "timetric").rglob("*") if path.is_file())
    assert names == {path.relative_to(tree).as_posix() for path in files}
    assert {"timetric/py.typed", "timetric/data/co2-mauna-loa-weekly.csv"} <= names


def test_the_client_needs_three_packages_and_carries_the_licence(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        fields = message_from_bytes(archive.read(metadata))
        assert any(name.endswith("/LICENSE") for name in archive.namelist())
    needed = [line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split("<")[0].split(">")[0].strip() for line in needed}
    assert names == {"httplib2", "python-dateutil", "simplejson"}


class Environment:
    """A fresh virtual environment outside the tree, and an empty home."""

    def __init__(self, directory: Path, requirement: str) -> None:
        self.bin = directory / "venv/bin"
        self.home = directory / "home"
        self.home.mkdir()
        ours = ("PYTHON", "TIMETRIC_", "XDG_")  # would lead to the tree, or to the user's config
        self.variables = {
            name: text for name, text in os.environ.items() if not name.startswith(ours)
        }
        subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
        install = [str(self.bin / "pip"), "install", "--quiet", requirement]
        subprocess.run(install, cwd=directory, env=self.variables, check=True)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the empty home; its output and errors as text."""
        return subprocess.run(
            [str(self.bin / command), *arguments],
            cwd=self.home,
            env={**self.variables, "HOME": str(self.home)},
            capture_output=True,
            text=True,
        )


def test_the_demo_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path, f"{wheel}[server]")
    assert environment.run("pip", "check").returncode == 0
    before = set(environment.home.rglob("*"))
    demo = environment.run("timetric", "demo")
    assert (demo.returncode, demo.stderr) == (0, "")
    assert "2284" in demo.stdout  # the points of the file in the wheel
    assert set(environment.home.rglob("*")) == before


def test_the_client_installs_without_the_service(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path, str(wheel))
    assert environment.run("pip", "check").returncode == 0
    assert environment.run("python", "-c", "import timetric").returncode == 0
    serve = environment.run("timetric", "serve")
    assert serve.returncode == 1
    assert "pip install 'timetric[server]'" in serve.stderr
