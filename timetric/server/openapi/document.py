"""The whole description, as OpenAPI 3.1 has it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from timetric.server.openapi import account, find, oauth, owner, series, service, sharing
from timetric.server.openapi.replies import HEADERS, RESPONSES
from timetric.server.openapi.schemas import SCHEMAS

_ABOUT = """\
A home for time series on the web.

Paths are served with or without their last slash. An address that does not take a method answers
405, with Allow. Errors are problem documents (RFC 9457), and pages for a browser.

Every reply tells Date, Cache-Control and Vary, and X-Content-Type-Options: nosniff. Text is packed,
with Content-Encoding: gzip, for those who take it. Pages have a Content-Security-Policy and a
Referrer-Policy. A reply to a read without credentials of what anybody may read has
Access-Control-Allow-Origin: *.
"""

_SECURITY = {
    "apiToken": {
        "type": "http",
        "scheme": "basic",
        "description": "An API token: its key as the user name, its secret as the password.",
    },
    "oauth1": {
        "type": "http",
        "scheme": "OAuth",
        "description": "OAuth 1.0a (RFC 5849), signed by HMAC-SHA1 or HMAC-SHA256. The parameters "
        "stand in the Authorization header, in the query or in an urlencoded form.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "timetric",
        "description": "The session of a browser, for pages only; by https it is __Host-timetric.",
    },
}


@lru_cache(maxsize=8)  # by which name the service is called is the caller's choice
def document(base_url: str, open_signup: bool) -> bytes:
    """The description of the service at that address, as JSON."""
    parts = (
        series.PATHS,
        sharing.PATHS,
        owner.PATHS,
        find.PATHS,
        oauth.PATHS,
        account.PATHS,
        service.PATHS,
    )
    paths = {path: methods for part in parts for path, methods in part.items()}
    if not open_signup:
        paths.pop(account.SIGN_UP)
    description: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Timetric", "version": "2", "description": _ABOUT},
        "servers": [{"url": base_url.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "headers": HEADERS,
            "responses": RESPONSES,
            "securitySchemes": _SECURITY,
        },
    }
    return orjson.dumps(description)
