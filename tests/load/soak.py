"""Hours of steady load on a service: ``python -m tests.load.soak --seconds 3600 --out DIRECTORY``.

Writes soak.csv, and a picture of each column: memory, open files, latency.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import timetric
from tests.load.crowd import percentile
from tests.test_kills import Service
from timetric.display.svg import svg_chart


class Sample(NamedTuple):
    """What was seen at the end of an interval, and how the calls within it went."""

    seconds: float
    calls: int
    errors: int
    memory: float  # MB
    files: int
    threads: int
    median: float  # ms
    p99: float  # ms


class Load:
    """Clients that write and read at a steady rate together, each in a thread of its own."""

    def __init__(self, config: dict[str, str], clients: int, rate: float) -> None:
        self._client = timetric.TimetricClient(config)
        self._pause = clients / rate
        self._lock = threading.Lock()
        self._waits: list[float] = []
        self._errors = 0
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def taken(self) -> tuple[list[float], int]:
        """How long each call since the last look took, in seconds, and how many failed."""
        with self._lock:
            told, self._waits, self._errors = (self._waits, self._errors), [], 0
        return told

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        series = self._client.create_series(title=f"Soak {number}", caption="Steady load")
        count = 0
        due = time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due += self._pause
            count += 1
            begun = time.monotonic()
            try:
                _do(series, chance, count)
            except timetric.TimetricClientError:  # counted, and shown
                self._errors += 1
            with self._lock:
                self._waits.append(time.monotonic() - begun)


def _do(series: timetric.Series, chance: random.Random, count: int) -> None:
    """One call of a mix: most are small; a history is cleared before it grows past a million."""
    which = chance.random()
    if which < 0.4:
        series.update(chance.random())
    elif which < 0.6:
        series.increment(1)
    elif which < 0.8:
        series.latest()
    elif which < 0.9:
        list(series.last("5min"))
    elif which < 0.99:
        series.update([(t, 1.0) for t in range(count, count + 100)])
    else:
        series.update([(t, chance.random()) for t in range(10_000)])


def sample(service: Service, load: Load, begun: float) -> Sample:
    waits, errors = load.taken()
    process = Path("/proc") / str(service.worker)
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        round(time.monotonic() - begun, 1),
        len(waits),
        errors,
        round(int(status["VmRSS"].split()[0]) / 1024, 1),
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
        round(1000 * percentile(waits, 0.5), 2) if waits else 0.0,
        round(1000 * percentile(waits, 0.99), 2) if waits else 0.0,
    )


#: The pictures: a column, and what it shows.
PICTURES = {
    "memory": "Memory of the service in MB",
    "files": "Open files of the service",
    "median": "Median of the calls' time in ms",
    "p99": "99th percentile of the calls' time in ms",
}


def draw(samples: list[Sample], out: Path) -> None:
    for column, label in PICTURES.items():
        points = [(one.seconds, float(getattr(one, column))) for one in samples]
        (out / f"soak-{column}.svg").write_text(svg_chart(points, label) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--every", type=float, default=10)
    parser.add_argument("--rate", type=float, default=50, help="calls a second")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        soak(Path(home), options)


def soak(home: Path, options: argparse.Namespace) -> None:
    service = Service(home)
    config = json.loads((home / "config/timetric/config.json").read_text())
    load = Load(config, options.clients, options.rate)
    begun, samples = time.monotonic(), list[Sample]()
    with open(options.out / "soak.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(Sample._fields)
        while time.monotonic() - begun < options.seconds:
            time.sleep(options.every)
            samples.append(sample(service, load, begun))
            rows.writerow(samples[-1])
            file.flush()
    load.end()
    service.kill()
    draw(samples, options.out)
    first, last = samples[len(samples) // 10], samples[-1]
    print(f"{sum(one.calls for one in samples)} calls, {sum(one.errors for one in samples)} errors")
    print(f"a tenth in: {first}\nat the end: {last}")


if __name__ == "__main__":
    main()
