"""The time of the processors that processes have used: it stays true on a busy machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from benchmarks.server import family

_TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
_TIMES = slice(11, 15)  # utime, stime, cutime and cstime of /proc/PID/stat, behind the name


def used(pid: int) -> float:
    """Seconds of a process and of all under it, those that have ended included."""
    return sum(map(_of_one, family(pid)))


def _of_one(pid: int) -> float:
    with suppress(OSError):  # it has just ended, and its parent has its time
        _, _, fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
        return _TICK * sum(map(int, fields.split()[_TIMES]))
    return 0.0
