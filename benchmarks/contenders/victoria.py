"""VictoriaMetrics, as Debian packages it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.contenders import Running
from benchmarks.points import Points, milliseconds_csv
from benchmarks.server import answers, free_port, serving
from benchmarks.wire import Wire

IN = "format=1:time:unix_ms,2:metric:p"
OUT = "__timestamp__:unix_ms,__value__"


class VictoriaSession:
    def __init__(self, address: str) -> None:
        self._wire = Wire(address)

    def bodies(self, series: str, points: Points) -> list[bytes]:
        return [milliseconds_csv(points)]

    def store(self, series: str, bodies: list[bytes]) -> None:
        for body in bodies:
            self._wire.send("POST", f"/api/v1/import/csv?{IN}&extra_label=s={series}", body)

    def write(self, series: str, t: float, v: float) -> None:
        self.store(series, [f"{round(t * 1000)},{v!r}\n".encode()])

    def latest(self, series: str, t: float) -> bytes:
        """Without a time it would look at the last five minutes only."""
        return self._wire.get("/api/v1/query?" + urlencode({"query": _name(series), "time": t}))

    def read(self, series: str, start: float, end: float) -> bytes:
        return self._export(series, start=f"{start:.3f}", end=f"{end - 0.001:.3f}")

    def read_all(self, series: str) -> bytes:
        return self._export(series, start="0")

    def means(self, series: str, start: float, end: float, width: int) -> int:
        """It looks back from each step, and would keep the answer for who asks again."""
        fields = {
            "query": f"avg_over_time({_name(series)}[{width}s])",
            "start": start + width,
            "end": end,
            "step": f"{width}s",
            "nocache": "1",
        }
        found = json.loads(self._wire.get("/api/v1/query_range?" + urlencode(fields)))
        return len(found["data"]["result"][0]["values"])

    def rows(self, csv: bytes) -> int:
        return csv.count(b"\n")

    def tuples(self, series: str) -> None:
        """There is no client of its own for Python."""

    def settle(self) -> None:
        """Have it make what it has acknowledged readable at once, instead of within a second."""
        self._wire.get("/internal/force_flush")

    def _export(self, series: str, **bounds: str) -> bytes:
        fields = {"format": OUT, "match[]": _name(series), **bounds}
        return self._wire.get("/api/v1/export/csv?" + urlencode(fields))


def _name(series: str) -> str:
    return f'p{{s="{series}"}}'


class VictoriaMetrics:
    name = "VictoriaMetrics"
    takes_much = True
    keeps_here = True
    remark = (
        "acknowledges a write before it is on the disk or can be read, and loses it when killed "
        "then; two points at one instant both stay; times are whole milliseconds; "
        "no credentials asked"
    )

    def is_installed(self) -> bool:
        return shutil.which("victoria-metrics") is not None

    @contextmanager
    def running(self, directory: Path) -> Iterator[Running]:
        address = f"127.0.0.1:{free_port()}"
        command = [
            "victoria-metrics",
            f"-httpListenAddr={address}",
            f"-storageDataPath={directory / 'data'}",
            "-retentionPeriod=100y",
        ]
        with serving(command, directory, partial(answers, address, "/health")) as server:
            yield Running(self.name, partial(VictoriaSession, address), server)
