"""One node: a PostgreSQL server, and service processes beside it that share its database."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.contenders.timetric import SOURCE, Timetric, TimetricSession
from benchmarks.points import Points, seconds_csv
from benchmarks.server import Server, serving
from tests.postgres import Server as Postgres

_names = (f"node{number}" for number in itertools.count())


class Node(NamedTuple):
    """``addresses`` and ``services`` are of the same processes; ``session`` is with the first."""

    postgres: Postgres
    addresses: list[str]
    services: list[Server]
    session: TimetricSession

    def store(self, points: Points) -> str:
        """Make a series; its path."""
        name = next(_names)
        self.session.store(name, [seconds_csv(points)])
        return f"/series/{self.session.id(name)}/"

    def ask(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """The rows that the database answers a statement with."""
        import psycopg

        with psycopg.connect(self.postgres.url()) as db:
            return db.execute(statement, arguments).fetchall()

    def logged(self) -> int:
        """The bytes of log (WAL) that there have been so far."""
        [[size]] = self.ask("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
        return int(size)


@contextmanager
def running_node(processes: int) -> Iterator[Node]:
    """Untuned, with fsync; so many service processes, on loopback."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = Postgres({})
        stack.callback(postgres.remove)  # whatever a measure does, no server is left behind
        postgres.start()
        data = ["--data", postgres.url(), "--secret-key-file", str(scratch / "secret.key")]
        first = stack.enter_context(Timetric().serving(scratch, data))
        assert first.server is not None
        services, session = [first.server], first.connect()
        assert isinstance(session, TimetricSession)
        addresses = [urlsplit(session.config["url"]).netloc]
        for number in range(1, processes):
            home = scratch / str(number)
            home.mkdir()
            services.append(stack.enter_context(_another(home, data)))
            addresses.append(_address(home / "output.txt"))
        yield Node(postgres, addresses, services, session)


@contextmanager
def _another(home: Path, data: list[str]) -> Iterator[Server]:
    command = [sys.executable, "-m", "timetric", "serve", "--port", "0", *data]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(SOURCE)}
    output = home / "output.txt"
    with serving(command, home, lambda: b"http://" in output.read_bytes(), environment) as server:
        yield server


def _address(output: Path) -> str:
    """Where it listens, of the first URL that it printed."""
    [url] = [word for word in output.read_text().split() if word.startswith("http://")][:1]
    return urlsplit(url).netloc
