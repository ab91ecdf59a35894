"""Flags that limit what the service takes, and of whom. Scripts rely on the names."""

from __future__ import annotations

import argparse

SIGNUP_SERIES, SIGNUP_POINTS = 100, 1_000_000


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


def _count_or_none(text: str) -> int | None:
    return None if text == "none" else _count(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return min(int(text), 2**63 - 1)  # what a store holds
