"""What docs/scaling says how to run: the examples' own commands, and a copy of a database."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.postgres import NoServer, Server, running_server
from tests.service import send
from tests.test_serve import Machine, machine  # noqa: F401
from tests.test_storage import IDS, METADATA, columns, read
from timetric.server.credentials import make_application
from timetric.server.keyring import open_keyring
from timetric.server.storage import StorageError, open_storage

EXAMPLES = ROOT / "docs/examples/scaling"


def unit_command() -> list[str]:
    unit = (EXAMPLES / "timetric@.service").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"^ExecStart=(.*)$", unit, re.M)
    assert found is not None
    return shlex.split(found[1])


def compose_command() -> list[str]:
    yaml = pytest.importorskip("yaml")
    text = (EXAMPLES / "compose.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    command = shlex.split(services["service"]["command"])
    proxy = services["proxy"]["networks"]["inside"]["ipv4_address"]
    assert command[command.index("--trust-proxy") + 1] == proxy
    return command


@pytest.mark.parametrize("command", [unit_command, compose_command])
def test_the_command_of_an_example_starts_the_service(
    machine: Machine,  # noqa: F811
    postgres: str,
    command: object,
) -> None:
    assert callable(command)
    program, serve, *flags = command()
    assert (Path(program).name, serve) == ("timetric", "serve")
    here = {
        "--data": postgres,
        "--secret-key-file": str(machine.home / "secret.key"),
        "--port": "0",
        "--host": "127.0.0.1",
    }
    for flag, value in here.items():
        if flag in flags:
            flags[flags.index(flag) + 1] = value
    service = machine.serve(*flags)
    assert service.lines[1] == "Known as https://series.example.org/"
    assert send(service.url, "GET", "/health/").status == 200


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        with running_server() as server:
            yield server
    except NoServer as error:
        pytest.skip(f"no PostgreSQL server: {error}")


def test_a_copy_by_pg_dump_is_a_store_with_everything_in_it(server: Server, tmp_path: Path) -> None:
    dump, key = tmp_path / "timetric.dump", tmp_path / "secret.key"
    points = columns(*((t, t / 3) for t in range(10_000)), (20_000, None), (20_001, True))
    with closing(open_storage(server.url())) as store:
        owner = store.accounts.add_user("owner", 1.0, "hash")
        make_application(store.grants, owner, "Plotter")
        open_keyring(key, store, shared=True)
        store.create(IDS[0], owner, METADATA, points, 2.0)
        store.append(store.series(IDS[0]), 4.5, 30_000.0)

    server.run("pg_dump", "--format=custom", f"--file={dump}", server.url())
    server.run("psql", "--quiet", "--command=CREATE DATABASE restored", server.url())
    url = server.url("restored")
    server.run("pg_restore", "--no-owner", f"--dbname={url}", str(dump))

    with closing(open_storage(url, make=False)) as copy:
        assert list(copy.check()) == []
        assert read(copy, copy.series(IDS[0]))[-3:] == [(20_000, None), (20_001, True), (3e4, 4.5)]
        assert copy.series(IDS[0]).points == 10_003
        assert copy.accounts.password("owner") == "hash"
        copy.append(copy.series(IDS[0]), 5.5, 30_001.0)
        copy.create(IDS[1], copy.accounts.user("owner"), METADATA, points, 3.0)
        open_keyring(key, copy, shared=True)
        with pytest.raises(StorageError, match="missing; bring it back"):
            open_keyring(tmp_path / "lost.key", copy, shared=True)
