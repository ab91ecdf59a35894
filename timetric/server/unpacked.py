"""A body that was packed by gzip, read piece by piece as what it is unpacked."""

from __future__ import annotations

import gzip
import zlib
from typing import BinaryIO

from timetric.server.problem import Problem

_SHORT = "The packed body ends too early."


class Unpacked:
    """A file to read from, of at most ``limit`` bytes."""

    def __init__(self, packed: BinaryIO, limit: int) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._limit = limit
        if not packed.read(1):  # which GzipFile would take
            raise Problem(400, _SHORT)
        packed.seek(0)

    def read(self, size: int) -> bytes:
        """At most so many bytes, at least one before the end. Raises Problem."""
        try:
            piece = self._file.read(size)
        except EOFError as error:
            raise Problem(400, _SHORT) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise Problem(400, f"The body is not what gzip writes: {error}.") from error
        if self._file.tell() > self._limit:
            raise Problem(413, f"Unpacked, the body has more than {self._limit} bytes.")
        return piece
