"""The store that a command works on, and what a command needs beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetric.server.keyring import Keyring
    from timetric.server.storage import Storage


class CommandError(Exception):
    """A command can't be done; the text says why, and what to do, in one line."""


def open_keys(storage: Storage, options: argparse.Namespace) -> Keyring:
    from timetric.server.keyring import open_keyring
    from timetric.server.storage import is_url

    return open_keyring(key_file(options), storage, shared=is_url(options.data))


def key_file(options: argparse.Namespace) -> Path:
    """Where the secret key is. Raises CommandError where that has to be said."""
    if options.secret_key_file is None and not isinstance(options.data, Path):
        raise CommandError(
            "a database holds no secret key; name its file with --secret-key-file, the same for "
            "all who use the database: it is made with the first start"
        )
    path: Path = options.secret_key_file or options.data / "secret.key"
    return path


def require_server() -> None:
    """Raises CommandError where the service can't run, for want of the extra or of Python."""
    if sys.version_info < (3, 10):
        raise CommandError("the service needs Python 3.10 or newer; the client alone runs on this")
    try:
        import timetric.server.serve  # noqa: F401
    except ModuleNotFoundError as error:  # the server extra is not installed
        raise CommandError(
            f"the service lacks {error.name}; run: pip install 'timetric[server]'"
        ) from error


@contextmanager
def open_store(
    data: Path | str, durability: str = "full", *, make: bool = True
) -> Iterator[Storage]:
    from timetric.server.storage import StorageError, open_storage

    try:
        with closing(open_storage(data, durability, make=make)) as storage:
            yield storage
    except StorageError as error:
        raise CommandError(str(error)) from error


@contextmanager
def existing_store(data: Path | str) -> Iterator[Storage]:
    """A store that is there: a mistyped --data must not make an empty one."""
    require_server()
    if isinstance(data, Path) and not data.is_dir():
        raise CommandError(
            f"there is no data directory {data}; name the service's with --data, "
            "or make it by starting the service: timetric serve"
        )
    with open_store(data, make=False) as storage:
        yield storage
