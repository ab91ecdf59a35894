"""A contender's server as a child process: started, watched, held still and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.wire import Wire

PATIENCE = 60  # seconds that a server gets to start or to end in
AWAKE = (
    0.3  # seconds until all threads run again after a stop; a signal before may go to any of them
)


class Server:
    """A server and the processes under it, which are a process group of their own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def memory(self) -> int:
        """The anonymous memory (RssAnon) of all its processes, in bytes."""
        return sum(_rss_anon(pid) for pid in family(self._process.pid))

    def freeze(self) -> None:
        """Hold it still, so that what it does in the background disturbs nobody's measure."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)


@contextmanager
def serving(
    command: Sequence[str],
    scratch: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A running server; its output goes to ``scratch/output.txt``."""
    with (scratch / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=scratch,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(process)
        try:  # whatever a measure does, no server is left behind
            _wait(process, is_ready, scratch)
            yield server
        finally:
            _end(server, process)


def answers(address: str, path: str) -> bool:
    """Whether a GET there succeeds."""
    with suppress(OSError, RuntimeError):  # not yet listening, or not yet ready
        Wire(address).get(path)
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], scratch: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not is_ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server did not start; {scratch}/output.txt may say why")
        time.sleep(0.1)


def _end(server: Server, process: subprocess.Popen[bytes]) -> None:
    server.thaw()
    time.sleep(AWAKE)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:  # told, and all of it ended all the same
        os.killpg(process.pid, signal.SIGKILL)
        raise


def family(pid: int) -> Iterator[int]:
    """A process and all under it."""
    yield pid
    with suppress(OSError):  # it has just ended
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from family(int(child))


def _rss_anon(pid: int) -> int:
    with suppress(OSError):  # it has just ended
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
