"""A finished HTTP request, before it is signed and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Union

#: Bytes, or a seekable binary file of which everything from its start is sent.
Body = Union[bytes, BinaryIO]


@dataclass(frozen=True)
class Request:
    """What an auth strategy signs and the transport sends.

    ``url`` is complete, query included. Header names are lower case. A signed copy is made
    with ``dataclasses.replace``; the repr leaves out headers and body, which may hold secrets.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = field(default=b"", repr=False)
