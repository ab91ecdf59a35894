"""A finished HTTP request, before it is signed and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Union

#: Bytes, or a seekable binary file of which everything from its start is sent.
Body = Union[bytes, BinaryIO]

_SECRET = {"authorization", "proxy-authorization", "cookie"}


class Cut(NamedTuple):
    """What had come of a reply (200) that broke off; header names are lower case."""

    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Without what came, which may be a token's secret."""
        return f"<Cut after {len(self.body)} bytes>"


#: Told what had come of a reply, gives the URL at which the rest of it is asked for.
Resume = Callable[[Cut], str]


@dataclass(frozen=True)
class Request:
    """What an auth strategy signs and the transport sends.

    ``url`` is complete, query included. Header names are lower case. A signed copy is made
    with ``dataclasses.replace``; the repr leaves out headers and body, which may hold secrets.
    Where a reply broke off it is asked for again, or where there is a ``resume``, its rest.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = field(default=b"", repr=False)
    resume: Resume | None = field(default=None, repr=False)


class Headers(dict[str, str]):
    """Headers whose repr shows no credentials: tracebacks may show the locals of every frame."""

    def __repr__(self) -> str:
        return repr({name: "***" if name in _SECRET else text for name, text in self.items()})


class Head(bytes):
    """The bytes ahead of a request's body, which are not shown for the same reason."""

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str]) -> Head:
        lines = [f"{method} {target} HTTP/1.1", *map(": ".join, headers.items()), "", ""]
        return cls("\r\n".join(lines), "latin-1")

    def __repr__(self) -> str:
        return f"<Head of {len(self)} bytes>"
