"""A window on a series: the points from one time on and before another."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, overload
from urllib.parse import urlencode

from timetric.pages import LIMIT, Page, Read, Source, whole_csv
from timetric.points import Point
from timetric.progress import Progress, meter
from timetric.timestamps import to_timestamp

if TYPE_CHECKING:
    from timetric.chart import Chart
    from timetric.client import TimetricClient
    from timetric.seen import Seen
    from timetric.series import Series

#: Where there is no point: neither a time nor a value.
Nothing = tuple[None, None]

#: Points of a page that is taken whole into an array: 16 MB, which the service sends as it reads.
#: Buckets it would count before, so a page of them is shorter.
_LARGE, _LARGE_OF_BUCKETS = 1 << 20, 1 << 18

_YEAR_AND_MONTH = re.compile(r"(\d{4})(-\d\d)?", re.ASCII)


def moment(when: object) -> float:
    """A time as ``update`` takes it; of a year or month alone, as text, the start of it.

    >>> moment("1970"), moment("1970-02"), moment(1970)
    (0.0, 2678400.0, 1970.0)

    Raises InvalidPoint.
    """
    found = _YEAR_AND_MONTH.fullmatch(when.strip()) if isinstance(when, str) else None
    return to_timestamp(f"{found[1]}{found[2] or '-01'}-01" if found else when)


class Window:
    """The points of a series with ``start <= timestamp < end``, either of which may be missing.

    Nothing is asked until it is read; each reading asks anew. A series is the window on all of
    its points, and has all of this as well.
    """

    #: The series that this was cut out of, where that is known.
    _series: Series | None = None

    def __init__(
        self, client: TimetricClient, url: str, start: object = None, end: object = None
    ) -> None:
        """Raises InvalidPoint for a bound that is no time."""
        times = {"start": start, "end": end}
        self.client = client
        self.url = url
        self._bounds = {name: repr(moment(t)) for name, t in times.items() if t is not None}

    def __repr__(self) -> str:
        return f"<timetric.Window {self._bounds} of {self.url}>"

    def __iter__(self) -> Iterator[Point]:
        """The points, oldest first. Fetched page by page, so memory stays bounded.

        >>> for timestamp, value in series["2024-02":]:
        ...     print(timestamp, value)
        1707955200.0 12.5
        1708041600.0 14.0

        While the caller works on a page a thread fetches the next one. A point written meanwhile
        behind the place that has been reached is not seen; where the series is rewritten or
        cleared meanwhile, Rewritten is raised.
        """
        return _points(self._pages())

    def __reversed__(self) -> Iterator[Point]:
        """The points, latest first, fetched likewise.

        >>> next(reversed(series))
        (1708041600.0, 14.0)
        """
        return _points(_pages(*reading(self, order="desc")))

    def first(self) -> Point | Nothing:
        """The earliest point; ``(None, None)`` where there is none.

        >>> series.first()
        (1705276800.0, 10.0)
        """
        return self._only()

    def latest(self) -> Point | Nothing:
        """The latest point; ``(None, None)`` where there is none.

        >>> series[:"2024-02"].latest()
        (1705276800.0, 10.0)
        """
        return self._only(order="desc")

    def resample(
        self,
        every: str,
        aggregate: str = "mean",
        *,
        tz: str = "UTC",
        start: object = None,
        end: object = None,
    ) -> Iterator[Point]:
        """What the numbers in each bucket of time come to, stamped with the bucket's start.

        >>> list(series.resample("1mo", "mean", tz="Europe/London"))
        [(1704067200.0, 10.0), (1706745600.0, 13.25)]

        ``every`` is a whole number and one of s, min, h, d, w, mo, q, y, such as "15min"; days
        and longer go by the calendar of ``tz``, an IANA name. ``aggregate`` is mean, min, max,
        sum, count, first or last. A bucket without numbers is left out; one that ``start`` or
        ``end`` cuts counts what is left of it; these take the place of the window's. Fetched page
        by page. Raises BadRequest.
        """
        part = Window(self.client, self.url, start, end)
        part._bounds = {**self._bounds, **part._bounds}
        return _points(_pages(*reading(part, every=every, aggregate=aggregate, tz=tz)))

    def points(self, *, progress: Progress = None) -> Iterator[Point]:
        """The points, oldest first, as iteration gives them; ``progress`` is told page by page.

        >>> max(value for _, value in series.points(progress=print))
        3 3
        14.0

        It is True for a bar by tqdm, or a function of (points done, points in all); the latter is
        None of a part of a series.
        """
        with self._meter(progress) as tell:
            done = 0
            for page in self._pages():
                yield from page.points()
                done += page.size
                tell(done)

    @overload
    def csv(self, *, progress: Progress = None) -> str: ...
    @overload
    def csv(self, stream: IO[Any], *, progress: Progress = None) -> int: ...
    def csv(self, stream: IO[Any] | None = None, *, progress: Progress = None) -> str | int:
        """The points as CSV text, ``timestamp,value`` a line, oldest first.

        >>> series.csv()
        '1705276800.0,10.0\\n1707955200.0,12.5\\n1708041600.0,14.0\\n'

        With ``stream``, an open file of text or of bytes, they are written there page by page, in
        bounded memory; returns how many: ``series.csv(open("power.csv", "wb"))``. ``progress`` is
        told as by points. Where writing raises, what was written before stays.
        """
        if stream is not None:
            return self._write(stream, progress)
        if progress:
            text = io.StringIO()
            self._write(text, progress)
            return text.getvalue()
        _, body = self.client.get(self.url + "csv/", self._bounds)
        return whole_csv(body).decode("utf-8")

    # looking

    @overload
    def plot(self, *, width: int | None = None, height: int | None = None) -> Chart: ...
    @overload
    def plot(self, *, matplotlib: Any) -> Any: ...
    def plot(
        self, *, width: int | None = None, height: int | None = None, matplotlib: Any = None
    ) -> Any:
        """A chart of the numbers: text at a prompt, where it fits the terminal; SVG in a notebook.

        >>> series["2024-02":].plot(width=40, height=4)
        Office power, kW
        2 points, 2024-02-15 … 2024-02-16,
        latest 14 kW
        14 ┤                        ⢀⣀⣀⡠⠤⠤⠤⠒⠒⠒⠉⠉
           │           ⢀⣀⣀⣀⠤⠤⠤⠒⠒⠒⠉⠉⠉⠁
           │⣀⣀⠤⠤⠤⠒⠒⠒⠊⠉⠉⠁
        12 ┤
           └┬─────────────────┬────────────────┬
            15 Feb          12:00         16 Feb

        A program prints it. ``width`` and ``height`` are in characters, for text. With
        ``matplotlib``, axes of its, it is drawn there, in UTC, and the axes are returned.

        Nulls are gaps; true is drawn as 1 and false as 0. Of more than 2,000 points the service
        chooses those that stand out and leaves the words out; there a stretch without numbers is
        a gap when it is longer than a sixtieth of the time. Raises as reading does.
        """
        from timetric.chart import chart  # as few programs draw

        made = chart(self, (width, height))
        return made if matplotlib is None else made.draw(matplotlib)

    def _repr_html_(self) -> str:
        """For notebooks, which ask for it by this name: a chart and what is known, or what failed.

        It takes a few short requests.
        """
        from timetric.chart import notebook

        return notebook(self, self._series)

    def _describe(self) -> Mapping[str, Any]:
        """The title and the unit, and what else is known by name."""
        return self._series.describe() if self._series else {}

    def _saw(self, points: Sequence[Point], gap: float) -> Seen:
        """What is known after these were read, all of them or those that stand out."""
        from timetric.seen import Seen

        seen = Seen()
        seen.points(points)
        seen.count = len(points) if gap == float("inf") else None
        return seen

    def _hurried(self, deadline: float) -> Window:
        """The same, with this limit of seconds for a call, which is tried once again at most."""
        other = copy(self)
        other.client = self.client.within(deadline, retries=1)
        other._series = self._series and self._series.within(deadline, retries=1)
        return other

    # reading, by page

    def _pages(self) -> Iterator[Page]:
        return _pages(*reading(self))

    def to_numpy(self) -> Any:
        """An array of two columns of float64, Unix seconds and values.

        >>> t, v = series.to_numpy().T
        >>> v.tolist()
        [10.0, 12.5, 14.0]

        Null is NaN, true 1 and false 0. Raises ConfigError where numpy is missing.
        """
        from timetric import frames

        return frames.to_numpy(self.large_pages())

    def to_pandas(self) -> Any:
        """A pandas Series of float64 over a DatetimeIndex in UTC; its name is the title.

        >>> series["2024-02":].to_pandas().tolist()
        [12.5, 14.0]

        Null is NaN, true 1 and false 0. Raises ConfigError where pandas is missing.
        """
        from timetric import frames

        return frames.to_pandas(self.large_pages(), self._title())

    def to_polars(self) -> Any:
        """A polars DataFrame of ``timestamp`` (Datetime in UTC) and ``value`` (Float64 or null).

        >>> series.to_polars()["value"].to_list()
        [10.0, 12.5, 14.0]

        True is 1 and false 0. Raises ConfigError where polars is missing.
        """
        from timetric import frames

        return frames.to_polars(self.large_pages())

    def to_arrow(self) -> Any:
        """A pyarrow Table of ``timestamp`` (in UTC) and ``value`` (float64 or null).

        >>> series.to_arrow().num_rows
        3

        True is 1 and false 0. Raises ConfigError where pyarrow is missing.
        """
        from timetric import frames

        return frames.to_arrow(self.large_pages())

    def large_pages(self, **fields: str) -> Iterator[Page]:
        """For those who take pages whole; the fields ask for buckets."""
        return _pages(*reading(self, _LARGE_OF_BUCKETS if fields else _LARGE, **fields))

    def _title(self) -> str | None:
        """The title of the series that this is a part of, where that is known."""
        return self._series.title if self._series else None

    def _write(self, stream: IO[Any], progress: Progress) -> int:
        is_text = hasattr(stream, "encoding")
        _, query = reading(self)
        done = 0
        with self._meter(progress) as tell:
            for page in _pages(Source(self.client, self.url).read_csv, query):
                stream.write(page.body.decode("utf-8") if is_text else page.body)
                done += page.size
                tell(done)
        return done

    def _meter(self, progress: Progress) -> AbstractContextManager[Callable[[int], object]]:
        return meter(progress, self._total() if progress else None, " points")

    def _total(self) -> int | None:
        """How many points there are, where that is quickly known."""
        return None

    def _only(self, **fields: str) -> Point | Nothing:
        read, query = reading(self, 1, **fields)
        return next(read(query).points(), (None, None))


def reading(window: Window, limit: int = LIMIT, **fields: str) -> tuple[Read, str]:
    """What gets the pages of a window, and the query for the first of them.

    They hold points, or with the fields for them, buckets.
    """
    source = Source(window.client, window.url)
    read = source.read_buckets if "every" in fields else source.read
    return read, urlencode({**window._bounds, "limit": str(limit), **fields})


def _points(pages: Iterator[Page]) -> Iterator[Point]:
    """Chained by C, so that no Python runs between two points."""
    return chain.from_iterable(page.points() for page in pages)


def _pages(read: Read, query: str) -> Iterator[Page]:
    from timetric.ahead import pages  # threading is slow to import

    return pages(read, query)
