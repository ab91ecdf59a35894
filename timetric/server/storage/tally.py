"""How the points of a write meet those that stand at their instants. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timetric.server.columns import Columns, Floats, part, reach


@dataclass(frozen=True)
class Tally:
    """How many points ``met`` one at their instant, and how many are the ``same`` bit for bit."""

    met: int = 0
    same: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.met + other.met, self.same + other.same)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.met - other.met, self.same - other.same)


NONE = Tally()


def tally(old: Columns, new: Columns) -> Tally:
    """Of tidy columns."""
    before, after = meeting(old, new)
    return Tally(len(after.t), int(np.count_nonzero(_bits(before) == _bits(after))))


def differing(old: Columns, new: Columns) -> Columns:
    """Those of ``new`` at whose instant ``old`` has another value."""
    before, after = meeting(old, new)
    other = _bits(before) != _bits(after)
    return Columns(after.t[other], after.v[other])


def meeting(old: Columns, new: Columns) -> tuple[Columns, Columns]:
    """The rows of each at the instants that they share."""
    if len(old.t) > len(new.t):
        after, before = meeting(new, old)
        return before, after
    many = part(new, *np.searchsorted(new.t, reach(old)))
    if np.array_equal(old.t, many.t):
        return old, many
    shared = among(old.t, many.t)
    few = Columns(old.t[shared], old.v[shared])
    at = np.searchsorted(many.t, few.t)
    return few, Columns(many.t[at], many.v[at])


def among(t: Floats, instants: Floats) -> NDArray[np.bool_]:
    """Which of ``t`` are among these instants; both are sorted."""
    if not len(instants):
        return np.zeros(len(t), np.bool_)
    places = np.searchsorted(instants, t)
    found: NDArray[np.bool_] = instants[np.minimum(places, len(instants) - 1)] == t
    return found


def _bits(columns: Columns) -> NDArray[np.uint64]:
    return np.ascontiguousarray(columns.v).view(np.uint64)
