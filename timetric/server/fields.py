"""What stands in the fields of a query or a form."""

from __future__ import annotations

from timetric.exceptions import InvalidPoint
from timetric.server.body import Fields, only
from timetric.server.problem import Problem
from timetric.timestamps import parse_timestamp


def text(fields: Fields, name: str) -> str:
    """The one text of a field, "" where it is missing. Raises Problem for two that differ."""
    return (only(fields, name) or "").strip(" \t\r\n")


def time(fields: Fields, name: str) -> float:
    """A timestamp, in which a blank is the + it was, unless it stands between date and time."""
    written = text(fields, name)
    head, blank, tail = written.rpartition(" ")
    if blank and (":" in head or ":" not in tail):
        written = f"{head}+{tail}"
    try:
        return parse_timestamp(written)
    except InvalidPoint as error:  # told which field it is
        raise Problem(400, f"{name}: {error.detail}.", field=name) from error
