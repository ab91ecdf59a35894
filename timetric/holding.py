"""The body of a request while it is sent, and after that: told of, and kept."""

from __future__ import annotations

import io
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from timetric.progress import Progress, meter
from timetric.request import Body

_BYTES = (bytes, bytearray, memoryview)


@contextmanager
def watched(body: Body, progress: Progress) -> Iterator[Body]:
    """The body, of which ``progress`` is told how many bytes are read. Raises as meter does."""
    if isinstance(body, _BYTES) or progress is None or progress is False:
        yield body
        return
    size = body.seek(0, io.SEEK_END)
    with meter(progress, size, "B") as tell:
        yield cast(BinaryIO, _Watched(body, tell))


class _Watched:
    """As much of a file as it takes to send it."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], object]) -> None:
        self._file = file
        self._tell = tell
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._tell(self._file.tell())
        return piece


def held(body: Body) -> Body:
    """The same, which stays open until nobody has it, whoever closes the original."""
    if isinstance(body, _BYTES):
        return body
    if isinstance(body, io.BytesIO):
        return body.getvalue()
    body.flush()
    descriptor = os.dup(body.fileno())
    file = open(descriptor, "rb", closefd=False)  # noqa: SIM115
    weakref.finalize(file, os.close, descriptor)
    return file
