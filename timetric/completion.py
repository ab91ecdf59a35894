"""What completes the commands in a shell, by shtab."""

from __future__ import annotations

import argparse

from timetric.store import CommandError

SHELLS = ("bash", "zsh", "fish")


def write(options: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError as error:  # the extra "completion" is not installed
        raise CommandError(
            "completion is made by shtab; run: pip install 'timetric[completion]'"
        ) from error
    if options.shell not in shtab.SUPPORTED_SHELLS:
        raise CommandError(f"this shtab knows no {options.shell}; pip install -U shtab")
    print(shtab.complete(options.parser(), options.shell))
