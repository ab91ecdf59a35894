"""What was last read of a series, in a few numbers, so that its repr can show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from timetric.pages import Page
from timetric.points import Point, to_value
from timetric.timestamps import END, FIRST, to_timestamp

Nothing = tuple[None, None]

#: Points that are kept of each page and in all, for a sparkline.
_OF_PAGE, _MOST = 16, 256


class Seen:
    """How many points there were, the first, the latest, and some between; None is not known.

    It is of the moment of reading; a write of one's own makes all of it unknown.
    """

    def __init__(self) -> None:
        self.forget()

    def __repr__(self) -> str:
        return f"<Seen count={self.count} first={self.first} latest={self.latest}>"

    def __bool__(self) -> bool:
        return self.count is not None or self.latest is not None

    def forget(self) -> None:
        self.count: int | None = None
        self.first: Point | None = None
        self.latest: Point | None = None
        self.some: list[Point] = []

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """The pages themselves; once all of them were read they are what was seen.

        Some points of each are looked at when the caller is through with it: microseconds a page.
        """
        count, some = 0, []
        for page in pages:
            yield page
            count += page.size
            some += page.some(_OF_PAGE)
            first, latest = some[:1], some[-1:]
            if len(some) > _MOST:
                some = [*first, *some[1:-1:2], *latest]
        self.points(some)
        self.count = count

    def points(self, points: Sequence[Point]) -> None:
        """These points, oldest first, are the first, the latest, and some or all between."""
        self.forget()
        if not points or not all(FIRST <= t < END for t, _ in points):  # nothing to be shown
            return
        self.some = sorted(points[:: len(points) // _MOST + 1], key=itemgetter(0))
        self.first, self.latest = points[0], points[-1]

    def item(self, item: Mapping[str, Any]) -> None:
        """What the service says of the series with its metadata; what is of another kind, isn't."""
        count, latest = item.get("points"), item.get("latest")
        if type(count) is int:
            self.counted(count)
        if isinstance(latest, dict) and isinstance(latest.get("timestamp"), (int, float)):
            self.found((to_timestamp(latest["timestamp"]), to_value(latest.get("value"))))

    def counted(self, count: int) -> None:
        """So many points there are; of none nothing else is known."""
        if not count:
            self.forget()
        self.count = count

    def found(self, latest: Point | Nothing) -> None:
        """The latest point, or that there is none."""
        if latest[0] is None:
            self.counted(0)
        elif FIRST <= latest[0] < END:
            self.latest = latest
