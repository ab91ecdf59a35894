"""What a person at a terminal sees, and what a pipe gets instead."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from timetric.points import Point, format_value
from timetric.timestamps import format_iso, format_timestamp

#: Seconds before a transfer counts as long and gets a bar.
_LONG = 1.0

_WIDEST = 40  # characters of a cell in a table


def is_terminal() -> bool:
    return sys.stdout.isatty()


def say(text: str, quiet: bool = False) -> None:
    """A note to the person, beside the data."""
    if not quiet:
        print(plain(text), file=sys.stderr)


def ask(question: str) -> str:
    """A line typed by the person; empty where the input ends. Written to standard error."""
    print(question, end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def plain(text: str) -> str:
    """Without what a terminal would obey: a title may be somebody else's."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def iso(timestamp: float) -> str:
    return format_iso(timestamp) + "Z"


def line(point: Point, as_date: bool) -> str:
    when = iso(point[0]) if as_date else format_timestamp(point[0])
    return f"{when},{format_value(point[1])}"


def write_csv(points: Iterable[Point], as_date: bool) -> None:
    sys.stdout.writelines(f"{line(point, as_date)}\n" for point in points)


def write_json(points: Iterable[Point], as_date: bool) -> None:
    """An array of pairs, written as they come."""
    sys.stdout.write("[")
    for number, (timestamp, value) in enumerate(points):
        pair = json.dumps([iso(timestamp) if as_date else timestamp, value])
        sys.stdout.write(f"{',' if number else ''}\n{pair}")
    sys.stdout.write("\n]\n")


def write_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns for a person, as wide as they need to be."""
    texts = [[name.upper() for name in names]]
    texts += [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    for row in texts:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))
        print("  ".join(cells).rstrip())


def _cell(cell: Any) -> str:
    text = plain(str(cell))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def write_rows(names: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> None:
    """The same for a program, as CSV under a header, or as a JSON array of objects."""
    if form == "json":
        json.dump([dict(zip(names, row)) for row in rows], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)


def ago(timestamp: float, now: float) -> str:
    """
    >>> ago(100, 280), ago(0, 7200)
    ('3 min ago', '2 h ago')
    """
    past = max(0.0, now - timestamp)
    for seconds, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if past >= seconds:
            return f"{past // seconds:,.0f} {unit} ago"
    return f"{past:.0f} s ago"


def bar(unit: str, quiet: bool) -> Callable[[int, int | None], object] | None:
    """What is told how far a transfer has come: a bar by tqdm, once it takes long.

    None where nobody looks, or tqdm is not installed.
    """
    if quiet or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:  # the extra "progress" is not installed; the transfer works without
        return None
    bars: list[Any] = []
    started = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        if time.monotonic() - started < _LONG:
            return
        if not bars:
            bars.append(tqdm(total=total, unit=unit, unit_scale=True, leave=False))
        bars[0].update(done - bars[0].n)

    return tell


def now_and_then(seconds: float) -> Iterator[None]:
    """Once, and again after each pause."""
    while True:
        yield
        time.sleep(seconds)
