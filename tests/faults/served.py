"""The service, with a clock to put back: ``python -m tests.faults.served OFFSET COMMAND...``

OFFSET names a file with the seconds by which its clock differs from the machine's, read each time.
Of the command, which is that of ``timetric serve``, it takes ``--port`` and ``--data``.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from timetric.server import create_app, serve
from timetric.server.storage import open_storage

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def now(offset: Path) -> float:
    return time.time() + float(offset.read_text())


def load(offset: Path, store: str) -> WSGIApplication:
    return create_app(open_storage(store), clock=partial(now, offset))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("offset", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--data")
    options, _ = parser.parse_known_args()
    address = serve.find_address("127.0.0.1", options.port)
    ready = partial(print, f"Listening on http://{address.netloc}/", flush=True)
    serve.run(partial(load, options.offset, options.data), address, None, ready)


if __name__ == "__main__":
    main()
