"""A series: a light handle on one quantity over time at its own URL."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Optional

import simplejson

from timetric.bulk import send_points
from timetric.duration import Duration, back
from timetric.exceptions import BadReply, BadRequest, InvalidPoint
from timetric.metadata import Told, as_patch, checked, from_item
from timetric.pages import Page
from timetric.points import Point, to_value
from timetric.progress import Progress
from timetric.receipt import Receipt
from timetric.seen import Seen
from timetric.timestamps import format_timestamp
from timetric.upload import is_file
from timetric.window import Nothing, Window, moment
from timetric.write import Write, increment_write, series_path, terms, value_write

if TYPE_CHECKING:
    from timetric.client import TimetricClient

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Series(Window):
    """One series of a service, by its ID. Made by a client; making one asks nothing.

    It reads as the window on all of its points.

    Timestamps are Unix seconds, UTC; values are floats, None, True or False. Each method that
    talks to the service raises an error under TimetricClientError when it has not done all.
    """

    title = Told[str]()
    caption = Told[str]()
    description = Told[str]()
    tags = Told[tuple[str, ...]]()
    unit = Told[str]()
    source = Told[str]()
    source_url = Told[str]()
    latitude = Told[Optional[float]]()
    longitude = Told[Optional[float]]()
    public = Told[bool]()
    slug = Told[Optional[str]]()
    owner = Told[str]()
    created = Told[float]()
    updated = Told[float]()

    def __init__(self, client: TimetricClient, id: str, about: Mapping[str, Any] = _NOTHING):
        super().__init__(client, f"{client.url}series/{id}/")
        self.id = id
        #: What is known of its metadata, by name; see describe.
        self.about = about
        self._seen = Seen()

    def __repr__(self) -> str:
        """What was last read through this handle; before that what it is. Asks nothing."""
        from timetric.line import line  # so that importing timetric stays quick

        return line(self, self._seen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def within(self, deadline: float | None = None, **limits: Any) -> Series:
        """This series with other limits, as of TimetricClient.within.

        >>> series.within(2).latest()
        (1708041600.0, 14.0)
        """
        other = copy(self)
        other.client = self.client.within(deadline, **limits)
        return other

    def describe(self, **changes: Any) -> Mapping[str, Any]:
        """Change what the series says of itself.

        >>> series.describe(unit="MW", tags=["energy"])["unit"]
        'MW'

        The fields are those of TimetricClient.create_series; None or "" clears one. Returns all
        that then holds, by name; the attributes of this handle (``series.title``) say the same
        from then on. Without changes it is asked for anew.

        Raises BadRequest for what can't be taken, most of it before anything is sent; Conflict
        where another series of one's own has the slug. Nothing is changed then.
        """
        if not changes:
            item = self._json("metadata/", {})
        else:
            patch = simplejson.dumps(as_patch(checked(changes))).encode("ascii")
            item = self._loaded(
                "metadata/",
                self.client.request(
                    "PATCH", self.url + "metadata/", patch, "application/merge-patch+json"
                )[1],
            )
        self.about = from_item(item)
        self._seen.item(item)
        return self.about

    # reading

    def __getitem__(self, span: slice) -> Window:
        """The points from a time on and *before* another.

        >>> list(series["2024":"2024-02"])
        [(1705276800.0, 10.0)]

        Times are as update takes them; ``"2024"`` and ``"2024-06"`` are the first instant of the
        year and of the month. Raises InvalidPoint for what is no time, and TypeError for anything
        but a slice of two times.
        """
        if not isinstance(span, slice):
            raise TypeError("a series is sliced by times; for the point at one there is at()")
        if span.step is not None:
            raise TypeError("a slice of a series takes no step; for buckets there is resample()")
        part = Window(self.client, self.url, span.start, span.stop)
        part._series = self
        return part

    def last(self, duration: Duration) -> Window:
        """The points of the time up to now: of a text such as "2w", or a timedelta.

        >>> list(series.last("2w"))  # the latest point is of 2024
        []

        A text is a whole number and one of s, min, h, d, w, mo, q, y; months go by the calendar
        of UTC. Now is the moment of this call, by this machine's clock; points that are stamped
        later belong to it too. Raises BadRequest for what is no duration.
        """
        return self[back(time.time(), duration) :]

    def latest(self) -> Point | Nothing:
        """The latest point ``(timestamp, value)``; ``(None, None)`` of an empty series.

        >>> series.latest()
        (1708041600.0, 14.0)
        """
        point = self._value({})
        self._seen.found(point)
        return point

    def at(self, when: object, side: str = "before") -> Point | Nothing:
        """The point at a time, or else the one next to it.

        >>> series.at("2024-02"), series.at("2024-02", side="after")
        ((1705276800.0, 10.0), (1707955200.0, 12.5))

        ``side`` is "before", "after" or "nearest", where of two equally near the earlier counts.
        ``(None, None)`` where there is none. Raises InvalidPoint for what is no time.
        """
        return self._value({"at": repr(moment(when)), "side": side})

    def count(self) -> int:
        """How many points the series has: one short request, whatever their number.

        >>> series.count()
        3

        There is no ``len()``: ``list(series)`` would ask for it first, at the cost of a request.
        """
        count = self._json("metadata/", {}).get("points")
        if type(count) is not int:
            raise BadReply(f"{self.url}metadata/ did not tell the number of points")
        self._seen.counted(count)
        return count

    def _title(self) -> str:
        return self.title

    def _total(self) -> int:
        return self.count()

    def _value(self, fields: Mapping[str, str]) -> Point | Nothing:
        found = self._json("value/json/", fields)
        try:
            timestamp, value = found["timestamp"], found["value"]
            return (None, None) if timestamp is None else (float(timestamp), to_value(value))
        except (ValueError, TypeError, LookupError) as error:  # JSON of another kind
            raise BadReply(f"{self.url}value/json/ did not answer with a point") from error

    def _json(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        return self._loaded(path, self.client.get(self.url + path, fields)[1])

    def _loaded(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            loaded = simplejson.loads(body)
        except (ValueError, RecursionError) as error:  # no JSON
            raise BadReply(f"{self.url}{path} did not answer with JSON") from error
        return loaded if isinstance(loaded, dict) else {}

    def __float__(self) -> float:
        """The latest value. Raises ValueError (InvalidPoint) where it is no number."""
        value = self.latest()[1]
        if value is None:
            raise InvalidPoint(f"the series {self.id} has no latest number")
        return float(value)

    def __int__(self) -> int:
        """The latest value, its fraction cut off."""
        return int(float(self))

    # looking

    def open(self) -> bool:
        """Open the series' page in the browser; whether there was one to ask.

        >>> series.open()  # doctest: +SKIP
        True
        """
        import webbrowser

        return webbrowser.open(self.url)

    def _describe(self) -> Mapping[str, Any]:
        return self.describe()

    def _saw(self, points: Sequence[Point], gap: float) -> Seen:
        count = self._seen.count
        self._seen.points(points)
        self._seen.count = len(points) if gap == float("inf") else count
        return self._seen

    def _hurried(self, deadline: float) -> Series:
        return self.within(deadline, retries=1)

    def _pages(self) -> Iterator[Page]:
        return self._seen.pages(super()._pages())

    # writing

    def update(
        self,
        data: object,
        *,
        at: object = None,
        on_conflict: str = "replace",
        dry_run: bool = False,
        progress: Progress = None,
    ) -> Receipt:
        """Add to the series. The receipt says what became of each point.

        ``data`` is one value, stamped ``at`` a time or else now by the service; or pairs of a
        timestamp (a number, a datetime, a date, or a date string; without a zone it is UTC) and a
        value; or columns of pandas, polars or NumPy (see docs/client, Frames); or an open
        file of CSV, text or binary, sent as it is from where it stands.

        A point at a timestamp that exists replaces it, or is left out where ``on_conflict`` is
        "keep"; with "error" Conflict is raised, unless they are the same. With ``dry_run`` nothing
        is stored, and the receipt says what would be. ``progress`` is True for a bar (of tqdm's,
        which must be installed), or a function of (done, total) in bytes sent.

        >>> series.update([("2009-03-10", 12), (1236735000, 3.5)]).added
        2

        Raises InvalidPoint naming the item that can't be taken, before anything is sent, and
        BadRequest naming the line of a file that the service refuses; nothing is stored then.
        WriteInDoubt where the answer is lost.
        """
        query = terms(on_conflict, dry_run)
        self._seen.forget()
        if is_single(data):
            return value_write(self.id, to_value(data), at, query).send(self.client)
        if at is not None:
            raise BadRequest(
                "at is for a single value; pairs and files have timestamps of their own"
            )
        return send_points(self.client, "POST", series_path(self.id, query), data, progress)

    def increment(self, amount: float) -> Receipt:
        """Add ``amount`` to the latest value, as one step of the service's; from 0 when empty.

        >>> series.increment(0.5).value
        14.5

        The new value is ``value`` of the receipt. Raises Conflict where the latest value is no
        number, WriteInDoubt where the answer is lost.
        """
        self._seen.forget()
        return increment_write(self.id, amount).send(self.client)

    def __iadd__(self, amount: float) -> Series:
        """``series += 1``: the same as increment."""
        self.increment(amount)
        return self

    def __isub__(self, amount: float) -> Series:
        """``series -= 1``: an increment by the negative amount."""
        self.increment(-amount)
        return self

    def rewrite(self, data: object) -> Receipt:
        """Put pairs or a file of CSV in the place of the whole history; ``[]`` leaves it empty.

        >>> series.rewrite([]).removed
        3

        Raises as update does.
        """
        self._seen.forget()
        return send_points(self.client, "PUT", series_path(self.id), data)

    def delete(self, *, start: object = None, end: object = None) -> Receipt:
        """Clear the data out of the series, or what is at or after ``start`` and before ``end``.

        >>> series.delete(end="2024-02").removed
        1

        The series stays, with its metadata and URL. Raises InvalidPoint for what is no time,
        WriteInDoubt where the answer is lost.
        """
        bounds = {"start": start, "end": end}
        query = [
            (name, format_timestamp(moment(when)))
            for name, when in bounds.items()
            if when is not None
        ]
        self._seen.forget()
        return Write("DELETE", series_path(self.id, query)).send(self.client)

    def remove(self) -> Receipt:
        """Remove the series itself: its data, its metadata and its URL, for good.

        >>> series.remove().removed
        3
        """
        self._seen.forget()
        return Write("DELETE", series_path(self.id, [("series", "true")])).send(self.client)


def is_single(data: object) -> bool:
    """Whether ``update`` takes this for one value."""
    return not (is_file(data) or isinstance(data, (str, bytes, Iterable)))
