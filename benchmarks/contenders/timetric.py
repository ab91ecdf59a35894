"""Ourselves: ``timetric serve`` as a user starts it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import timetric
from benchmarks.contenders import Running
from benchmarks.points import Points, seconds_csv
from benchmarks.server import serving
from benchmarks.wire import Wire

SOURCE = Path(timetric.__file__).parent.parent
CSV = {"Content-Type": "text/csv"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class TimetricSession:
    def __init__(self, config: dict[str, str], paths: dict[str, str]) -> None:
        token = f"{config['apitoken_key']}:{config['apitoken_secret']}".encode()
        authorization = "Basic " + base64.b64encode(token).decode()
        self.headers = {"Authorization": authorization}
        self._wire = Wire(urlsplit(config["url"]).netloc, self.headers)
        self.config = config
        self._paths = paths  # where the service has put each series

    def bodies(self, series: str, points: Points) -> list[bytes]:
        return [seconds_csv(points)]

    def store(self, series: str, bodies: list[bytes]) -> None:
        for body in bodies:
            path = self._paths.get(series, f"/create/?title={series}&caption=benchmark")
            reply = self._wire.send("POST", path, body, CSV)
            if series not in self._paths:
                self._paths[series] = urlsplit(reply.headers["Location"]).path

    def write(self, series: str, t: float, v: float) -> None:
        body = urlencode({"value": v, "timestamp": t}).encode()
        self._wire.send("POST", self._paths[series], body, FORM)

    def latest(self, series: str, t: float) -> bytes:
        return self._wire.get(f"{self._paths[series]}value/json/")

    def id(self, series: str) -> str:
        return self._paths[series].split("/")[2]

    def read(self, series: str, start: float, end: float) -> bytes:
        # ``after`` is exclusive, so a microsecond earlier
        return self._wire.get(f"{self._paths[series]}csv/?after={start - 1e-6!r}&end={end!r}")

    def read_all(self, series: str) -> bytes:
        return self._wire.get(f"{self._paths[series]}csv/")

    def means(self, series: str, start: float, end: float, width: int) -> int:
        fields = {"every": f"{width}s", "aggregate": "mean", "start": start, "end": end}
        return self.rows(self._wire.get(f"{self._paths[series]}csv/?{urlencode(fields)}"))

    def find(self, query: str) -> bytes:
        return self._wire.get(f"/search/results.thick.json?{query}")

    def publish(self, series: str) -> None:
        """Let everybody see a series, so that it has pictures."""
        kind = {"Content-Type": "application/json"}
        self._wire.send("PATCH", f"{self._paths[series]}metadata/", b'{"public": true}', kind)

    def picture(self, series: str, name: str) -> bytes:
        return self._wire.get(f"{self._paths[series]}{name}")

    def rows(self, csv: bytes) -> int:
        return csv.count(b"\n")

    def tuples(self, series: str) -> Iterator[timetric.Point]:
        return iter(timetric.TimetricClient(self.config).series(self.id(series)))

    def frame(self, series: str) -> Any:
        """All points as a Series of pandas."""
        with timetric.TimetricClient(self.config) as client:
            return client.series(self.id(series)).to_pandas()

    def walk(self, series: str) -> int:
        """The bytes of memory that iterating over a series takes at most; see benchmarks/walk."""
        environment = {f"TIMETRIC_{name.upper()}": text for name, text in self.config.items()}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.walk", self.id(series)],
            cwd=SOURCE,
            env={**os.environ, **environment},
            check=True,
            stdout=subprocess.PIPE,
        )
        return int(done.stdout)

    def update(self, series: str, pairs: list[tuple[float, float]]) -> None:
        """Add pairs, by the Python client."""
        with timetric.TimetricClient(self.config) as client:
            client.series(self.id(series)).update(pairs)

    def curl(self, series: str, csv: Path) -> None:
        """Add a file of CSV, by curl. Raises CalledProcessError."""
        user = f"user = {self.config['apitoken_key']}:{self.config['apitoken_secret']}"
        url = urljoin(self.config["url"], self._paths[series])
        kind = "Content-Type: text/csv"
        command = ["curl", "-sSf", "-K", "-", "-H", kind, "--data-binary", f"@{csv}", url]
        subprocess.run(command, input=user, text=True, check=True)

    def settle(self) -> None:
        """Nothing to wait for: what was acknowledged can be read."""


class Timetric:
    name = "timetric"
    takes_much = True
    keeps_here = True
    remark = "as ``timetric serve`` starts it: each write is on the disk when it is acknowledged"

    def is_installed(self) -> bool:
        return True

    @contextmanager
    def running(self, directory: Path) -> Iterator[Running]:
        with self.serving(directory, ["--data", str(directory / "data")]) as running:
            yield running

    @contextmanager
    def serving(self, directory: Path, data: list[str]) -> Iterator[Running]:
        """The service; the client's config, which it makes, is kept in the directory."""
        config = directory / "config/timetric/config.json"
        output = directory / "output.txt"
        command = [sys.executable, "-m", "timetric", "serve", "--port", "0"]
        environment = {
            "XDG_CONFIG_HOME": str(directory / "config"),
            "TIMETRIC_CONFIG": str(config),
            "PYTHONPATH": str(SOURCE),
        }
        with serving(
            [*command, *data], directory, lambda: b"http://" in output.read_bytes(), environment
        ) as server:
            made = json.loads(config.read_text())
            yield Running(self.name, partial(TimetricSession, made, {}), server)
