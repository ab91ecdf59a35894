"""Where a browser is sent back to, once its user has decided. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlencode, urlsplit

from timetric.server.site import is_loopback

#: Out of band: the user carries the verifier over by hand.
OOB = "oob"

_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?"
    r"([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]{0,2000})?"
)


def is_callback(url: str) -> bool:
    """Whether it is a URL that can't be mistaken: plain, without credentials, dots and fragment."""
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return not {".", ".."} & set(re.split(r"[/\\]", unquote(parts.path)))


def is_allowed(url: str, registered: str | None) -> bool:
    """Whether an application may ask for it: it is on loopback, or begins with what it registered.

    What follows the beginning is another step of the path or a query.
    """
    if not is_callback(url):
        return False
    parts = urlsplit(url)
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return True
    if registered is None:
        return False
    beginning = registered.rstrip("/")
    return url == beginning or url.startswith((f"{beginning}/", f"{beginning}?"))


def extended(url: str, **parameters: str) -> str:
    """The URL with further parameters in its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def origin(url: str) -> str:
    """Scheme, host and port."""
    return "://".join(urlsplit(url)[:2])


def policy_source(url: str) -> str:
    """The origin as a content security policy names it, which has no IPv6 addresses."""
    return f"{urlsplit(url).scheme}:" if "[" in origin(url) else origin(url)
