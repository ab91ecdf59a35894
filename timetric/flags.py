"""Flags that limit what the service takes, and of whom. Scripts rely on the names."""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import Any

#: A number of bytes.
_SIZE = re.compile(r"([0-9]{1,15})(|k|Ki|M|Mi|G|Gi)B?")
_UNITS = {"": 1, "k": 1000, "Ki": 1 << 10, "M": 1000**2, "Mi": 1 << 20, "G": 1000**3, "Gi": 1 << 30}

SIGNUP_SERIES, SIGNUP_POINTS = 100, 1_000_000


def add_limits(serve: argparse.ArgumentParser) -> None:
    """Those about all who ask; what is not given is missing in the options."""
    add = partial(serve.add_argument, default=argparse.SUPPRESS)
    add(
        "--rate",
        metavar="N/UNIT",
        type=_rate,
        help="requests that each token and each user who is signed in may make, as in 100/s (s, "
        "min, h, d), or off (6000/min; off where only this machine can ask)",
    )
    add(
        "--anonymous-rate",
        metavar="N/UNIT",
        type=_rate,
        help="requests that all others may make from an address (600/min; off likewise)",
    )
    add(
        "--max-upload",
        dest="max_body",
        metavar="SIZE",
        type=_size,
        help="bytes that a body may have, as in 100MB or 1GiB (256MiB)",
    )
    add(
        "--max-uploads",
        metavar="N",
        type=_positive,
        help="bodies of 100,000 bytes and more that are taken in at once (64)",
    )
    add(
        "--min-speed",
        metavar="SIZE",
        type=_size,
        help="bytes a second at which a body has to come; 0 is any (500)",
    )


def read_limits(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of these, by create_app's names."""
    given = vars(options)
    return {name: given[name] for name in _LIMITS if name in given}


_LIMITS = ("rate", "anonymous_rate", "max_body", "max_uploads", "min_speed")


def add_signup(serve: argparse.ArgumentParser) -> None:
    """Those about strangers."""
    serve.add_argument(
        "--open-signup", action="store_true", help="let strangers make accounts in the browser"
    )
    serve.add_argument(
        "--signup-series",
        metavar="N",
        type=_count,
        default=SIGNUP_SERIES,
        help=f"series that each of them may have ({SIGNUP_SERIES:,})",
    )
    serve.add_argument(
        "--signup-points",
        metavar="N",
        type=_count,
        default=SIGNUP_POINTS,
        help=f"points that each of them may have ({SIGNUP_POINTS:,})",
    )


def add_quota(quota: argparse.ArgumentParser) -> None:
    """Those about one user; what is not given stays as it is, and is missing in the options."""
    for name, what in (("series", "series"), ("points", "points in all of them")):
        quota.add_argument(
            f"--{name}",
            metavar="N",
            type=_count_or_none,
            default=argparse.SUPPRESS,
            help=f"how many {what} they may have; none is any number",
        )


def _rate(text: str) -> str:
    from timetric.server.attempts import parse_rate

    try:
        parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _size(text: str) -> int:
    size = _SIZE.fullmatch(text)
    if size is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes, such as 500 or 256MiB")
    return int(size[1]) * _UNITS[size[2]]


def _positive(text: str) -> int:
    count = _count(text)
    if count == 0:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return count


def _count_or_none(text: str) -> int | None:
    return None if text == "none" else _count(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return min(int(text), 2**63 - 1)  # what a store holds
