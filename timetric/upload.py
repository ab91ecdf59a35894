"""What is uploaded, as a file that can be sent again whole: points and multipart bodies.

Whatever can't be rewound (pairs, a text file, a pipe, a file read half way) is first written to
a temporary file, so that nothing is sent of data that turns out to be bad, and a retry sends all.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, BinaryIO, cast

from timetric.exceptions import InvalidPoint
from timetric.packing import pack, unpack
from timetric.points import format_csv, to_points
from timetric.records import RECORDS
from timetric.tabular import pack_columns
from timetric.timestamps import shown

_MEMORY = 1 << 20  # bytes kept in memory before a temporary file is used
_PIECE = 1 << 16  # bytes or characters read at a time

CSV = "text/csv"


@contextmanager
def points_file(data: object, *, packed: bool) -> Iterator[tuple[str, BinaryIO]]:
    """The Content-Type and a seekable file, from its start, of a caller's pairs or file.

    Pairs are CSV unless they are wanted ``packed``; a file is CSV. Raises InvalidPoint naming the
    pair that can't be taken.
    """
    if _is_rewindable(data):
        yield CSV, cast(BinaryIO, data)
    elif is_file(data):
        with _spooled(_file_pieces(data)) as file:
            yield CSV, file
    else:
        with _spooled(_pieces(data, packed)) as file:
            yield RECORDS if packed else CSV, file


@contextmanager
def csv_file(data: object) -> Iterator[BinaryIO]:
    """The file alone, which is CSV."""
    with points_file(data, packed=False) as (_, file):
        yield file


@contextmanager
def unpacked_file(file: BinaryIO) -> Iterator[BinaryIO]:
    """CSV of a file of packed points."""
    with _spooled(format_csv(unpack(file))) as spool:
        yield spool


@contextmanager
def _spooled(pieces: Iterable[bytes]) -> Iterator[BinaryIO]:
    with _spool() as spool:
        for piece in pieces:
            spool.write(piece)
        yield cast(BinaryIO, spool)


@contextmanager
def multipart_file(
    fields: Iterable[tuple[str, str]], files: Mapping[str, object]
) -> Iterator[tuple[str, BinaryIO]]:
    """The Content-Type and body of a multipart form (RFC 7578) of text fields and CSV files."""
    boundary = os.urandom(16).hex()
    with _spool() as spool:
        for name, text in fields:
            spool.write(_part(boundary, name) + b"\r\n" + text.encode("utf-8") + b"\r\n")
        for name, data in files.items():
            spool.write(_part(boundary, name, filename=f"{name}.csv"))
            spool.write(b"Content-Type: text/csv\r\n\r\n")
            with csv_file(data) as file:
                file.seek(0)
                spool.writelines(iter(partial(file.read, _PIECE), b""))
            spool.write(b"\r\n")
        spool.write(f"--{boundary}--\r\n".encode())
        yield f"multipart/form-data; boundary={boundary}", cast(BinaryIO, spool)


def _spool() -> IO[bytes]:
    from tempfile import SpooledTemporaryFile  # slow to import

    return SpooledTemporaryFile(max_size=_MEMORY)


def _part(boundary: str, name: str, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n'
    return head.encode("utf-8")


def is_file(data: object) -> bool:
    return callable(getattr(data, "read", None))


def _is_rewindable(data: object) -> bool:
    """A binary file of the standard library's that stands at its start and can go back there."""
    if not isinstance(data, (io.BufferedReader, io.BufferedRandom, io.BytesIO, io.FileIO)):
        return False
    return data.seekable() and data.tell() == 0


def _pieces(data: object, packed: bool) -> Iterable[bytes]:
    columns = pack_columns(data)
    if columns is not None:
        return [columns] if packed else format_csv(unpack(io.BytesIO(columns)))
    items = _items(data)
    return pack(items) if packed else format_csv(to_points(items))


def _items(data: object) -> Iterable[object]:
    if isinstance(data, (str, bytes)) or not isinstance(data, Iterable):
        raise InvalidPoint(
            f"{shown(data)} is no data: give pairs of a timestamp and a value, or an open file"
        )
    return data


def _file_pieces(file: object) -> Iterator[bytes]:
    while piece := file.read(_PIECE):  # type: ignore[attr-defined]
        yield piece.encode("utf-8") if isinstance(piece, str) else piece
