"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine, table
from benchmarks.contenders import Contender
from benchmarks.contenders.influx import InfluxDB
from benchmarks.contenders.postgres import TimetricOnPostgres
from benchmarks.contenders.rows import Rows
from benchmarks.contenders.timetric import Timetric
from benchmarks.contenders.victoria import VictoriaMetrics
from benchmarks.measures import MEASURES, Measure
from benchmarks.stage import FULL, QUICK, Actor, Sizes, Stage

CONTENDERS: list[Contender] = [
    Timetric(),
    TimetricOnPostgres(),
    InfluxDB(),
    VictoriaMetrics(),
    Rows(),
]


def main() -> None:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks: told to end"))
    measures = [measure for measure in MEASURES if options.only in ("", measure.name)]
    if not measures:
        known = ", ".join(measure.name for measure in MEASURES)
        sys.exit(f"benchmarks: there is no measure {options.only}; there are {known}")
    installed = [contender for contender in CONTENDERS if contender.is_installed()]
    for contender in CONTENDERS:
        print(f"{contender.name}: {contender.remark if contender in installed else 'missing'}")
    print(machine.described(), flush=True)
    rows = _run(measures, installed, QUICK if options.quick else FULL, options.rounds)
    names = [contender.name for contender in installed]
    print(table.as_text(rows, names), end="")
    if options.rst:
        options.rst.write_text(table.as_rst(rows, names), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure; 3")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--only", metavar="NAME", default="", help="take one measure only")
    parser.add_argument("--rst", metavar="FILE", type=Path, help="write the table there too")
    return parser


def _run(
    measures: list[Measure], contenders: list[Contender], sizes: Sizes, rounds: int
) -> list[table.Row]:
    """Take all measures, in each round one after another of all contenders in turn."""
    rows = [
        table.Row(
            measure, measure.title.format(**sizes._asdict()), {c.name: [] for c in contenders}
        )
        for measure in measures
    ]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = Stage(sizes, scratch)
        actors = [_enter(contender, stage, stack) for contender in contenders]
        for number in range(rounds):
            stage.next_round()
            for row in rows:
                _take(row, stage, actors, first=number == 0)
    return rows


def _enter(contender: Contender, stage: Stage, stack: ExitStack) -> Actor:
    """Start a contender, and hold it still until it is measured."""
    directory = stack.enter_context(stage.directory())
    actor = Actor(contender, stack.enter_context(contender.running(directory)))
    actor.freeze()
    return actor


def _take(row: table.Row, stage: Stage, actors: list[Actor], *, first: bool) -> None:
    if row.measure.once and not first:
        return
    for actor in actors:
        actor.thaw()
        figure = row.measure.take(stage, actor)
        actor.freeze()
        if figure is None:
            continue
        row.figures[actor.name].append(figure)
        print(f"{row.title}: {actor.name} {figure:.4g} {row.measure.unit}", file=sys.stderr)


if __name__ == "__main__":
    main()
