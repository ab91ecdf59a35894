"""Flags of what the service tells whoever keeps it. Scripts rely on the names."""

from __future__ import annotations

import argparse


def add_diagnosis(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--access-log",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the log, on standard error, has a line for each request",
    )
    serve.add_argument(
        "--log-json", action="store_true", help="write each line of the log as a JSON object"
    )
    serve.add_argument(
        "--administrator",
        metavar="NAME",
        dest="administrators",
        action="append",
        default=[],
        help="a user whose tokens read /metrics/ from anywhere; may be given several times",
    )
