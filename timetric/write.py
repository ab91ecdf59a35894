"""A write as it will be sent, with the key by which the service knows its repeats.

Everything a repeat needs is in the fields, which are plain texts and bytes (or a file): what is
kept of them on disk and made into a Write again is the same write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from timetric.oauth1 import FORM
from timetric.points import Value, format_value
from timetric.receipt import Receipt, from_headers
from timetric.request import Body

if TYPE_CHECKING:
    from timetric.client import TimetricClient

#: Names and texts of a query or form, in their order.
Pairs = Iterable[tuple[str, str]]


def new_key() -> str:
    """A random Idempotency-Key: 22 URL-safe characters, the first a letter or digit."""
    import secrets

    while not (key := secrets.token_urlsafe(16))[0].isalnum():
        pass
    return key


@dataclass(frozen=True)
class Write:
    """One write. ``path`` is relative to the client's URL, with its query: ``series/ID/?...``.

    ``body`` is bytes, or a seekable binary file that is sent from its start and stays open for as
    long as the write may be repeated. The repr leaves the body out.
    """

    method: str
    path: str
    body: Body = field(default=b"", repr=False)
    content_type: str | None = None
    key: str = field(default_factory=new_key)

    def send(self, client: TimetricClient) -> Receipt:
        """Do the write, or learn that it has been done: the service does it once for its key."""
        headers = {"idempotency-key": self.key}
        reply, _ = client.request(
            self.method, self.path, self.body, self.content_type, headers=headers
        )
        return from_headers(reply)


def series_path(id: str, query: Pairs = ()) -> str:
    """The path of a series, relative to the client's URL, with a query."""
    text = urlencode(list(query))
    return f"series/{id}/?{text}" if text else f"series/{id}/"


def value_write(id: str, value: Value, query: Pairs = (), at: str | None = None) -> Write:
    """A single value, stamped ``at`` this text of a timestamp, else with the service's now."""
    stamp = [] if at is None else [("timestamp", at)]
    return _form(id, [("value", format_value(value)), *stamp], query)


def increment_write(id: str, amount: float) -> Write:
    """An addition to the latest value."""
    return _form(id, [("increment", format_value(amount))])


def _form(id: str, fields: Pairs, query: Pairs = ()) -> Write:
    return Write("POST", series_path(id, query), urlencode(list(fields)).encode("ascii"), FORM)
