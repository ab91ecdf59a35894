"""What scripts of other origins may read: what anybody may (CORS, in the Fetch Standard)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Headers = list[tuple[str, str]]

#: Where there is something that anybody may read.
_OPEN = re.compile(r"/(series|search|tags?|embed|oembed|openapi\.json)(/|$)")

_EXPOSED = (
    "Link, ETag, Timetric-Words, Timetric-Version, Request-Id, Retry-After, "
    "RateLimit, RateLimit-Policy"
)

_ANYBODY = ("Access-Control-Allow-Origin", "*")
_READ: Headers = [_ANYBODY, ("Access-Control-Expose-Headers", _EXPOSED)]
_PREFLIGHT: Headers = [
    _ANYBODY,
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "Accept, If-Modified-Since, If-None-Match"),
    ("Access-Control-Max-Age", "86400"),
]


def headers(environ: Mapping[str, Any]) -> Headers:
    """The headers of CORS on the reply to a request, whatever the reply is.

    A request with credentials gets none, so no script reads for somebody what others may not.
    """
    if not _OPEN.match(environ["PATH_INFO"]):
        return []
    method = environ["REQUEST_METHOD"]
    if method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
        return _PREFLIGHT
    is_read = method in ("GET", "HEAD")
    return _READ if is_read and not _has_credentials(environ) else []


def _has_credentials(environ: Mapping[str, Any]) -> bool:
    return "HTTP_AUTHORIZATION" in environ or "oauth_signature=" in environ.get("QUERY_STRING", "")
