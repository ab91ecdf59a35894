"""``timetric doctor``: what works, what does not, and what to do about it, a line each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timetric import flag_types
from timetric.examine import service, store, versions
from timetric.examine.config import Examined
from timetric.examine.finding import FAIL, WARN, Finding, warn
from timetric.store import CommandError


def add_doctor(names: Any, data: Path) -> None:
    """The command and its flags; ``data`` is where a service keeps its data unless told."""
    help = "look at config, service, clock, credentials and storage, and say what to do"
    parser = names.add_parser("doctor", help=help, description=help)
    parser.add_argument(
        "--data",
        metavar="DIR_OR_URL",
        type=flag_types.store,
        help=f"the service's data (./{data.name})",
    )
    parser.add_argument(
        "--check", action="store_true", help="look at every block of the store too, as check does"
    )
    parser.set_defaults(run=doctor, usual_data=data)


def doctor(options: argparse.Namespace) -> None:
    """Prints a line as soon as it is known. Raises CommandError where anything fails."""
    outcomes = []
    for finding in _findings(options):
        outcomes.append(finding.outcome)
        print(finding, flush=True)
    failed, warned = outcomes.count(FAIL), outcomes.count(WARN)
    if failed:
        raise CommandError(f"{failed} of {len(outcomes)} checks failed, {warned} warn")


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    yield from versions.findings()
    examined = Examined()
    yield from examined.findings
    if examined.client is None:
        yield warn("service", "not looked at, for want of a config")
    else:
        with examined.client:
            yield from service.findings(examined.client)
    place = options.data or options.usual_data
    yield from store.findings(place, options.data is not None, options.check)
