"""What a write says it did, and on what terms it is done (protocol.md, Writing safely)."""

from __future__ import annotations

from typing import NamedTuple

from timetric.points import Point, format_value
from timetric.timestamps import format_timestamp

#: What becomes of a point whose timestamp is taken by another one.
REPLACE, KEEP, ERROR = "replace", "keep", "error"


class Receipt(NamedTuple):
    """What a write did: ``received`` rows, and of their distinct timestamps so many of each kind.

    ``removed`` counts those that were taken away, ``version`` is the series' after the write.
    ``point`` is what a single value became, ``made`` the ID of a series that was made.
    """

    received: int = 0
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    version: int = 0
    point: Point | None = None
    made: str | None = None

    @property
    def changes(self) -> bool:
        return bool(self.added or self.replaced or self.removed)

    def headers(self) -> dict[str, str]:
        """As it stands on a reply."""
        headers = dict(zip(_HEADERS, map(str, self)))
        if self.point is not None:
            t, value = self.point
            headers["Timetric-Point"] = f"{format_timestamp(t)},{format_value(value)}"
        return headers

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        made = {} if self.made is None else {"series": self.made}
        point = {} if self.point is None else {"point": self.point}
        return {**made, **dict(zip(_COUNTS, self)), **point}


_COUNTS = Receipt._fields[:6]
_HEADERS = [f"Timetric-{name.title()}" for name in _COUNTS]


class Key(NamedTuple):
    """An Idempotency-Key, and a digest of what the write that carries it means."""

    text: str
    meaning: bytes


class Terms(NamedTuple):
    """What a write is asked to heed.

    ``rows`` is how many came, where it is not the number of points. ``versions`` are those
    (version and generation) that the series may be of; None is any.
    """

    rows: int | None = None
    key: Key | None = None
    versions: frozenset[tuple[int, int]] | None = None
    on_conflict: str = REPLACE
    dry_run: bool = False

    def received(self, points: int) -> int:
        return points if self.rows is None else self.rows


#: Those of a write that asks for nothing.
PLAIN = Terms()
