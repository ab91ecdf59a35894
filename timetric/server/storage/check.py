"""Looking whether a series holds what it says: every block, every summary, every count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from timetric.server.blocks import summarise
from timetric.server.columns import Columns, unbox
from timetric.server.storage import Damaged, Missing
from timetric.server.storage.parcel import Span
from timetric.server.storage.tables import Tables


def faults(rows: Tables) -> Iterator[str]:
    """Each fault in one sentence."""
    tail = rows.tail(-math.inf, math.inf)
    points = sum(row.fresh for row in tail)
    reached = -math.inf
    for span in rows.spans(-math.inf, math.inf):
        points += span.size
        if span.first <= reached:
            yield f"the block {span.key} overlaps the one before it"
        reached = span.final
        try:
            yield from _block_faults(rows, span, rows.block(span.key))
        except (Damaged, Missing) as error:  # a fault like the others
            yield str(error)
    with suppress(Missing):  # it was removed meanwhile
        state = rows.state()
        if (state.points, state.tail) != (points, len(tail)):
            stated = state.points, state.tail
            yield f"it counts {stated} points and tail rows, but holds {(points, len(tail))}"


def _block_faults(rows: Tables, span: Span, columns: Columns) -> Iterator[str]:
    stated = rows.told(span.key)
    t, v = columns
    found = (float(t[0]), float(t[-1]), len(t), unbox(float(v[-1])), *summarise(v))
    if found != stated:
        yield f"the block {span.key} is described as {stated}, but holds {found}"
    if not bool(np.all(t[1:] > t[:-1])):
        yield f"the block {span.key} is not in the order of time"
