"""The handlers of chart.svg, chart.png and sparkline.svg: pictures of a series."""

from __future__ import annotations

import math
from typing import NamedTuple

from falcon import Request, Response

from timetric.display.look import DARK, LIGHT
from timetric.display.plan import Plan, plan_of
from timetric.display.svg import svg_picture, svg_sparkline
from timetric.server import fields
from timetric.server.access import Access
from timetric.server.body import Fields, read_query
from timetric.server.caching import Caching
from timetric.server.compression import is_packed
from timetric.server.sharing.outline import outline
from timetric.server.storage import Series, Storage, Window
from timetric.server.terms import flag

SVG, PNG = "image/svg+xml", "image/png"

#: Where somebody opens a picture as a page: its style is in it, and nothing else runs or loads.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


class Size(NamedTuple):
    """What a width or a height may be, in pixels, and what it usually is."""

    usual: int
    least: int
    most: int


CHART = {"width": Size(600, 100, 1600), "height": Size(300, 60, 1000)}
SPARKLINE = {"width": Size(120, 10, 600), "height": Size(30, 10, 200)}
#: Pixels of a PNG for each of its width and height, as dense screens have them.
SCALE = Size(1, 1, 2)


class Asked(NamedTuple):
    """How a picture shall be. ``dark`` None leaves it to whoever looks at it."""

    width: int
    height: int
    window: Window
    dark: bool | None


class PicturesResource:
    """The pictures of a series, as public as it is."""

    def __init__(self, storage: Storage, access: Access, caching: Caching) -> None:
        self._storage = storage
        self._access = access
        self._caching = caching

    def on_get_svg(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_picture(req, id)
        asked = read_asked(read_query(req), CHART)
        if self._holds(req, resp, series, SVG, "chart"):
            return
        plan = self._plan(series, asked, 1)
        resp.text = svg_picture(plan, label(series), dark=asked.dark, nothing=_nothing(series))
        resp.set_header("Content-Security-Policy", _POLICY)

    def on_get_png(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_picture(req, id)
        query = read_query(req)
        scale = fields.number(query, "scale", *SCALE)
        sizes = {name: size._replace(most=size.most // scale) for name, size in CHART.items()}
        asked = read_asked(query, sizes)
        if self._holds(req, resp, series, PNG, "chart"):
            return
        from timetric.server.sharing.png import png_chart  # Pillow takes 14 MB

        plan, look = self._plan(series, asked, scale), DARK if asked.dark else LIGHT
        resp.data = png_chart(plan, look, scale, _nothing(series))

    def on_get_sparkline(self, req: Request, resp: Response, id: str) -> None:
        series = self._access.to_picture(req, id)
        asked = read_asked(read_query(req), SPARKLINE)
        if self._holds(req, resp, series, SVG, "sparkline"):
            return
        points = outline(self._storage, series, asked.window, asked.width)
        resp.text = svg_sparkline(points, label(series), asked.width, asked.height, asked.dark)
        resp.set_header("Content-Security-Policy", _POLICY)

    def _holds(
        self, req: Request, resp: Response, series: Series, media_type: str, name: str
    ) -> bool:
        """Whether the reader's copy does. Another release may draw the same otherwise: weak."""
        packed = "+gzip" if is_packed(req, media_type) else ""
        if self._caching.answers(req, resp, series, f"{name}{packed}", weak=True):
            return True
        resp.content_type = media_type
        return False

    def _plan(self, series: Series, asked: Asked, scale: int) -> Plan:
        points = outline(self._storage, series, asked.window, asked.width * scale)
        about = series.metadata
        return plan_of(points, asked.width, asked.height, title=about.title, unit=about.unit)


def read_asked(query: Fields, sizes: dict[str, Size]) -> Asked:
    """What a query asks for. Raises Problem."""
    width, height = (fields.number(query, name, *size) for name, size in sizes.items())
    return Asked(width, height, read_window(query), read_dark(query))


def read_window(query: Fields) -> Window:
    """From start to end. Raises Problem."""
    return Window(
        start=fields.time(query, "start") if "start" in query else -math.inf,
        end=fields.time(query, "end") if "end" in query else math.inf,
    )


def read_dark(query: Fields) -> bool | None:
    """True, false, or None where nothing is said. Raises Problem."""
    return flag(query, "dark") if "dark" in query else None


def label(series: Series) -> str:
    """What a picture says to those who can't see it."""
    about = series.metadata
    return f"{about.title}, {about.unit}" if about.unit else about.title


def _nothing(series: Series) -> str:
    return "no numbers to draw" if series.points else "no points yet"
