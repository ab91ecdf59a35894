"""What a flag or argument may be. Each raises argparse.ArgumentTypeError."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from timetric.exceptions import InvalidPoint
from timetric.points import Value, parse_value
from timetric.timestamps import END, parse_number, parse_timestamp

#: How long from now: a number and a unit, in seconds.
_SPAN = re.compile(r"([0-9]{1,9})(s|min|h|d|w|y)")
_DAY = 24 * 60 * 60
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": _DAY, "w": 7 * _DAY, "y": 365 * _DAY}


#: What stands in a URL's query for all who list processes to see.
_SECRET = {"password", "sslpassword"}


def path(text: str) -> Path:
    return Path(text).absolute()


def store(text: str) -> Path | str:
    """A directory, or the URL of a PostgreSQL database; none of the errors repeats that."""
    if not text.startswith(("postgresql://", "postgres://")):
        return path(text)
    try:
        parts = urlsplit(text)
        has_password = parts.password is not None or _SECRET & set(parse_qs(parts.query))
    except ValueError:
        raise argparse.ArgumentTypeError(
            "that is no URL of PostgreSQL; one is like postgresql://user@host:5432/database"
        ) from None
    if has_password:
        raise argparse.ArgumentTypeError(
            "a password in a URL is seen by all who list processes; put it into the environment "
            "variable PGPASSWORD or the file ~/.pgpass"
        )
    return text


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError("it begins with http:// or https:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("it holds no credentials, query or fragment")
    return text.rstrip("/") + "/"


def expiry(text: str) -> float:
    """A moment to come, in Unix seconds."""
    now, span = time.time(), _SPAN.fullmatch(text)
    try:
        when = now + int(span[1]) * _UNITS[span[2]] if span else parse_timestamp(text)
    except InvalidPoint as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a time from now, as in 30d, nor an ISO date"
        ) from error
    if not now < when < END:
        raise argparse.ArgumentTypeError(f"{text!r} is not a moment to come")
    return when


def user_name(text: str) -> str:
    from timetric.server.names import BadName, check_user_name

    try:
        return check_user_name(text)
    except BadName as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def token_name(text: str) -> str:
    from timetric.server.names import BadName, check_title

    try:
        return check_title(text)
    except BadName as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def value(text: str) -> Value:
    try:
        return parse_value(text)
    except InvalidPoint as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, null, true or false") from error


def number(text: str) -> float:
    found = parse_number(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return found


def seconds(text: str) -> float:
    found = number(text)
    if not 0.1 <= found <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not 0.1 to 86400 seconds")
    return found


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)
