"""The commands about one's own series, and their flags. Scripts rely on the names."""

from __future__ import annotations

import argparse
from typing import Any

from timetric import completion, flag_types, import_command, login, user_commands
from timetric.base_url import DEFAULT_URL
from timetric.layout import ORDERS

_ID_HELP = "an ID, the page's URL, a slug, or a part of the title that no other series of yours has"
_FORMATS = ("csv", "json")


def add_user_commands(names: Any) -> None:
    _add_login(names)
    _add_reading(names)
    _add_plot(names)
    _add_writing(names)
    _add_new(names)
    _add_import(names)
    _add_rest(names)


def command(names: Any, name: str, run: Any, help: str, example: str) -> Any:
    """A command with a line of example under its help."""
    parser = names.add_parser(
        name,
        help=help,
        description=help,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quiet", action="store_true", help="tell nothing but data and errors")
    parser.set_defaults(run=run, format=None, iso=False)
    return parser


def _add_login(names: Any) -> None:
    parser = command(
        names, "login", login.login, "keep a token for a service", "timetric login http://host/"
    )
    parser.add_argument(
        "url", metavar="URL", nargs="?", type=flag_types.url, default=DEFAULT_URL, help=DEFAULT_URL
    )
    parser.add_argument(
        "--token-stdin", action="store_true", help="read KEY:SECRET from a pipe, and do not ask"
    )
    parser.add_argument(
        "--oauth",
        action="store_true",
        help="ask for an application's KEY:SECRET instead, and be let in by the browser",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="with --oauth: show the page's address instead"
    )
    parser.add_argument("--replace", action="store_true", help="overwrite the config that is there")


def _add_reading(names: Any) -> None:
    ls = command(
        names, "ls", user_commands.ls, "list your series", "timetric ls power --tag office"
    )
    ls.add_argument("query", metavar="QUERY", nargs="*", help="words that a series says of itself")
    ls.add_argument("--all", action="store_true", help="those of others too, where you may read")
    _add_tags(ls, "only those with it; may be given several times")
    _add_format(ls, _FORMATS, "csv into a pipe; a table on a terminal")
    show = _of_series(names, "show", user_commands.show, "show what a series says of itself")
    _add_format(show, ("text", "json"), "json into a pipe; text on a terminal")
    _add_iso(_of_series(names, "latest", user_commands.latest, "print the latest point"))
    cat = _of_series(
        names,
        "cat",
        user_commands.cat,
        "print points, oldest first",
        "timetric cat office-power --since 2w --every 1d --aggregate max",
    )
    _add_span(cat)
    cat.add_argument("--every", metavar="SPAN", help="in buckets, such as 15min, 1d or 1mo")
    cat.add_argument(
        "--aggregate",
        choices=("mean", "min", "max", "sum", "count", "first", "last"),
        help="what a bucket's numbers come to (mean)",
    )
    cat.add_argument("--tz", metavar="ZONE", help="whose calendar cuts the buckets (UTC)")
    cat.add_argument("--format", choices=_FORMATS, default="csv", help="csv, or json: an array")
    _add_iso(cat)
    watch = _of_series(names, "watch", user_commands.watch, "follow new points, until Ctrl-C")
    watch.add_argument(
        "--interval",
        metavar="S",
        type=flag_types.seconds,
        default=2.0,
        help="seconds between looks (2)",
    )
    _add_iso(watch)


def _add_plot(names: Any) -> None:
    plot = _of_series(
        names,
        "plot",
        user_commands.plot,
        "draw a chart of the numbers",
        "timetric plot office-power --since 2w",
    )
    _add_span(plot)
    for name in ("width", "height"):
        plot.add_argument(
            f"--{name}", metavar="N", type=flag_types.count, help="in characters; the terminal's"
        )


def _add_writing(names: Any) -> None:
    put = _of_series(
        names,
        "put",
        user_commands.put,
        "add points of a CSV file, of a pipe, or one value",
        "timetric put office-power --value 14",
    )
    put.add_argument(
        "file", metavar="FILE", nargs="?", help="rows of timestamp,value; - for a pipe"
    )
    put.is_mixed = True
    put.add_argument(
        "--value",
        metavar="V",
        type=flag_types.value,
        default=argparse.SUPPRESS,
        help="a single one, instead",
    )
    put.add_argument("--at", metavar="WHEN", help="its time (now)")
    put.add_argument(
        "--on-conflict",
        choices=("replace", "keep", "error"),
        default="replace",
        help="what becomes of a point at a timestamp that exists (replace)",
    )
    put.add_argument("--dry-run", action="store_true", help="only tell what would be")
    inc = _of_series(
        names, "inc", user_commands.inc, "add to the latest value", "timetric inc oranges 3"
    )
    inc.add_argument("amount", metavar="AMOUNT", type=flag_types.number)
    _add_iso(inc)


def _add_new(names: Any) -> None:
    new = command(
        names,
        "new",
        user_commands.new,
        "make a series and print its ID",
        'timetric new "Office power" --caption "Power drawn by the office" power.csv',
    )
    new.is_mixed = True
    new.add_argument("title", metavar="TITLE")
    new.add_argument("file", metavar="FILE", nargs="?", help="its points, as CSV; - for a pipe")
    new.add_argument("--caption", metavar="TEXT", required=True, help="a line about it")
    for name in ("description", "unit", "source", "source-url", "slug"):
        new.add_argument(f"--{name}", metavar="TEXT", default="")
    for name in ("latitude", "longitude"):
        new.add_argument(f"--{name}", metavar="DEGREES", type=flag_types.number)
    _add_tags(new, "may be given several times")
    new.add_argument("--public", action="store_true", help="let anybody read it")


def _add_import(names: Any) -> None:
    parser = command(
        names,
        "import",
        import_command.run,
        "add points of a CSV file, however it is written",
        "timetric import meter.csv --into office-power --order dmy --tz Europe/London",
    )
    add = parser.add_argument
    add("file", metavar="FILE")
    add("--into", dest="id", metavar="ID", help=_ID_HELP + "; else only what is read is shown")
    add("--delimiter", metavar="SIGN", help="what parts columns; tab for a tab")
    add("--header", metavar="N", type=flag_types.count, help="rows ahead of the points")
    add("--time", metavar="COLUMN", help="name or number, from 1, of the column of times")
    add("--column", dest="value", metavar="COLUMN", help="likewise, of values")
    add("--order", choices=tuple(ORDERS), help="of day, month and year")
    add("--decimal", choices=(".", ","), help="the decimal sign")
    add("--tz", metavar="ZONE", help="of times that name none, such as Europe/London (UTC)")
    add("--skip-bad", action="store_true", help="leave out rows that can't be read, and name them")
    add("--dry-run", action="store_true", help="only show what would be")
    add("--yes", action="store_true", help="do not ask whether it was understood")


def _add_rest(names: Any) -> None:
    rm = _of_series(
        names,
        "rm",
        user_commands.rm,
        "remove a series, for ever",
        "timetric rm office-power --yes",
    )
    rm.add_argument("--yes", action="store_true", help="do not ask")
    _of_series(names, "open", user_commands.open_page, "open the page of a series in the browser")
    shells = command(
        names,
        "completion",
        completion.write,
        "print what completes these commands in a shell",
        "timetric completion bash > timetric.bash",
    )
    shells.add_argument("shell", choices=completion.SHELLS)


def _of_series(names: Any, name: str, run: Any, help: str, example: str = "") -> Any:
    parser = command(names, name, run, help, example or f"timetric {name} office-power")
    parser.add_argument("id", metavar="ID", help=_ID_HELP)
    return parser


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="SPAN", help="the time up to now, such as 2w")
    parser.add_argument("--start", metavar="WHEN", help="from then on")
    parser.add_argument("--end", metavar="WHEN", help="before then")


def _add_iso(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--iso", action="store_true", help="dates instead of Unix seconds, as on a terminal"
    )


def _add_format(parser: argparse.ArgumentParser, forms: tuple[str, ...], help: str) -> None:
    parser.add_argument("--format", choices=forms, help=help)


def _add_tags(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("--tag", dest="tags", metavar="TAG", action="append", default=[], help=help)
