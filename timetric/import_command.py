"""``timetric import``: a foreign CSV file, understood with its owner's help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from timetric.exceptions import InvalidPoint
from timetric.guess import Doubt, Guess, guess
from timetric.layout import Layout, Reader, rows, zone
from timetric.points import Point, format_value
from timetric.store import CommandError
from timetric.terminal import ask, bar, can_ask, iso, plain, say
from timetric.user_commands import chosen, told

_SHOWN = 5  # rows, and bad rows

#: What is asked on a terminal can be said beforehand by these.
_FLAGS = {"value": "--column", "order": "--order", "decimal": "--decimal"}
_GIVEN = ("delimiter", "header", "time", "value", "order", "decimal", "tz")


def run(options: argparse.Namespace) -> None:
    text, encoding = _text(Path(options.file))
    given = {name: getattr(options, name) for name in _GIVEN}
    if given["delimiter"] in ("tab", "\\t"):
        given["delimiter"] = "\t"
    if given["delimiter"] and len(given["delimiter"]) != 1:
        raise CommandError("--delimiter is one sign, or tab")
    zone(given["tz"] or "UTC")
    found = _understood(text, given)
    points, bad = _read(text, found.layout)
    _tell(found, points, options, encoding)
    _refuse(bad, options)
    if options.id is None:
        if not options.dry_run:
            raise CommandError("nothing was stored: name a series with --into")
        return
    if not (options.dry_run or options.yes):
        _confirm(len(points))
    with chosen(options) as series:
        done = series.update(points, dry_run=options.dry_run, progress=bar("B", options.quiet))
    say(told(done, options.dry_run), options.quiet)


def _text(path: Path) -> tuple[str, str]:
    """The text, and its encoding: UTF-8, UTF-16 by its mark, or else that of old Windows."""
    body = path.read_bytes()
    has_mark = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if has_mark else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return body.decode(encoding), encoding
        except UnicodeDecodeError:  # the next may fit
            continue
    raise CommandError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252")


def _understood(text: str, given: dict[str, Any]) -> Guess:
    """Asks about each doubt, where somebody is there. Raises CommandError where nobody is."""
    found = guess(text, given)
    while found.doubts:
        doubt = found.doubts[0]
        answers = ", ".join(doubt.answers)
        if not can_ask():
            raise CommandError(
                f"{plain(doubt.question)}: {plain(answers)}? give {_FLAGS[doubt.field]}"
            )
        given[doubt.field] = _answer(doubt, answers)
        found = guess(text, given)
    return found


def _answer(doubt: Doubt, answers: str) -> str:
    said = ask(f"{plain(doubt.question)}: {plain(answers)}?")
    if said not in doubt.answers:
        raise CommandError(f"{said!r} is none of {answers}; nothing was stored")
    if doubt.field == "value":
        return str(doubt.answers[said] + 1)
    return said


def _read(text: str, layout: Layout) -> tuple[list[Point], list[InvalidPoint]]:
    points, bad, reader = list[Point](), list[InvalidPoint](), Reader(layout)
    for row in rows(text, layout.delimiter)[layout.skip :]:
        try:
            points.append(reader.point(row))
        except InvalidPoint as error:  # gathered, so that all are told at once
            bad.append(error)
    return points, bad


def _refuse(bad: list[InvalidPoint], options: argparse.Namespace) -> None:
    """Raises CommandError where rows can't be read, and may not be left out."""
    if not bad:
        return
    some = "; ".join(str(error) for error in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
    if not options.skip_bad:
        raise CommandError(f"{some}{more}; nothing was stored (--skip-bad leaves them out)")
    say(f"left out: {some}{more}", options.quiet)


def _tell(found: Guess, points: list[Point], options: argparse.Namespace, encoding: str) -> None:
    """What was understood, on standard error; the line that repeats it, on standard output."""
    layout = found.layout
    sign = {"\t": "tab"}.get(layout.delimiter, layout.delimiter)
    source = "given" if options.tz else "where a time names none; --tz changes it"
    clock = "" if layout.clock is None else f", clock in {_name(found, layout.clock)}"
    for name, what in (
        ("columns", f"parted by {sign!r}, {layout.skip} rows ahead of the points, {encoding}"),
        ("times", f"{_name(found, layout.time)}{clock}, order {layout.order}"),
        ("values", f"{_name(found, layout.value)}, decimal sign {layout.decimal}"),
        ("time zone", f"{layout.tz} ({source})"),
    ):
        say(f"{name + ':':<11}{what}", options.quiet)
    for timestamp, value in points[:_SHOWN]:
        say(f"  {iso(timestamp)}  {format_value(value)}", options.quiet)
    say(f"{len(points):,} points. In Python:", options.quiet)
    say(f"  {_python(layout, options, encoding)}", options.quiet)


def _name(found: Guess, number: int) -> str:
    name = found.header[number]
    return f"column {number + 1}" + (f" ({name})" if name else "")


def _python(layout: Layout, options: argparse.Namespace, encoding: str) -> str:
    usual = Layout()._asdict()
    flags = "".join(
        f", {name}={value!r}" for name, value in layout._asdict().items() if value != usual[name]
    )
    file = f"open({options.file!r}, encoding={encoding!r}, newline='')"
    return f"from timetric.layout import points; series.update(points({file}.read(){flags}))"


def _confirm(count: int) -> None:
    """Asked on a terminal; a script's flags, or a file without a doubt, are enough elsewhere."""
    if can_ask() and ask(f"Store {count:,} points? [y/N]").lower() != "y":
        raise CommandError("nothing was stored")
