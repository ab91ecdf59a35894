"""A client by itself that iterates over a series, and prints the bytes of memory which that takes.

``python -m benchmarks.walk ID``, with the service and the token in the environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import timetric


def main() -> None:
    with timetric.TimetricClient() as client:
        series = client.series(sys.argv[1])
        series.latest()  # all that a client loads is loaded now
        idle = _kilobytes("VmRSS")
        for _ in series:
            pass
    print(1024 * (_kilobytes("VmHWM") - idle))


def _kilobytes(name: str) -> int:
    """VmRSS is the memory that the process has now, VmHWM the most that it has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1])


if __name__ == "__main__":
    main()
