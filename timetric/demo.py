"""``timetric demo``: the main job, line by line, against a service of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timetric.exceptions import TimetricClientError

SESSION = """\
import datetime, importlib.resources, io, itertools
import timetric
client = timetric.TimetricClient()
weekly = importlib.resources.files("timetric") / "data" / "co2-mauna-loa-weekly.csv"
co2 = client.create_series(weekly.open("rb"), title="CO2 at Mauna Loa", caption="ppm, weekly")
co2.latest()
for point in itertools.islice(co2, 3): print(point)
len(list(co2))
co2.update([("2002-01-05", 371.8), (datetime.date(2002, 1, 12), 372.1)])  # pairs
co2.update(io.StringIO("2002-01-19T00:00:00,372.4\\n"))  # an open file of CSV
co2.latest()
co2.update(372.6)  # a value, stamped now
float(co2)
len(list(co2))
co2.rewrite([("2002-01-05", 371.8), ("2002-01-12", None)])  # instead of all there was
print(co2.csv())
co2.delete()  # clears the data; the series and its URL stay
list(co2)
""".splitlines()

NEXT = """
That was a service of its own, gone by now. To start one that stays:
    timetric serve
and then, in Python: timetric.TimetricClient()"""

_START = 10  # seconds the service may take to start, usually well under one


class DemoFailed(Exception):
    """A step did not work; the text says which, and why, in one line."""


def run() -> None:
    """Run the session, printing each line and its answer. Raises DemoFailed."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _leave)  # by the way that cleans up
    with tempfile.TemporaryDirectory(prefix="timetric-demo-") as directory:
        _forget_configs(Path(directory))
        with _service(Path(directory)) as url:
            print(f"# a service at {url}, its data in {directory}")
            _run_session()
    print(NEXT)


def _leave(number: int, _: Any) -> None:
    sys.exit(128 + number)


def _forget_configs(directory: Path) -> None:
    """Point this process and its child at a config of the demo's own, not at the user's."""
    for name in [name for name in os.environ if name.startswith("TIMETRIC_")]:
        del os.environ[name]
    os.environ["TIMETRIC_CONFIG"] = str(directory / "config.json")


@contextmanager
def _service(directory: Path) -> Iterator[str]:
    """A service in a child process, on a free port; its URL."""
    command = [sys.executable, "-m", "timetric", "serve"]
    command += ["--data", str(directory / "data"), "--port", "0"]
    # the child runs in the empty directory, so that no module of the user's is in its way
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    with open(directory / "errors.txt", "w+b") as errors:
        child = subprocess.Popen(  # noqa: S603 this very program
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:  # the child must not outlive the demo
            yield _url(child, errors)
        finally:
            child.terminate()
            child.communicate()


def _url(child: subprocess.Popen[str], errors: Any) -> str:
    """The service's URL, once it listens. Raises DemoFailed."""
    late = threading.Timer(_START, child.kill)
    late.daemon = True  # the demo may be ended while it waits
    late.start()
    assert child.stdout is not None
    line = child.stdout.readline()
    late.cancel()
    if not line:
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"it was not ready within {_START} s"
        raise DemoFailed(f"the demo's service did not start: {reason}")
    return line.split()[-1]


def _run_session() -> None:
    names: dict[str, Any] = {}
    for line in SESSION:
        print(">>>", line)
        try:
            exec(compile(line + "\n", "<demo>", "single"), names)  # noqa: S102 prints, as a shell
        except (TimetricClientError, OSError) as error:
            raise DemoFailed(f"{line!r} failed: {error}") from error
