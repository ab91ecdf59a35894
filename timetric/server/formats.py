"""The forms in which points are sent: CSV, JSON, 16 bytes a point, Arrow. Pure.

A reply that breaks off must show it: a server may end it as if it were whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import orjson

from timetric.server.columns import Columns, is_word, to_points, write_csv


class Format(NamedTuple):
    """A form of points.

    ``name`` stands in ETags. ``broken`` is what is sent after some pieces when no more can come;
    no reader takes what came before it for all.
    """

    name: str
    media_type: str
    write: Callable[[Iterable[Columns]], Iterator[bytes]]
    broken: bytes


def _write_csv(pieces: Iterable[Columns], *, iso: bool) -> Iterator[bytes]:
    return (write_csv(piece, iso=iso) for piece in pieces)


def _write_json(pieces: Iterable[Columns]) -> Iterator[bytes]:
    yield b'{"points": ['
    separator = b""
    for piece in pieces:
        if len(piece.t):
            yield separator + _json_rows(piece)
            separator = b","
    yield b"]}"


def _json_rows(columns: Columns) -> bytes:
    """``[t, v],[t, v]``"""
    odd = columns.v[np.isnan(columns.v)]
    if is_word(odd, None).all():  # as orjson writes each NaN
        table = np.column_stack(columns)
        return orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    return orjson.dumps(list(to_points(columns)))[1:-1]


def _write_binary(pieces: Iterable[Columns]) -> Iterator[bytes]:
    return (np.column_stack(piece).astype("<f8", copy=False).tobytes() for piece in pieces)


def _write_arrow(pieces: Iterable[Columns]) -> Iterator[bytes]:
    """Arrow's streaming format: a schema, record batches, an end."""
    import pyarrow  # 50 MB and a fifth of a second, and few ask for it

    schema = pyarrow.schema([(name, pyarrow.float64()) for name in ("timestamp", "value")])
    yield schema.serialize().to_pybytes()
    for piece in pieces:
        batch = pyarrow.record_batch(_arrow_columns(piece, pyarrow.array), schema=schema)
        yield batch.serialize().to_pybytes()
    yield b"\xff\xff\xff\xff\0\0\0\0"


def _arrow_columns(columns: Columns, array: Callable[..., Any]) -> list[Any]:
    """Words: null is null, true and false are 1 and 0."""
    t, v = columns
    numbers = np.where(is_word(v, True), 1.0, np.where(is_word(v, False), 0.0, v))
    return [array(np.ascontiguousarray(t)), array(numbers, mask=is_word(v, None))]


CSV = Format(
    "csv",
    "text/csv; charset=utf-8",
    partial(_write_csv, iso=False),
    b"unfinished: the rest can not be read\n",
)
ISO_CSV = CSV._replace(name="iso", write=partial(_write_csv, iso=True))
#: It is broken when it is not closed.
JSON = Format("json", "application/json", _write_json, b"")
#: It is broken when its length is no multiple of 16.
BINARY = Format("points", "application/vnd.timetric.points", _write_binary, b"\0")
#: It is broken when a message that was begun does not follow.
ARROW = Format(
    "arrow", "application/vnd.apache.arrow.stream", _write_arrow, b"\xff\xff\xff\xff\x10\0\0\0"
)

#: Those to choose from, by media type; the first is for who does not mind.
FORMATS = {
    form.media_type: form
    for form in (CSV, JSON, BINARY, *([ARROW] if find_spec("pyarrow") else []))
}
