"""A chart as PNG. Around Pillow."""

from __future__ import annotations

import io
from threading import BoundedSemaphore

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from timetric.display.look import Look
from timetric.display.plan import LARGE, SMALL, Plan
from timetric.server.sharing.lettering import lettered

#: Lines and letters are drawn so many times as large, so that they come out smooth and in place.
_FINER = 4

_LINE, _DOT = 1.5, 1.8  # pixels: the breadth of a line, the radius of a dot
_FULL, _QUIET, _GRID, _TICK = 255, 191, 46, 128  # how much there is of a colour, of 255
_BOLD = 0.3  # pixels that are added around the letters of a title

#: Pillow's names of SVG's: always at the baseline.
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}

#: Drawn at once; the largest takes some 30 MB, and more of them at once would be no faster.
_TURNS = BoundedSemaphore(2)


def png_chart(plan: Plan, look: Look, scale: int, nothing: str) -> bytes:
    """With so many pixels for each of the plan. ``nothing`` is said where there are no numbers."""
    with _TURNS:
        canvas = _Canvas(plan, scale)
        canvas.head()
        if plan.lines:
            canvas.marks()
            canvas.lines()
        else:
            canvas.say(nothing)
        file = io.BytesIO()
        canvas.colored(look).save(file, "PNG")
    return file.getvalue()


class _Canvas:
    """How much there is at each pixel of the two colours of a chart: the text's, and the line's."""

    def __init__(self, plan: Plan, scale: int) -> None:
        self._plan, self._scale, self._finer = plan, scale, scale * _FINER
        self._size = (plan.width * scale, plan.height * scale)
        self._texts = Image.new("L", self._size)
        self._line = self._texts
        self._draw = ImageDraw.Draw(self._texts)

    def head(self) -> None:
        if not self._plan.title:
            return
        x, y = self._plan.heading
        x += self._write(x, y, self._plan.title, LARGE, _FULL, bold=_BOLD) + 8
        self._write(x, y, self._plan.unit, LARGE, _QUIET)

    def say(self, text: str) -> None:
        plan = self._plan
        x, y = plan.width / 2, (plan.top + plan.bottom) / 2 + SMALL * 0.35
        self._write(x, y, text, SMALL, _QUIET, anchor="middle")

    def marks(self) -> None:
        plan = self._plan
        for y in plan.grid:
            self._rule(plan.left, y, plan.right, y, _GRID)
        for x in plan.ticks:
            self._rule(x, plan.bottom, x, plan.bottom + 4, _TICK)
        for text in (*plan.values, *plan.times):
            self._write(text.x, text.y, text.text, SMALL, _QUIET, anchor=text.anchor)

    def lines(self) -> None:
        finer = self._finer
        cover = Image.new("L", (self._plan.width * finer, self._plan.height * finer))
        draw = ImageDraw.Draw(cover)
        for line in self._plan.lines:
            places = [(x * finer, y * finer) for x, y in line]
            if len(places) == 1:
                draw.circle(places[0], _DOT * finer, fill=255)
                continue
            is_sparse = len(places) < self._plan.width  # else corners can't be seen
            draw.line(places, 255, round(_LINE * finer), joint="curve" if is_sparse else None)
        self._line = cover.reduce(_FINER)

    def colored(self, look: Look) -> Image.Image:
        """With a palette of 128 shades of each colour; the line is above the texts."""
        texts = np.asarray(self._texts)
        line = np.asarray(self._line) if self._line is not self._texts else np.zeros_like(texts)
        image = Image.fromarray(np.where(line > 15, 128 + (line >> 1), texts >> 1), "P")
        ground, text, colour = (np.array(ImageColor.getrgb(name)) for name in look)
        much = np.linspace(0, 1, 128)[:, None]
        shades = [ground + (full - ground) * much for full in (text, colour)]
        image.putpalette(np.concatenate(shades).round().astype(np.uint8).tobytes())
        return image

    def _rule(self, x: float, y: float, to_x: float, to_y: float, much: int) -> None:
        """A line of one pixel, not smoothed."""
        edges = [int(edge * self._scale) for edge in (x, y, to_x, to_y)]
        self._draw.line(edges, much, self._scale)

    def _write(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        much: int,
        *,
        anchor: str = "start",
        bold: float = 0.0,
    ) -> float:
        """How long it is, in pixels of the plan."""
        finer = self._finer
        text, font = lettered(text, size * finer)
        long = font.getlength(text) / finer
        left = int(x - long * ("start", "middle", "end").index(anchor) / 2) - 2
        top = int(y) - size - 4
        shape = ((int(long) + 6) * finer, (size * 2 + 8) * finer)
        letters = Image.new("L", shape)
        place = (x - left) * finer, (y - top) * finer
        ImageDraw.Draw(letters).text(
            place, text, 255, font, _ANCHORS[anchor], stroke_width=bold * finer
        )
        small = letters.reduce(_FINER)
        self._texts.paste(much, (left * self._scale, top * self._scale), small)
        return long
