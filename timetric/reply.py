"""The body of a reply: read piece by piece, unpacked, bounded.

Loaded with the first request, since http.client is slow to import.
"""

from __future__ import annotations

import http.client
import io
import zlib
from collections.abc import Iterator

from timetric.exceptions import BadReply

_PIECE = 1 << 16  # bytes read, and unpacked, at a time
_GZIP_OR_ZLIB = 47  # zlib's wbits: the longest window, and either header
_RAW_DEFLATE = -15  # what some servers send as deflate, against RFC 9110, 8.4.1.2

PLAIN = ("", "identity")
PACKED = ("gzip", "x-gzip", "deflate")


def read(reply: http.client.HTTPResponse, limit: int, whole: io.BytesIO) -> bytes:
    """The whole body, unpacked. A body that packs well is taken like any other.

    It is put together in ``whole``, where what had come can be found if this raises.

    Raises BadReply where it unpacks to more than ``limit`` bytes, ends in the middle or is packed
    in a way that was not asked for; http.client's IncompleteRead where the connection ended
    early; zlib.error where the packing is damaged.
    """
    coding = (reply.getheader("content-encoding") or "").strip().lower()
    if coding not in PLAIN + PACKED:
        raise BadReply(f"the reply is packed as {coding!r}, which was not asked for")
    pieces = _pieces(reply)
    for piece in pieces if coding in PLAIN else _unpacked(pieces, coding):
        if whole.tell() + len(piece) > limit:
            raise BadReply(f"the reply is larger than {limit} bytes; ask for less at a time")
        whole.write(piece)
    return whole.getvalue()


def _pieces(reply: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := reply.read(_PIECE):
            yield piece
    except http.client.IncompleteRead as error:  # what came of this piece counts as well
        yield error.partial
        chunk = error.__context__  # http.client leaves out what came of a chunk
        yield chunk.partial if isinstance(chunk, http.client.IncompleteRead) else b""
        raise
    if reply.length:  # http.client takes a connection's end for the body's
        raise http.client.IncompleteRead(b"", reply.length)


def _unpacked(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Every member of a gzip file, or a deflate stream; zeros that pad a member are no member."""
    unpacker, padding = None, b""
    for piece in pieces:
        while piece := piece if unpacker else piece.lstrip(padding):
            unpacker = unpacker or zlib.decompressobj(_window(coding, piece))
            yield unpacker.decompress(piece, _PIECE)
            piece = unpacker.unconsumed_tail
            if unpacker.eof:
                piece, unpacker, padding = unpacker.unused_data, None, b"\0"
    if unpacker is None:
        return
    yield unpacker.flush()
    if not unpacker.eof:
        raise BadReply("the reply ends in the middle of its packed body")


def _window(coding: str, start: bytes) -> int:
    raw = coding == "deflate" and start[0] & 0x0F != zlib.DEFLATED
    return _RAW_DEFLATE if raw else _GZIP_OR_ZLIB
