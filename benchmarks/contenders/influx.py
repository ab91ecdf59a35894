"""InfluxDB 1, as Debian packages it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.contenders import Running
from benchmarks.points import Points, line_protocol
from benchmarks.server import answers, free_port, serving
from benchmarks.wire import Wire

DATABASE = "benchmark"
BATCH = 20_000  # rows a request: faster than the 5,000 to 10,000 that its makers advise
SHARD = "5200w"  # with the usual week, 19 years of data would be 990 files

#: Beside where it listens and keeps its data; 'cold' makes it write its files as it goes.
SETTINGS = {
    "INFLUXDB_MONITOR_STORE_ENABLED": "false",
    "INFLUXDB_REPORTING_DISABLED": "true",
    "INFLUXDB_HTTP_LOG_ENABLED": "false",
    "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "2s",
}


class InfluxSession:
    def __init__(self, address: str) -> None:
        self._address = address
        self._wire = Wire(address, {"Accept": "application/csv"})

    def bodies(self, series: str, points: Points) -> list[bytes]:
        return line_protocol(points, series, BATCH)

    def store(self, series: str, bodies: list[bytes]) -> None:
        for body in bodies:
            self._wire.send("POST", f"/write?db={DATABASE}", body)

    def write(self, series: str, t: float, v: float) -> None:
        line = f"p,s={series} v={v!r} {round(t * 1e6)}000\n".encode()
        self._wire.send("POST", f"/write?db={DATABASE}", line)

    def latest(self, series: str, t: float) -> bytes:
        return self._query(f"SELECT last(v) FROM p WHERE s = '{series}'")

    def read(self, series: str, start: float, end: float) -> bytes:
        span = f"time >= {round(start * 1e6)}u AND time < {round(end * 1e6)}u"
        return self._query(f"SELECT v FROM p WHERE s = '{series}' AND {span}")

    def read_all(self, series: str) -> bytes:
        return self._query(f"SELECT v FROM p WHERE s = '{series}'", chunked="true")

    def means(self, series: str, start: float, end: float, width: int) -> int:
        span = f"time >= {round(start * 1e6)}u AND time < {round(end * 1e6)}u"
        which = f"s = '{series}' AND {span} GROUP BY time({width}s) fill(none)"
        return self.rows(self._query(f"SELECT mean(v) FROM p WHERE {which}"))

    def rows(self, csv: bytes) -> int:
        return csv.count(b"\np,")

    def tuples(self, series: str) -> Iterator[Any] | None:
        try:
            from influxdb import InfluxDBClient
        except ImportError:  # an optional package
            return None
        return self._tuples(InfluxDBClient, f"SELECT v FROM p WHERE s = '{series}'")

    def _tuples(self, kind: Any, query: str) -> Iterator[Any]:
        host, _, port = self._address.partition(":")
        with kind(host, int(port), database=DATABASE) as client:
            for point in client.query(query, epoch="ns").get_points():
                yield point["time"] / 1e9, point["v"]

    def settle(self) -> None:
        """Nothing to wait for: what was acknowledged can be read."""

    def _query(self, query: str, **options: str) -> bytes:
        fields = {"db": DATABASE, "q": query, "epoch": "ns", **options}
        return self._wire.get("/query?" + urlencode(fields))


class InfluxDB:
    name = "InfluxDB"
    takes_much = True
    keeps_here = True
    remark = (
        "1.6, with its log synced before each acknowledgement as is its default, and one shard for "
        "all years instead of one a week; uploads of 20,000 rows a request; no credentials asked"
    )

    def is_installed(self) -> bool:
        return shutil.which("influxd") is not None

    @contextmanager
    def running(self, directory: Path) -> Iterator[Running]:
        address = f"127.0.0.1:{free_port()}"
        places = {
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
            "INFLUXDB_HTTP_BIND_ADDRESS": address,
            "INFLUXDB_META_DIR": str(directory / "meta"),
            "INFLUXDB_DATA_DIR": str(directory / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(directory / "wal"),
        }
        ready = partial(answers, address, "/ping")
        with serving(["influxd"], directory, ready, {**SETTINGS, **places}) as server:
            made = f"CREATE DATABASE {DATABASE} WITH DURATION INF SHARD DURATION {SHARD}"
            Wire(address).send("POST", "/query?" + urlencode({"q": made}))
            yield Running(self.name, partial(InfluxSession, address), server)
