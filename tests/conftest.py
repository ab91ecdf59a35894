"""What most tests need: a real service on loopback, started once as a user would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import timetric
from tests.postgres import Databases, NoServer, databases
from timetric.config import Config

ROOT = Path(__file__).parent.parent

# Under nohup, or in a script's background, these are ignored, and so they would be by every
# service that a test starts and means to end.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: Which Python runs the service; the client's tests also run on Pythons that can't.
SERVICE_PYTHON = os.environ.get("TIMETRIC_TEST_PYTHON", sys.executable)


class RunningService(NamedTuple):
    """A service in a process of its own; ``config`` is its owner's, for TimetricClient."""

    url: str
    config: dict[str, Any]
    client: timetric.TimetricClient


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("service")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TIMETRIC_")}
    environment = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    command = [SERVICE_PYTHON, "-m", "timetric", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", str(home / "data")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first_line = process.stdout.readline()  # printed once it accepts requests
        assert "http://" in first_line, f"the service did not start: {first_line!r}"
        saved = (home / "config/timetric/config.json").read_text()
        config = Config(json.loads(saved))  # a failing test does not print its secret
        with timetric.TimetricClient(config) as client:
            yield RunningService(config["url"], config, client)
        process.terminate()


@pytest.fixture
def client(service: RunningService) -> timetric.TimetricClient:
    return service.client


@pytest.fixture
def series(client: timetric.TimetricClient) -> timetric.Series:
    """A new, empty series."""
    return client.create_series(title="Office power", caption="Power drawn by the office")


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """Databases on a real PostgreSQL server; where there is none, what needs it is skipped."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(databases())
        except NoServer as error:
            pytest.skip(f"no PostgreSQL server: {error}")
        yield made


@pytest.fixture
def postgres(postgres_databases: Databases) -> Iterator[str]:
    """The URL of a database that is a new store."""
    url = postgres_databases.new()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new store is, for what every engine does alike: a directory, or a URL."""
    if request.param == "sqlite":
        return tmp_path / "data"
    url: str = request.getfixturevalue("postgres")
    return url
