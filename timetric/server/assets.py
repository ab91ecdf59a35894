"""The files that pages load: a style sheet, a script, an icon.

The address of each holds a part of its SHA-256, so what stands there never changes.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import NamedTuple

import falcon
from falcon import Request, Response

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",  # a licence, which goes with what it is of
}


class Asset(NamedTuple):
    """A file of ``static/`` under the name that its address ends in."""

    address: str
    media_type: str
    data: bytes


def _asset(name: str, data: bytes) -> Asset:
    stem, _, kind = name.rpartition(".")
    return Asset(f"{stem}-{hashlib.sha256(data).hexdigest()[:16]}.{kind}", _TYPES[kind], data)


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
        resp.data, resp.content_type = _AT[name].data, _AT[name].media_type
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
