"""The parsers under a fuzzer that sees which lines a case reaches, where atheris is installed:

``pip install atheris; python -m tests.bad_input.fuzz csv -runs=1000000`` (or any name of PARSERS;
further arguments are libFuzzer's). It stops at the first case that a parser should have refused.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["timetric"]):
    from tests.bad_input.parsers import PARSERS


def main() -> None:
    _, name, *options = sys.argv
    atheris.Setup([name, "-max_len=4096", *options], PARSERS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
