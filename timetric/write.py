"""A write as it will be sent, with the key by which the service knows its repeats.

Everything a repeat needs is in the fields, which are plain texts and bytes (or a file): what is
kept of them on disk and made into a Write again is the same write.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import simplejson

from timetric.exceptions import (
    BadReply,
    BadRequest,
    InvalidPoint,
    NotFound,
    TimetricClientError,
    WriteInDoubt,
)
from timetric.holding import held, watched
from timetric.oauth1 import FORM
from timetric.points import Value, format_value, to_value
from timetric.progress import Progress
from timetric.receipt import Receipt, from_document, from_headers
from timetric.repeat import KEY, is_silent
from timetric.request import Body
from timetric.timestamps import format_timestamp, shown, to_timestamp

if TYPE_CHECKING:
    from timetric.client import TimetricClient

#: Names and texts of a query or form, in their order.
Pairs = Iterable[tuple[str, str]]

T = TypeVar("T")


def new_key() -> str:
    """A random Idempotency-Key: 22 URL-safe characters, the first a letter or digit."""
    while not (key := urlsafe_b64encode(os.urandom(16))[:22].decode("ascii"))[0].isalnum():
        pass
    return key


@dataclass(frozen=True)
class Keyed(Generic[T]):
    """A request that is done once, whose answer is a T.

    ``path`` is relative to the client's URL, with its query: ``series/ID/?...``. ``body`` is bytes,
    or a seekable binary file that is sent from its start. The repr leaves the body out.
    """

    method: str
    path: str
    body: Body = field(default=b"", repr=False)
    content_type: str | None = None
    key: str = field(default_factory=new_key)

    def send(self, client: TimetricClient, progress: Progress = None, *, again: bool = False) -> T:
        """Do it, or learn that it has been done: the service does it once for its key.

        ``again`` says that it may have been sent before. ``progress`` is of the bytes that are
        sent. Raises WriteInDoubt where it may have been done and no answer says so, and the
        request's errors where it was not.
        """
        with watched(self.body, progress) as body:
            try:
                reply, _ = client.request(
                    self.method, self.path, body, self.content_type, headers={KEY: self.key}
                )
                return self._answer(client, reply)
            except TimetricClientError as error:  # it may have been done all the same
                if not self._is_open(error, again):
                    raise
                raise self._in_doubt(client, error) from error

    def _is_open(self, error: TimetricClientError, again: bool) -> bool:
        """Whether it may have been done."""
        if self._is_dry:
            return False
        return error.perhaps_done or isinstance(error, BadReply) or (again and is_silent(error))

    def _in_doubt(self, client: TimetricClient, error: TimetricClientError) -> WriteInDoubt:
        return WriteInDoubt(
            f"{self.method} {self._address} was sent and may have been done: {error.detail}",
            write=replace(self, body=held(self.body)),
            client=client,
            status=error.status,
            request_id=error.request_id,
            response=error.response,
        )

    def content(self) -> bytes:
        """The whole body, to be kept elsewhere."""
        if isinstance(self.body, bytes):
            return self.body
        self.body.seek(0)
        return self.body.read()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "body": self.content()}

    def stored(self, client: TimetricClient) -> T | None:
        """What it did, if the service has done it; None where it has not *yet*."""
        try:
            _, body = client.get(f"{self._address}writes/{self.key}/")
        except NotFound:  # which is the answer
            return None
        return self._remembered(client, _document(body))

    @property
    def _address(self) -> str:
        return urlsplit(self.path).path

    @property
    def _is_dry(self) -> bool:
        """Whether it would store nothing anyway."""
        return ("dry_run", "true") in parse_qsl(urlsplit(self.path).query)

    def _answer(self, client: TimetricClient, reply: Mapping[str, str]) -> T:
        """What the headers of the reply say."""
        raise NotImplementedError

    def _remembered(self, client: TimetricClient, document: Mapping[str, Any]) -> T:
        """What the service's memory of it says."""
        raise NotImplementedError


class Write(Keyed[Receipt]):
    """A write to a series."""

    def _answer(self, client: TimetricClient, reply: Mapping[str, str]) -> Receipt:
        return from_headers(reply)

    def _remembered(self, client: TimetricClient, document: Mapping[str, Any]) -> Receipt:
        return from_document(document)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = simplejson.loads(body)
    except (ValueError, RecursionError) as error:  # no JSON
        raise BadReply("the service has a receipt that is no JSON") from error
    return document if isinstance(document, dict) else {}


#: What becomes of a point whose timestamp is taken by another one.
ON_CONFLICT = ("replace", "keep", "error")


def terms(on_conflict: str, dry_run: bool) -> list[tuple[str, str]]:
    """The query of a write that is done on these terms. Raises BadRequest for what is none."""
    if on_conflict not in ON_CONFLICT:
        raise BadRequest(f"on_conflict {shown(on_conflict)} is none of {', '.join(ON_CONFLICT)}")
    if not isinstance(dry_run, bool):
        raise BadRequest(f"dry_run {shown(dry_run)} is neither True nor False")
    asked = [("on_conflict", on_conflict)] if on_conflict != "replace" else []
    return [*asked, ("dry_run", "true")] if dry_run else asked


def series_path(id: str, query: Pairs = ()) -> str:
    """The path of a series, relative to the client's URL, with a query."""
    text = urlencode(list(query))
    return f"series/{id}/?{text}" if text else f"series/{id}/"


def value_write(id: str, value: Value, at: object = None, query: Pairs = ()) -> Write:
    """A single value, stamped ``at`` a caller's time, or with the service's now for None.

    Raises InvalidPoint for what is no time.
    """
    stamp = [] if at is None else [("timestamp", format_timestamp(to_timestamp(at)))]
    return _form(id, [("value", format_value(value)), *stamp], query)


def increment_write(id: str, amount: object) -> Write:
    """An addition to the latest value. Raises InvalidPoint for what is no number."""
    number = to_value(amount)
    if type(number) is not float:
        raise InvalidPoint(f"{shown(amount)} is no amount to add")
    return _form(id, [("increment", format_value(number))])


def _form(id: str, fields: Pairs, query: Pairs = ()) -> Write:
    return Write("POST", series_path(id, query), urlencode(list(fields)).encode("ascii"), FORM)
