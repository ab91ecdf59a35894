"""The files that pages load: a style sheet, a script, an icon.

The address of each holds a part of its SHA-256, so what stands there never changes.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import NamedTuple

import falcon
from falcon import Request, Response

from timetric.server.compression import is_packed

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",  # a licence, which goes with what it is of
}


class Asset(NamedTuple):
    """A file of ``static/`` under the name that its address ends in; also packed, once for all."""

    address: str
    media_type: str
    data: bytes
    packed: bytes


def _asset(name: str, data: bytes) -> Asset:
    stem, _, kind = name.rpartition(".")
    address = f"{stem}-{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
    return Asset(address, _TYPES[kind], data, gzip.compress(data, mtime=0))


_ASSETS = {
    path.name: _asset(path.name, path.read_bytes())
    for path in files("timetric.server").joinpath("static").iterdir()
}
_AT = {asset.address: asset for asset in _ASSETS.values()}


def address(name: str) -> str:
    """Where the file of that name is, below the service's own address."""
    return f"static/{_ASSETS[name].address}"


class AssetResource:
    """What stands under /static/."""

    def on_get(self, req: Request, resp: Response, name: str) -> None:
        if name not in _AT:
            raise falcon.HTTPNotFound
        asset = _AT[name]
        resp.data, resp.content_type = asset.data, asset.media_type
        if is_packed(req, asset.media_type):
            resp.data = asset.packed
            resp.set_header("Content-Encoding", "gzip")
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
