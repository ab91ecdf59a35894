"""Where the service is: its address for links, and the one that a signature was made over."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, urlsplit

from falcon import Request, Response

from timetric.server.problem import Problem

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_PORTS = {"http": 80, "https": 443}
#: Headers by which a proxy tells that it asks for somebody else, as WSGI names them.
_PASSED_ON = {f"HTTP_{name}" for name in ("FORWARDED", "VIA", "X_REAL_IP")} | {
    f"HTTP_X_FORWARDED_{name}" for name in ("FOR", "HOST", "PROTO", "PORT", "SERVER")
}
_IN_PATHS = "/:@!$&'()*+,;=~"  # beside letters, digits, "-", "." and "_" (RFC 3986, 3.3)


class Site:
    """Middleware that puts into the context of each request

    - ``base_url``, for links: the service's own address, with a slash at its end;
    - ``scheme``, for signatures: that of the URL the client was given, which a trusted proxy tells;
    - ``address``, of whoever asks, for limits: a trusted proxy tells that too.
    """

    def __init__(
        self, base_url: str | None, hosts: Iterable[str], trust_proxy: Iterable[str] | None
    ) -> None:
        self._base_url = None if base_url is None else _checked_base_url(base_url)
        self._hosts = frozenset(map(_plain_host, hosts))
        self._trusts = trust_proxy is not None
        self._proxies = frozenset(map(_plain_host, trust_proxy or ()))
        self._own_url = lru_cache(maxsize=64)(self._find_own_url)  # the same for nearly all

    def process_request(self, req: Request, resp: Response) -> None:
        base_url = self._base_url or self._own_url(req.scheme, req.get_header("Host") or "")
        req.context.base_url = base_url
        req.context.scheme = base_url.partition(":")[0].lower()
        req.context.address = req.remote_addr
        if self._trusts and self._is_proxy(req.remote_addr):
            _check_forwarded_host(req)
            forwarded = _last(req, "X-Forwarded-Proto").lower()
            req.context.scheme = forwarded if forwarded in _PORTS else req.context.scheme
            req.context.address = self._forwarded_address(req)

    def is_here(self, req: Request) -> bool:
        """Whether a program on this machine asks, and no proxy for somebody else.

        A proxy on this machine looks like such a program unless it says what it is; so where the
        service has an address in the world, it must be one that does (``trust_proxy``).
        """
        if _PASSED_ON & req.env.keys() or not is_loopback(req.remote_addr):
            return False
        asked = _HOST.fullmatch(req.get_header("Host") or "")  # a page's script can't choose it
        if asked is None or not is_loopback(asked["name"]):
            return False
        return self._trusts or self._base_url is None or _is_local(self._base_url)

    def _find_own_url(self, scheme: str, host: str) -> str:
        """The address of the Host header, which any page can make a browser send: so only ours."""
        match = _HOST.fullmatch(host)
        if match and self._is_ours(_plain_host(match["name"])):
            return f"{scheme}://{host}/"
        raise Problem(
            421,
            "The service does not know itself under this Host; start it with --base-url and the "
            "address that the world uses.",
        )

    def _is_ours(self, host: str) -> bool:
        return is_loopback(host) or host in self._hosts

    def _is_proxy(self, address: str) -> bool:
        return is_loopback(address) or _plain_host(address) in self._proxies

    def _forwarded_address(self, req: Request) -> str:
        """The nearest address on the way here that is no trusted proxy's.

        Each proxy adds the one before it; what stands left of a stranger's the stranger wrote.
        """
        address = str(req.remote_addr)
        for element in reversed((req.get_header("X-Forwarded-For") or "").split(",")):
            forwarded = _address(element)
            if forwarded is None:
                break
            address = forwarded
            if not self._is_proxy(address):
                break
        return address


def signed_url(req: Request) -> str:
    """The URL of a request, without its query, as the client signed it.

    The server has decoded the path; it is encoded again as RFC 3986 has it.
    """
    host_and_prefix = req.context.base_url.partition("://")[2].rstrip("/")
    path = req.env["PATH_INFO"].encode("latin-1")
    return f"{req.context.scheme}://{host_and_prefix}{quote(path, safe=_IN_PATHS)}"


def _is_local(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a name or an address, without a port, is this machine itself."""
    host = _plain_host(host)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _address(element: str) -> str | None:
    """The address in an element of X-Forwarded-For, which may have a port."""
    host = element.strip()
    if host.startswith("[") or host.count(":") == 1:
        host = host.strip("[").partition("]")[0] if "]" in host else host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:  # "unknown", or none at all
        return None


def _plain_host(host: str) -> str:
    return host.strip("[]").lower()


def _last(req: Request, header: str) -> str:
    """The last element of a list in a header: what the nearest proxy has added."""
    return (req.get_header(header) or "").rpartition(",")[2].strip()


def _check_forwarded_host(req: Request) -> None:
    forwarded = _last(req, "X-Forwarded-Host").lower()
    if forwarded and forwarded not in _names(req.context.base_url):
        raise Problem(400, "The proxy forwards another host than that of the base URL.")


def _names(base_url: str) -> set[str]:
    """How the host of a URL may be written: a default port can be left out."""
    parts = urlsplit(base_url.lower())
    host = parts.netloc.removesuffix(f":{parts.port}")
    default = parts.port in (None, _PORTS[parts.scheme])
    return {parts.netloc, *({host, f"{host}:{_PORTS[parts.scheme]}"} if default else ())}


def _checked_base_url(base_url: str) -> str:
    """The base URL with one slash at its end. Raises ValueError."""
    parts = urlsplit(base_url)
    known = parts.scheme in ("http", "https") and parts.hostname
    if not known or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the base URL is no http or https address without credentials, query and fragment"
        )
    return base_url.rstrip("/") + "/"
