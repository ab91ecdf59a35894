"""Pages of points as a service sends them: 16 bytes a point, or CSV where it knows no better."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from timetric.exceptions import BadReply, InvalidPoint, Rewritten, TimetricClientError
from timetric.points import Point, parse_csv, parse_line
from timetric.records import RECORD, RECORDS, last_timestamp, parse_records, some_records
from timetric.request import Cut

if TYPE_CHECKING:
    from timetric.client import TimetricClient

#: Points that a request asks for: 1 MB of records, some 2 MB of CSV.
LIMIT = 1 << 16

#: gzip makes records hardly smaller, and takes longer than a network near by.
_ASKED = {"accept": f"{RECORDS}, text/csv;q=0.5", "accept-encoding": "identity"}

_LINE = 200  # bytes in which the last line of CSV ends

#: What a service without the 16-byte form answers.
_UNKNOWN = (404, 406)

_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_TAG = re.compile(r'(?:W/)?"[0-9]+\.([0-9]+)-')


def _ends(body: bytes, most: int) -> bytes:
    """The first line of CSV and the last: finding more would take long."""
    text = body.strip()
    first, last = text.partition(b"\n")[0], text.rpartition(b"\n")[2]
    return text if first == last else b"%b\n%b\n" % (first, last)


class Page(NamedTuple):
    """Some points as they came, how they are read, and the query for those after them, or ""."""

    body: bytes
    parse: Callable[[bytes], Iterator[Point]]
    size: int
    following: str
    choose: Callable[[bytes, int], bytes] = _ends
    packed: bool = False  # whether the body is of whole records

    def points(self) -> Iterator[Point]:
        """Raises BadReply where they are none."""
        return self.parse(self.body)

    def some(self, most: int) -> list[Point]:
        """About so many of them or fewer, the first and the last among them."""
        return list(self.parse(self.choose(self.body, most)))


#: What gets the page that a query asks for.
Read = Callable[[str], Page]


class Source:
    """Where the pages of one reading come from, all of the same history; for a thread at a time.

    Raises Rewritten once the series is no longer the one that the first page was of.
    """

    def __init__(self, client: TimetricClient, url: str) -> None:
        self._client = client
        self._url = url
        self._generation = ""

    def read(self, query: str) -> Page:
        """A page as records, or as CSV from a service that has no records."""
        if not self._client.reads_records:
            return self._read_checked_csv(query)
        try:
            return self.read_records(query)
        except TimetricClientError as error:  # perhaps it only does not know the form
            if error.status not in _UNKNOWN or "order=" in query:
                raise
        page = self._read_checked_csv(query)
        self._client.reads_records = False
        return page

    def read_csv(self, query: str) -> Page:
        """A page as CSV."""
        reply, body = self._client.get(f"{self._url}csv/unix.csv?{query}")
        self._check(reply)
        return _csv_page(reply, body)

    def read_records(self, query: str) -> Page:
        """A page as records; one that breaks off goes on after the last point that came."""
        came = _Came(f"{self._url}points/", query, self._check)
        while True:
            reply, body = self._client.request("GET", came.rest, headers=_ASKED, resume=came.cut)
            if _media_type(reply) == "text/csv" and not came.parts:  # a service may prefer that
                self._check(reply)
                return _csv_page(reply, body)
            if came.take(reply, body):
                return came.page(_next_query(reply))

    def read_buckets(self, query: str) -> Page:
        """A page of buckets as records. One that breaks off is asked for again: buckets have no
        rest that could be asked for by a time.
        """
        came = _Came(f"{self._url}points/", query, self._check)
        reply, body = self._client.request("GET", came.rest, headers=_ASKED)
        if not came.take(reply, body):
            raise BadReply(f"{self._url} answered with buckets that end in the middle of one")
        return came.page(_next_query(reply))

    def _read_checked_csv(self, query: str) -> Page:
        """So old a service may not know the bounds of a window, and send what lies outside."""
        page = self.read_csv(query)
        if "start=" not in query and "end=" not in query:
            return page
        return page._replace(parse=partial(_parse_within, query))

    def _check(self, headers: Mapping[str, str]) -> None:
        found = _TAG.match(headers.get("etag", ""))
        generation = found[1] if found else self._generation
        self._generation = self._generation or generation
        if generation != self._generation:
            raise Rewritten(
                f"{self._url} was rewritten or cleared while it was read: what came so far is of "
                "a history that is gone, so read it again"
            )


class _Came:
    """The records of a page, in however many replies they come."""

    def __init__(self, url: str, query: str, check: Callable[[Mapping[str, str]], None]) -> None:
        self.parts: list[bytes] = []
        self._url = url
        self._query = query
        self._check = check
        self._numeric = True

    @property
    def rest(self) -> str:
        """The URL for what has not come yet."""
        if not self.parts:
            return f"{self._url}?{self._query}"
        fields = dict(parse_qsl(self._query))
        bound = "end" if fields.get("order") == "desc" else "after"
        fields[bound] = repr(last_timestamp(self.parts[-1]))
        return f"{self._url}?{urlencode(fields)}"

    def cut(self, cut: Cut) -> str:
        """Keep what came of a reply that broke off; the URL for the rest."""
        if _media_type(cut.headers) == RECORDS:
            self._keep(cut.headers, cut.body)
        return self.rest

    def take(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Keep a reply; whether it is whole. A service shows by a part of a record that it is not.

        Raises BadReply where that is all that came, and for anything but records.
        """
        if _media_type(headers) != RECORDS:
            raise BadReply(f"{self._url} did not answer with points; is it a timetric service?")
        self._keep(headers, body)
        if 0 < len(body) < RECORD:
            raise BadReply(f"{self._url} answered with points that end in the middle of one")
        return len(body) % RECORD == 0

    def _keep(self, headers: Mapping[str, str], body: bytes) -> None:
        self._check(headers)
        self._numeric &= headers.get("timetric-words") == "no"
        whole = len(body) // RECORD * RECORD
        if whole:
            self.parts.append(body if whole == len(body) else body[:whole])

    def page(self, following: str) -> Page:
        body = b"".join(self.parts)
        parse = partial(parse_records, numeric=self._numeric)
        return Page(body, parse, len(body) // RECORD, following, some_records, packed=True)


def whole_csv(body: bytes) -> bytes:
    """Itself. Raises BadReply where a service shows by its last line that there should be more."""
    try:
        parse_line(body[-_LINE:].rstrip(b"\n").rpartition(b"\n")[2], body.count(b"\n"))
    except InvalidPoint as error:  # the service's fault, not the caller's
        raise BadReply(f"the service sent CSV that is not whole: {error}") from error
    return body


def _csv_page(reply: Mapping[str, str], body: bytes) -> Page:
    whole_csv(body)
    return Page(body, _parse_csv, body.count(b"\n"), _next_query(reply))


def _parse_csv(body: bytes) -> Iterator[Point]:
    try:
        yield from parse_csv(body)
    except InvalidPoint as error:  # the service's fault, not the caller's
        raise BadReply(f"the service sent CSV that is none: {error}") from error


def _parse_within(query: str, body: bytes) -> Iterator[Point]:
    bounds = dict(parse_qsl(query))
    start, end = float(bounds.get("start", "-inf")), float(bounds.get("end", "inf"))
    for point in _parse_csv(body):
        if not start <= point[0] < end:
            raise BadReply("the service sent points outside the window: it is too old to know one")
        yield point


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _next_query(reply: Mapping[str, str]) -> str:
    """The query of the next page (RFC 8288), or "". Only the query: the host stays our own."""
    found = _NEXT.search(reply.get("link", ""))
    return urlsplit(found[1]).query if found else ""
