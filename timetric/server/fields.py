"""What stands in the fields of a query or a form."""

from __future__ import annotations

import re

from timetric.exceptions import InvalidPoint
from timetric.server.body import Fields, only
from timetric.server.problem import Problem
from timetric.timestamps import parse_timestamp

_COUNT = re.compile(r"0*[1-9][0-9]{0,14}")


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


def count(fields: Fields, name: str) -> int:
    """A whole number from 1 on, below 10 to the 15th. Raises Problem."""
    written = text(fields, name)
    if not _COUNT.fullmatch(written):
        raise Problem(400, f"{name} is no whole number from 1 on.", field=name)
    return int(written)


def number(fields: Fields, name: str, usual: int, least: int, most: int) -> int:
    """A whole number within bounds, the usual one where there is none. Raises Problem."""
    found = count(fields, name) if name in fields else usual
    if not least <= found <= most:
        raise Problem(400, f"{name} is a whole number from {least} to {most:,}.", field=name)
    return found


def choice(fields: Fields, name: str, *names: str) -> str:
    """One of these names, of which the first is meant where there is none. Raises Problem."""
    if name not in fields:
        return names[0]
    written = text(fields, name)
    if written not in names:
        raise Problem(400, f"{name} is none of {', '.join(names)}.", field=name)
    return written
