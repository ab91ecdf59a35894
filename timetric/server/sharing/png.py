"""A chart as PNG. Around Pillow."""

from __future__ import annotations

import io
from threading import BoundedSemaphore

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from timetric.display.look import Look
from timetric.display.plan import LARGE, SMALL, Plan, Text
from timetric.server.sharing.lettering import lettered

#: Lines and letters are drawn so many times as large, so that they come out smooth and in place.
_FINER = 4

_LINE, _DOT = 1.5, 1.8  # pixels: the breadth of a line, the radius of a dot
_FULL, _QUIET, _GRID, _TICK = 255, 191, 46, 128  # how much there is of a colour, of 255
_BOLD = 0.3  # pixels that are added around the letters of a title

#: Pillow's names of SVG's anchors, at the baseline, and how much of a text is before them.
_ANCHORS = {"start": ("ls", 0.0), "middle": ("ms", 0.5), "end": ("rs", 1.0)}

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
        self._line = Image.new("L", self._size)
        self._draw = ImageDraw.Draw(self._texts)

    def head(self) -> None:
        if not self._plan.title:
            return
        x, y = self._plan.heading
        x += self._write(Text(x, y, self._plan.title), LARGE, _FULL, _BOLD) + 8
        self._write(Text(x, y, self._plan.unit), LARGE, _QUIET)

    def say(self, text: str) -> None:
        plan = self._plan
        x, y = plan.width / 2, (plan.top + plan.bottom) / 2 + SMALL * 0.35
        self._write(Text(x, y, text, "middle"), SMALL, _QUIET)

    def marks(self) -> None:
        plan = self._plan
        for y in plan.grid:
            self._rule(plan.left, y, plan.right, y, _GRID)
        for x in plan.ticks:
            self._rule(x, plan.bottom, x, plan.bottom + 4, _TICK)
        for text in (*plan.values, *plan.times):
            self._write(text, SMALL, _QUIET)

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
        texts, line = np.asarray(self._texts), np.asarray(self._line)
        image = Image.fromarray(np.where(line > 15, 128 + (line >> 1), texts >> 1))
        ground, *colors = (np.array(ImageColor.getrgb(color)) for color in look)
        much = np.linspace(0, 1, 128)[:, None]
        shades = np.concatenate([ground + (color - ground) * much for color in colors])
        image.putpalette(shades.round().astype(np.uint8).tobytes())
        return image

    def _rule(self, x: float, y: float, to_x: float, to_y: float, much: int) -> None:
        """A line of one pixel, not smoothed."""
        edges = [int(edge * self._scale) for edge in (x, y, to_x, to_y)]
        self._draw.line(edges, much, self._scale)

    def _write(self, what: Text, size: int, much: int, bold: float = 0.0) -> float:
        """How long it is, in pixels of the plan."""
        finer = self._finer
        text, font = lettered(what.text, size * finer)
        long = font.getlength(text) / finer
        anchor, before = _ANCHORS[what.anchor]
        left, top = int(what.x - long * before) - 2, int(what.y) - size - 4
        letters = Image.new("L", ((int(long) + 6) * finer, (2 * size + 8) * finer))
        place = (what.x - left) * finer, (what.y - top) * finer
        draw = ImageDraw.Draw(letters)
        draw.text(place, text, 255, font, anchor, stroke_width=bold * finer)
        corner = left * self._scale, top * self._scale
        self._texts.paste(much, corner, letters.reduce(_FINER))
        return long
