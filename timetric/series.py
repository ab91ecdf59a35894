"""A series: a light handle on one quantity over time at its own URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import simplejson

from timetric.exceptions import BadReply, InvalidPoint
from timetric.points import Point, format_value, parse_csv, to_value
from timetric.timestamps import shown
from timetric.upload import csv_file, is_file

if TYPE_CHECKING:
    from timetric.client import TimetricClient

_PAGE = 50_000  # points a request of an iteration asks for, about 2 MB
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


class Series:
    """One series of a service, by its ID. Made by a client; making one asks nothing.

    Timestamps are Unix seconds, UTC; values are floats, None, True or False. Each method that
    talks to the service raises an error under TimetricClientError when it has not done all.
    """

    def __init__(self, client: TimetricClient, id: str) -> None:
        self.client = client
        self.id = id
        #: The address of the series' page, and the root of its other addresses.
        self.url = f"{client.url}series/{id}/"

    def __repr__(self) -> str:
        return f"<timetric.Series {self.id!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def within(self, deadline: float | None = None, **limits: Any) -> Series:
        """This series with other limits, as of TimetricClient.within: ``s.within(2).latest()``."""
        other = copy(self)
        other.client = self.client.within(deadline, **limits)
        return other

    # reading

    def latest(self) -> Point | tuple[None, None]:
        """The latest point ``(timestamp, value)``; ``(None, None)`` of an empty series."""
        _, body = self.client.get(self.url + "value/json/")
        try:
            latest = simplejson.loads(body)
            timestamp, value = latest["timestamp"], latest["value"]
        except (ValueError, RecursionError, TypeError, LookupError) as error:  # not our JSON
            raise BadReply(f"{self.url}value/json/ did not answer with a point") from error
        return (None, None) if timestamp is None else (float(timestamp), to_value(value))

    def __iter__(self) -> Iterator[Point]:
        """Every point, oldest first. Fetched page by page, so memory stays bounded.

        A point written meanwhile behind the place that has been reached is not seen.
        """
        query = f"limit={_PAGE}"
        while query:
            reply, body = self.client.get(f"{self.url}csv/unix.csv?{query}")
            yield from _points(body)
            query = _next_query(reply.get("link", ""))

    def csv(self) -> str:
        """The whole history as CSV text, ``timestamp,value`` a line, oldest first."""
        _, body = self.client.get(self.url + "csv/")
        return body.decode("utf-8")

    def __float__(self) -> float:
        """The latest value. Raises ValueError (InvalidPoint) where it is no number."""
        value = self.latest()[1]
        if value is None:
            raise InvalidPoint(f"the series {self.id} has no latest number")
        return float(value)

    def __int__(self) -> int:
        """The latest value, its fraction cut off."""
        return int(float(self))

    # writing

    def update(self, data: object) -> None:
        """Add to the series; a point at a timestamp that exists replaces it.

        ``data`` is one value, stamped now by the service; or pairs of a timestamp (a number, a
        datetime, a date, or a date string; without a zone it is UTC) and a value; or an open
        file of CSV, text or binary, sent as it is from where it stands.

        Raises InvalidPoint naming the item that can't be taken, before anything is sent, and
        BadRequest naming the line of a file that the service refuses; nothing is stored then.
        """
        if _is_single(data):
            self.client.post(self.url, {"value": format_value(to_value(data))})
            return
        with csv_file(data) as body:
            self.client.request("POST", self.url, body, "text/csv")

    def increment(self, amount: float) -> None:
        """Add ``amount`` to the latest value, as one step of the service's; from 0 when empty.

        Raises Conflict where the latest value is no number.
        """
        number = to_value(amount)
        if type(number) is not float:
            raise InvalidPoint(f"{shown(amount)} is no amount to add")
        self.client.post(self.url, {"increment": format_value(number)})

    def __iadd__(self, amount: float) -> Series:
        """``series += 1``: the same as increment."""
        self.increment(amount)
        return self

    def __isub__(self, amount: float) -> Series:
        """``series -= 1``: an increment by the negative amount."""
        self.increment(-amount)
        return self

    def rewrite(self, data: object) -> None:
        """Put pairs or a file of CSV in the place of the whole history; ``[]`` leaves it empty."""
        with csv_file(data) as body:
            self.client.put(self.url, body, "text/csv")

    def delete(self) -> None:
        """Clear all the data out of the series. The series stays, with its metadata and URL."""
        self.client.delete(self.url)


def _is_single(data: object) -> bool:
    return not (is_file(data) or isinstance(data, (str, bytes, Iterable)))


def _points(body: bytes) -> Iterator[Point]:
    try:
        yield from parse_csv(body)
    except InvalidPoint as error:  # the service's fault, not the caller's
        raise BadReply(f"the service sent CSV that is none: {error}") from error


def _next_query(link: str) -> str:
    """The query of the next page (RFC 8288), or "". Only the query: the host stays our own."""
    found = _NEXT.search(link)
    return urlsplit(found[1]).query if found else ""
