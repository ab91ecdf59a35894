"""A series in a line of text: the repr of its handle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from timetric import screen
from timetric.display.facts import facts
from timetric.display.sparkline import sparkline
from timetric.display.wording import plain
from timetric.seen import Seen

if TYPE_CHECKING:
    from timetric.series import Series


def line(series: Series, seen: Seen) -> str:
    """``<Series "Office power" 41,208 points 2019-03-02 … 4 min ago ▁▂▅▇▆▃ latest 3.2 kW>``.

    What isn't known is left out; the ID stands for the title, and alone or beside it where nothing
    was read yet. In ASCII where standard output can't take more.
    """
    title = series.about.get("title")
    quoted = '"' + plain(title).replace('"', r"\"") + '"' if title is not None else ""
    if not seen:
        return screen.fitted(f"<timetric.Series {series.id!r}{' ' if quoted else ''}{quoted}>")
    spark = sparkline(seen.some, screen.levels())
    told = facts(seen, time.time(), series.about.get("unit") or "", spark)
    return screen.fitted(f"<Series {' '.join([quoted or series.id, *told])}>")
