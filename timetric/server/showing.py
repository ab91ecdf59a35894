"""What the page of a series shows: the series, where it can be had, and what a form has done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falcon import Request

from timetric.display.wording import ago, number
from timetric.points import Point, Value, format_value
from timetric.server.access import series_url
from timetric.server.body import Fields, only, read_query
from timetric.server.receipt import Receipt
from timetric.server.selection import SIDES
from timetric.server.storage import Damaged, Missing, Rewritten, Series, Storage
from timetric.timestamps import FIRST, format_iso

_DIGITS = 12  # of a latest value that are shown; the rest is what doubles make of decimals

_AGAIN = "The form had been sent before, so it was not done again. What it did: "

#: What needs no receipt to be told.
_DONE = {
    "edited": "The changes are saved.",
    "published": "Everybody can see the series now.",
    "hidden": "Only you can see the series now.",
}


def shown(req: Request, storage: Storage, series: Series, now: float) -> dict[str, Any]:
    """The values of the page's template."""
    latest = storage.latest(series)
    first = _first(storage, series) if series.points > 1 else latest
    is_owner = req.context.viewer(req) == series.owner
    query = read_query(req)
    return {
        "series": series,
        "about": series.metadata,
        "first": first,
        "latest": latest,
        "age": latest and _age(latest[0], now),
        "number": latest and _number(latest[1]),
        "url": series_url(req, series),
        "is_owner": is_owner,
        "done": _done(storage, series, query, now) if is_owner else "",
        "range": {name: only(query, name) for name in ("start", "end") if name in query},
    }


def _first(storage: Storage, series: Series) -> Point | None:
    try:
        return SIDES["after"](storage, series, FIRST)
    except (Damaged, Rewritten):  # the page tells the rest all the same
        return None


def _age(timestamp: float, now: float) -> str:
    """How long ago, "" where that is told by the date, which the page shows anyway."""
    text = ago(timestamp, now)
    return text if not text[:1].isdigit() or text.endswith("ago") else ""


def _number(value: Value) -> str:
    is_word = value is None or isinstance(value, bool)
    return format_value(value) if is_word else number(float(value or 0), _DIGITS)


def _done(storage: Storage, series: Series, query: Fields, now: float) -> str:
    """What a form has done that led here; of its receipt only what is the owner's own."""
    done, key = only(query, "done") or "", only(query, "write") or ""
    if done not in _TELLERS:
        return _DONE.get(done, "")
    try:
        receipt = storage.receipt(series.owner, "" if done == "made" else series.id, key, now)
    except Missing:  # it is long ago, or made up
        return ""
    return (_AGAIN if only(query, "again") else "") + _TELLERS[done](receipt)


def _made(receipt: Receipt) -> str:
    return f"The series is made, with {_count(receipt.added)}."


def _added(receipt: Receipt) -> str:
    timestamp, value = receipt.point or (FIRST, None)
    replaced = ", in the place of another value" if receipt.replaced else ""
    stood = ", where it stood already" if receipt.unchanged else ""
    moment = format_iso(timestamp).replace("T", " ")
    return f"{_number(value)} is stored at {moment} UTC{replaced}{stood}."


def _uploaded(receipt: Receipt) -> str:
    counts = ((receipt.replaced, "replaced"), (receipt.unchanged, "unchanged"))
    rest = "".join(f", {count:,} {words}" for count, words in counts if count)
    return f"{_count(receipt.received, 'row')} read: {_count(receipt.added)} added{rest}."


def _cleared(receipt: Receipt) -> str:
    return f"{_count(receipt.removed)} cleared."


def _count(count: int, of: str = "point") -> str:
    return f"{count:,} {of}{'' if count == 1 else 's'}"


_TELLERS: dict[str, Callable[[Receipt], str]] = {
    "made": _made,
    "added": _added,
    "uploaded": _uploaded,
    "cleared": _cleared,
}
