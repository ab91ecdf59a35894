"""A chart of the points of a window, few enough to draw, as the service has thinned them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from operator import itemgetter
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from timetric import screen
from timetric.display.card import card
from timetric.display.facts import facts
from timetric.display.scale import stretches
from timetric.display.svg import svg_chart
from timetric.display.terminal import terminal_chart
from timetric.display.wording import at, plain
from timetric.exceptions import TimetricClientError
from timetric.pages import Page, Source
from timetric.points import Point
from timetric.seen import Seen
from timetric.timestamps import checked

if TYPE_CHECKING:
    from timetric.series import Series
    from timetric.window import Window

#: Points that are asked for: more than a screen has columns.
MOST = 2000

#: Of thinned points, how much of the time may be without a number before the line is broken.
_GAP = 1 / 60

#: A notebook's cell waits for each request so many seconds at most.
_PATIENCE = 4.0


class Chart:
    """What plot returns. A prompt shows it as text fitted to the terminal, a notebook as SVG.

    ``print(chart)`` shows it in a program. ``points`` are those that are drawn.
    """

    def __init__(
        self,
        points: list[Point],
        seen: Seen,
        about: Mapping[str, Any],
        url: str,
        gap: float = float("inf"),
        size: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self.points = points
        self.url = url
        self.title: str = about.get("title") or url
        self.unit: str = about.get("unit") or ""
        self._seen = seen
        self._gap = gap
        self._size = size

    def __repr__(self) -> str:
        columns, rows = screen.size()
        width, height = self._size[0] or columns, self._size[1] or rows
        heading = [plain(self.title), *([plain(self.unit)] if self.unit else [])]
        told = facts(self._seen, time.time(), self.unit)
        drawn = terminal_chart(self.points, width, height, gap=self._gap, ascii=screen.is_ascii())
        lines = [", ".join(heading), ", ".join(told)]
        above = [part for line in lines for part in wrap(screen.fitted(line), width)]
        return "\n".join([*above, drawn])

    def _repr_html_(self) -> str:
        told = facts(self._seen, time.time(), self.unit)
        label = plain(f"{self.title}: {', '.join(told)}")
        drawn = svg_chart(self.points, label, gap=self._gap) if self.points else ""
        return card(self.title, self.url, told, drawn)

    def draw(self, axes: Any) -> Any:
        """Draw on axes of matplotlib's, in the colour that is next there; returns the axes."""
        style: dict[str, Any] = {"label": self.title}
        for line in stretches(self.points, self._gap):
            times = [at(t).replace(tzinfo=None) for t, _ in line]
            marker = {"marker": "."} if len(line) == 1 else {}
            [drawn] = axes.plot(times, [v for _, v in line], **style, **marker)
            style = {"color": drawn.get_color()}
        axes.set_title(self.title)
        axes.set_ylabel(self.unit)
        return axes


def chart(window: Window, size: tuple[int | None, int | None] = (None, None)) -> Chart:
    """Ask for the points of a window, and draw them. Raises as reading it does."""
    about = window._describe()
    points, gap = _few(window)
    return Chart(points, window._saw(points, gap), about, window.url, gap, size)


def notebook(window: Window, series: Series | None) -> str:
    """HTML for a notebook, after a few short requests. What goes wrong is told there in words."""
    quick = window._hurried(_PATIENCE)
    try:  # an error would hide the cell's own result
        return chart(quick)._repr_html_()
    except TimetricClientError as error:
        about = series.about if series else {}
        return card(about.get("title") or window.url, window.url, [f"No chart: {error}"])


def _few(window: Window) -> tuple[list[Point], float]:
    """The points where they are few, or else thinned; and the seconds that make a gap."""
    source = Source(window.client, window.url)
    page = source.read(urlencode({**window._bounds, "limit": str(MOST)}))
    if not page.following:
        return _ordered(page), float("inf")
    asked = {**window._bounds, "max_points": str(MOST), "method": "minmax"}
    points = _ordered(source.read_buckets(urlencode(asked)))
    return points, (points[-1][0] - points[0][0]) * _GAP if points else float("inf")


def _ordered(page: Page) -> list[Point]:
    """Fit to be drawn whatever was sent. Raises InvalidPoint for a time that is none."""
    return sorted(((checked(t, t), v) for t, v in page.points()), key=itemgetter(0))
