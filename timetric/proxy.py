"""The proxy that a request goes through, by the variables that curl and other programs obey.

``HTTP_PROXY`` for ``http`` addresses, ``HTTPS_PROXY`` for ``https``, ``ALL_PROXY`` where there is
neither, and ``NO_PROXY`` for hosts that are asked straight.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from timetric.exceptions import ConfigError
from timetric.incoming import Incoming
from timetric.limits import Countdown
from timetric.request import Head


class Proxy:
    """An HTTP proxy. ``authorization`` is a header's value, or empty."""

    def __init__(self, host: str, port: int, authorization: str = "") -> None:
        self.host = host
        self.port = port
        self.authorization = authorization

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port}"

    def headers(self) -> dict[str, str]:
        return {"proxy-authorization": self.authorization} if self.authorization else {}


class ProxyRefused(OSError):
    """The proxy did not pass a request on, and says so with a ``status`` of its own."""

    def __init__(self, proxy: Proxy, status: int, reason: str) -> None:
        cure = "; are its user and password right in the environment?" if status == 407 else ""
        super().__init__(0, f"{proxy} answered {status} {reason}{cure}")
        self.status = status

    def is_lasting(self) -> bool:
        return self.status < 500


def proxy_for(scheme: str, host: str, port: int, named: Mapping[str, str]) -> Proxy | None:
    """The proxy for an address, if any; ``named`` has the variables, such as ``http`` and ``no``.

    Raises ConfigError where one is named that can't be spoken to.
    """
    url = named.get(scheme) or named.get("all")
    if not url or _is_exempt(host, port, named.get("no", "")):
        return None
    parts = _parts(url)
    if parts is None or parts.scheme.lower() != "http" or not parts.hostname:
        raise ConfigError(
            f"the environment's proxy for {scheme} addresses is not of the form http://host:port, "
            f"the only one that is understood; NO_PROXY={host} does without"
        )
    return Proxy(parts.hostname, parts.port or 80, _authorization(parts))


def open_tunnel(sock: socket.socket, target: str, proxy: Proxy, countdown: Countdown) -> None:
    """Have the proxy connect ``sock`` to ``target`` (RFC 9110, 9.3.6).

    Raises ProxyRefused, OSError, and http.client's HTTPException for what is no HTTP.
    """
    head = Head.of("CONNECT", target, {"host": target, **proxy.headers()})
    sock.settimeout(countdown.step())
    sock.sendall(head)
    incoming: Any = Incoming(sock, countdown)
    with http.client.HTTPResponse(incoming, method="CONNECT") as reply:
        reply.begin()
        if not 200 <= reply.status < 300:
            raise ProxyRefused(proxy, reply.status, reply.reason)


def _parts(url: str) -> SplitResult | None:
    """Of a proxy's address, of which ``http://`` may be left out; None of what is none."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts if parts.port != 0 else None
    except ValueError:  # a port past 65535, an unclosed bracket
        return None


def _authorization(parts: SplitResult) -> str:
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether one of the names, addresses or networks in NO_PROXY is this host's."""
    names = (name.lower() for name in re.split(r"[\s,]+", no_proxy) if name)
    return any(_matches(name, host.lower(), port) for name in names)


def _matches(name: str, host: str, port: int) -> bool:
    """``*`` is any host; a name is its subdomains too, and may have a port."""
    if name == "*" or name.strip("[]") == host:
        return True
    if _contains(name, host):
        return True
    name, _, number = name.rpartition(":") if re.search(r"[^:]:\d+$", name) else (name, "", "")
    if number and int(number) != port:
        return False
    bare = name.strip("[]").lstrip("*").lstrip(".")
    return bool(bare) and (host == bare or host.endswith(f".{bare}"))


def _contains(network: str, host: str) -> bool:
    """Whether ``network``, such as 10.0.0.0/8, has the address ``host``."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a name, on either side
        return False
