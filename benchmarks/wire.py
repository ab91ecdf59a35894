"""HTTP as every contender is asked: one kept-alive connection of the standard library's."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import NamedTuple

TIMEOUT = 600  # seconds; only a server that hangs meets it


class Reply(NamedTuple):
    headers: http.client.HTTPMessage
    body: bytes


class Wire:
    """One connection to a server, for one thread."""

    def __init__(self, address: str, headers: Mapping[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        self._headers = dict(headers or {})

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        return self.send("GET", path, headers=headers).body

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request and read the whole reply. Raises RuntimeError where it is no success."""
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path} was answered {response.status}: {text[:500]!r}")
        return Reply(response.headers, text)
