"""What the commands about one's series do. Each takes the parsed flags."""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from timetric.client import TimetricClient
from timetric.exceptions import InsecureWarning
from timetric.naming import find_series
from timetric.receipt import Receipt
from timetric.series import Series
from timetric.store import CommandError
from timetric.terminal import (
    ago,
    ask,
    bar,
    can_ask,
    is_terminal,
    iso,
    line,
    now_and_then,
    plain,
    say,
    write_csv,
    write_json,
    write_rows,
    write_table,
)
from timetric.window import Window, moment

_LISTED = ("id", "title", "unit", "updated")


@contextmanager
def connected() -> Iterator[TimetricClient]:
    """A client of this user's config. What it warns of is one line, like errors."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InsecureWarning)
        client = TimetricClient(user_agent="timetric-cli")
    for warning in told:
        say(f"timetric: warning: {warning.message}")
    with client:
        yield client


@contextmanager
def chosen(options: argparse.Namespace) -> Iterator[Series]:
    with connected() as client:
        yield find_series(client, options.id)


def ls(options: argparse.Namespace) -> None:
    words = " ".join(options.query)
    with connected() as client:
        find = client.search if options.all else client.mine
        found = find(words, tags=options.tags)
        if options.format or not is_terminal():
            facts = [(one.id, one.title, one.unit, one.updated) for one in found]
            write_rows(_LISTED, facts, options.format or "csv")
            return
        now = time.time()
        rows = [(one.id, one.title, one.unit, ago(one.updated, now)) for one in found]
    if rows:
        write_table(_LISTED, rows)
    else:
        say("no series found", options.quiet)


def show(options: argparse.Namespace) -> None:
    with chosen(options) as series:
        about = {"id": series.id, "url": series.url, **series.describe()}
        about["points"] = series.count()
        about["latest"] = series.latest()
    if options.format == "json" or not (options.format or is_terminal()):
        print(json.dumps(about, indent=2))
        return
    for name, value in about.items():
        if value not in ("", None, (), (None, None)):
            print(f"{name + ':':<13}{_shown(name, value)}")


def _shown(name: str, value: Any) -> str:
    """A field of a series for a person."""
    if name in ("created", "updated"):
        return iso(value)
    if name == "latest":
        return line(value, as_date=True).replace(",", "  ")
    if isinstance(value, tuple):
        return plain(", ".join(value))
    return f"{value:,}" if type(value) is int else plain(str(value))


def latest(options: argparse.Namespace) -> None:
    with chosen(options) as series:
        timestamp, value = series.latest()
    if timestamp is None:
        say("the series is empty", options.quiet)
        return
    write_csv([(timestamp, value)], _as_date(options))


def cat(options: argparse.Namespace) -> None:
    if (options.aggregate or options.tz) and not options.every:
        raise CommandError("--aggregate and --tz say how to fill buckets; give --every too")
    with chosen(options) as series:
        part = _part(series, options)
        if options.format == "csv" and not (options.every or _as_date(options)):
            sys.stdout.flush()
            part.csv(sys.stdout.buffer, progress=_bar(options))
            return
        write = write_json if options.format == "json" else write_csv
        write(_points(part, options), _as_date(options))


def _part(series: Series, options: argparse.Namespace) -> Window:
    if not options.since:
        return series[options.start : options.end]
    if options.start or options.end:
        raise CommandError("--since ends now; give either it, or --start and --end")
    return series.last(options.since)


def plot(options: argparse.Namespace) -> None:
    with chosen(options) as series:
        print(_part(series, options).plot(width=options.width, height=options.height))


def _points(part: Window, options: argparse.Namespace) -> Any:
    if options.every:
        return part.resample(options.every, options.aggregate or "mean", tz=options.tz or "UTC")
    return part.points(progress=_bar(options))


def _as_date(options: argparse.Namespace) -> bool:
    """A person reads dates; a program gets what the library gives."""
    return options.iso or (is_terminal() and options.format != "json")


def _bar(options: argparse.Namespace) -> Any:
    return None if is_terminal() else bar(" points", options.quiet)


def put(options: argparse.Namespace) -> None:
    is_single = hasattr(options, "value")  # null is a value too
    if is_single and options.file:
        raise CommandError("give either a FILE or --value")
    if options.at is not None and not is_single:
        raise CommandError("--at is for --value; the rows of a file have times of their own")
    terms = {"on_conflict": options.on_conflict, "dry_run": options.dry_run}
    with chosen(options) as series:
        if is_single:
            at = None if options.at is None else moment(options.at)
            done = series.update(options.value, at=at, **terms)
        else:
            with source(options.file) as file:
                done = series.update(file, progress=bar("B", options.quiet), **terms)
    say(told(done, options.dry_run), options.quiet)


def told(done: Receipt, dry_run: bool) -> str:
    """What a write did, in one line."""
    counts = {
        "added": done.added,
        "replaced": done.replaced,
        "unchanged": done.unchanged,
    }
    parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{'would be: ' if dry_run else ''}{parts or 'nothing to do'}"


@contextmanager
def source(name: str | None) -> Iterator[IO[bytes]]:
    """The file of this name, or standard input for "-"; or for no name, where that is a pipe."""
    if name is None and sys.stdin.isatty():
        raise CommandError("nothing to put: give a FILE, - for standard input, or --value")
    if name in (None, "-"):
        yield sys.stdin.buffer
        return
    with open(str(name), "rb") as file:
        yield file


def new(options: argparse.Namespace) -> None:
    names = ("title", "caption", "description", "unit", "source", "source_url", "slug", "public")
    about = {name: getattr(options, name) for name in names}
    about.update(tags=options.tags, latitude=options.latitude, longitude=options.longitude)
    with connected() as client:
        if options.file is None:
            made = client.create_series(**about)
        else:
            with source(options.file) as file:
                made = client.create_series(file, **about)
    print(made.id)
    say(made.url, options.quiet)


def inc(options: argparse.Namespace) -> None:
    with chosen(options) as series:
        point = series.increment(options.amount).point
    if point is not None:
        write_csv([point], _as_date(options))


def rm(options: argparse.Namespace) -> None:
    with chosen(options) as series:
        if not options.yes:
            _confirm(series)
        series.remove()
        say(f"removed {series.id}", options.quiet)


def _confirm(series: Series) -> None:
    if not can_ask():
        raise CommandError(f"nobody is here to confirm; to remove {series.id}, add --yes")
    count = f"{series.count():,} points"
    if ask(f'Remove "{plain(series.title)}" with {count}, for ever? [y/N]').lower() != "y":
        raise CommandError("nothing was removed")


def open_page(options: argparse.Namespace) -> None:
    import webbrowser

    with chosen(options) as series:
        if not webbrowser.open(series.url):
            raise CommandError(f"there is no browser to open {series.url}")
        say(series.url, options.quiet)


def watch(options: argparse.Namespace) -> None:
    """The latest point, then those that are later as they come, until Ctrl-C."""
    with chosen(options) as series:
        seen = -float("inf")
        for _ in now_and_then(options.interval):
            points = series[seen:] if seen > -float("inf") else [series.latest()]
            for timestamp, value in points:
                if timestamp is not None and timestamp > seen:
                    seen = timestamp
                    print(line((timestamp, value), _as_date(options)), flush=True)
