"""What a write did, as the service tells it (protocol.md, Writing safely). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from timetric.exceptions import BadReply, InvalidPoint
from timetric.points import Point, Value, parse_line, to_value


class Receipt(NamedTuple):
    """What a write did: ``received`` points, and of their distinct timestamps so many of each kind.

    ``removed`` counts timestamps that were taken away, ``version`` is the series' after the write.
    ``point`` is what a single value or an increment became; None after other writes.
    """

    received: int
    added: int
    replaced: int
    unchanged: int
    removed: int
    version: int
    point: Point | None = None

    @property
    def value(self) -> Value:
        """The value of ``point``; None where there is none."""
        return None if self.point is None else self.point[1]


_COUNTS = Receipt._fields[:6]


def from_headers(headers: Mapping[str, str]) -> Receipt:
    """The receipt on a reply, by lower-case names. Raises BadReply where it is damaged or none."""
    text = headers.get("timetric-point")
    try:
        counts = [int(headers[f"timetric-{name}"]) for name in _COUNTS]
        point = None if text is None else parse_line(text.encode("ascii"), 1)
    except (LookupError, ValueError) as error:  # InvalidPoint and UnicodeError are ValueErrors
        raise BadReply(
            "the service answered a write without a receipt; is it a timetric service?"
        ) from error
    return Receipt._make([*counts, point])


def from_document(document: Mapping[str, Any]) -> Receipt:
    """The receipt that the service remembers, from its JSON. Raises BadReply likewise."""
    try:
        counts = [int(document[name]) for name in _COUNTS]
        point = _point(document.get("point"))
    except (LookupError, TypeError, ValueError) as error:  # not our JSON
        raise BadReply("the service has a receipt that is none") from error
    return Receipt._make([*counts, point])


def _point(pair: Any) -> Point | None:
    if pair is None:
        return None
    timestamp, value = pair
    if not isinstance(timestamp, (int, float)):
        raise InvalidPoint("no timestamp")
    return float(timestamp), to_value(value)
