"""Replies packed with gzip, for those who take it (RFC 9110, 8.4 and 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache

from falcon import Request, Response
from isal import isal_zlib

#: The types that shrink.
_TEXT = re.compile(r"text/|image/svg\+xml|application/([a-z.]+\+)?(json|xml|javascript)\b")
#: Bytes from which on a text that is there whole is packed.
_LEAST = 1024
_LEVEL = 1  # of 0 to 3; the higher ones make CSV hardly any smaller
_GZIP = isal_zlib.MAX_WBITS | 16  # how zlib is told to write gzip's frame
_WEIGHT = re.compile(r"q=([01](\.\d{0,3})?)")


class Compression:
    """Middleware that packs the text of replies to reads.

    Not what no cache may keep: there may be secrets in it, of which its length would tell.
    """

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        if not is_packed(req, resp.content_type) or "no-store" in _cache_control(resp):
            return
        if resp.get_header("Content-Encoding"):  # it was packed ahead
            return
        if isinstance(resp.stream, Generator):
            resp.stream = _packed(resp.stream)
            resp.set_header("Content-Encoding", "gzip")
        body = resp.render_body()
        if body is not None and len(body) >= _LEAST:
            resp.text, resp.data = None, b"".join(_packed([body]))
            resp.set_header("Content-Encoding", "gzip")


def is_packed(req: Request, media_type: str | None) -> bool:
    """Whether what is read is packed, where it is of that type and long."""
    accepted = req.get_header("Accept-Encoding")
    if accepted is None or media_type is None or req.method not in ("GET", "HEAD"):
        return False
    return _takes_gzip(accepted) and _TEXT.match(media_type) is not None


@lru_cache(maxsize=64)
def _takes_gzip(accepted: str) -> bool:
    weights = dict(map(_weight, accepted.lower().split(",")))
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _weight(element: str) -> tuple[str, float]:
    coding, has_weight, text = element.partition(";")
    weight = _WEIGHT.fullmatch(text.strip())
    return coding.strip(), float(weight[1]) if weight else float(not has_weight)


def _cache_control(resp: Response) -> str:
    return resp.get_header("Cache-Control") or ""


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each piece can be unpacked at once; of a reply that breaks off, gzip's end is missing."""
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(isal_zlib.Z_SYNC_FLUSH)
    yield packer.flush()
