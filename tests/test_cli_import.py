"""``timetric import``, run on files as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest

import timetric
from tests.conftest import RunningService
from tests.test_cli_series import Shell


@pytest.fixture
def shell(tmp_path: Path, service: RunningService) -> Shell:
    return Shell(tmp_path, service.config)


MARCH_13 = 1710288000.0  # 2024-03-13T00:00:00Z


@pytest.mark.parametrize(
    "text, flags, points",
    [
        pytest.param("2024-03-13,1.5\n2024-03-14,2\n", [], [(0, 1.5), (24, 2)], id="plain"),
        pytest.param(
            "Datum;Wert\n13.03.2024 12:00;1,5\n14.03.2024 00:30;1.234,25\n",
            [],
            [(12, 1.5), (24.5, 1234.25)],
            id="German",
        ),
        pytest.param(
            "Meter 7, Office\n\ndate,time,kW\n03/13/2024,1:30 PM,n/a\n03/14/2024,12:00 AM,2\n",
            [],
            [(13.5, None), (24, 2)],
            id="American, with a preamble and a clock apart",
        ),
        pytest.param(
            "time\tname\tkW\n1710288000\ta\t1\n1710291600\tb\t2\n", [], [(0, 1), (1, 2)], id="tabs"
        ),
        pytest.param(
            "t,v\n1710288000000,1\n1710291600000,2\n", [], [(0, 1), (1, 2)], id="milliseconds"
        ),
        pytest.param("20240313|5\n20240314|6\n", [], [(0, 5), (24, 6)], id="digits and bars"),
        pytest.param(
            'when,v\n"13 March 2024","1,234.5"\n"14 Mar 2024","7"\n',
            [],
            [(0, 1234.5), (24, 7)],
            id="words and grouped digits",
        ),
        pytest.param(
            "t,v\n2024-03-13 01:00+01:00,1\n2024-03-13T01:00Z,2\n",
            ["--tz", "America/New_York"],
            [(0, 1), (1, 2)],
            id="zones of their own",
        ),
        pytest.param(
            "t,v\n2024-03-12 20:00,1\n",
            ["--tz", "America/New_York"],
            [(0, 1)],
            id="a zone that is given",
        ),
        pytest.param(
            "d,v\n03/04/24,1\n04/04/24,2\n",
            ["--order", "dmy"],
            [(21 * 24, 1), (22 * 24, 2)],
            id="an order that is given",
        ),
    ],
)
def test_a_file_is_understood(
    shell: Shell,
    series: timetric.Series,
    text: str,
    flags: list[str],
    points: list[tuple[float, float]],
) -> None:
    (shell.home / "meter.csv").write_text(text)
    assert shell.out("import", "meter.csv", "--into", series.id, *flags) == ""
    assert list(series) == [(MARCH_13 + hours * 3600, value) for hours, value in points]


def test_it_shows_what_it_understood_and_the_line_that_repeats_it(
    shell: Shell, series: timetric.Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Zeit;Größe\n" + "".join(f"{day}.03.2024;{day},5\n" for day in range(10, 18))
    (shell.home / "meter.csv").write_bytes(text.encode("cp1252"))
    done = shell.run("import", "meter.csv", "--into", series.id, "--dry-run")
    assert (done.returncode, done.stdout, series.count()) == (0, "", 0)
    for part in (
        "parted by ';'",
        "column 1 (Zeit), order dmy",
        "column 2 (Größe), decimal sign ,",
        "UTC (where a time names none",
        "  2024-03-14T00:00:00Z  14.5\n8 points.",
        "would be: 8 added",
    ):
        assert part in done.stderr
    line = next(line for line in done.stderr.splitlines() if "series.update" in line)
    monkeypatch.chdir(shell.home)
    exec(line.strip(), {"series": series})
    assert (series.count(), series.latest()) == (8, (1710633600.0, 17.5))


def test_day_and_month_are_never_guessed(shell: Shell, series: timetric.Series) -> None:
    (shell.home / "meter.csv").write_text("date,kW\n03/04/2024,1\n05/04/2024,2\n")
    error = shell.refused("import", "meter.csv", "--into", series.id)
    assert "dmy, mdy? give --order" in error
    code, screen = shell.at_terminal(
        "import", "meter.csv", "--into", series.id, "--yes", typed="mdy\n", asked="dmy, mdy?"
    )
    assert code == 0, screen
    assert series.latest() == (1714780800.0, 2.0)  # the 4th of May


def test_dates_of_both_orders_are_an_error(shell: Shell, series: timetric.Series) -> None:
    (shell.home / "meter.csv").write_text("03/14/2024,1\n14/03/2024,2\n")
    assert "--order" in shell.refused("import", "meter.csv", "--into", series.id)
    error = shell.refused_last("import", "meter.csv", "--into", series.id, "--order", "dmy")
    assert "line 1: '03/14/2024' is no date in the order dmy" in error
    assert series.count() == 0


def test_of_several_columns_one_has_to_be_named(shell: Shell, series: timetric.Series) -> None:
    (shell.home / "meter.csv").write_text("t,site,kW,kVA\n2024-03-13,a,1,2\n2024-03-14,b,3,4\n")
    assert "kW, kVA? give --column" in shell.refused("import", "meter.csv", "--into", series.id)
    shell.out("import", "meter.csv", "--into", series.id, "--column", "kVA")
    assert [value for _, value in series] == [2.0, 4.0]
    assert "'kWh'" in shell.refused("import", "meter.csv", "--into", series.id, "--column", "kWh")


def test_a_lone_comma_is_never_guessed(shell: Shell, series: timetric.Series) -> None:
    (shell.home / "meter.csv").write_text("2024-03-13;1,234\n2024-03-14;2,345\n")
    assert "give --decimal" in shell.refused("import", "meter.csv", "--into", series.id)
    shell.out("import", "meter.csv", "--into", series.id, "--decimal", ".")
    assert series.latest()[1] == 2345.0
    shell.out("import", "meter.csv", "--into", series.id, "--decimal", ",")
    assert series.latest()[1] == 2.345


def test_bad_rows_are_named_by_line(shell: Shell, series: timetric.Series) -> None:
    rows = "".join(f"2024-03-{day},{day}\n" for day in range(10, 30))
    (shell.home / "meter.csv").write_text(
        f"t,v\n{rows}2024-02-30,1\n2024-03-31,x\n2024-03-31,1,5\n"
    )
    error = shell.refused_last("import", "meter.csv", "--into", series.id)
    assert "line 22: " in error and "line 23: " in error and "line 24: " in error
    assert series.count() == 0
    shell.out("import", "meter.csv", "--into", series.id, "--skip-bad")
    assert series.count() == 20


def test_where_clocks_change(shell: Shell, series: timetric.Series) -> None:
    flags = ["--into", series.id, "--tz", "Europe/London"]
    (shell.home / "autumn.csv").write_text(
        "t,v\n2024-10-27 00:30,1\n2024-10-27 01:30,2\n2024-10-27 01:30,3\n2024-10-27 02:30,4\n"
    )
    shell.out("import", "autumn.csv", *flags)
    assert [t - 1729985400 for t, _ in series] == [0, 3600, 7200, 10800]
    (shell.home / "spring.csv").write_text("t,v\n2024-03-31 01:30,1\n2024-03-31 02:30,2\n")
    assert "line 2: '2024-03-31 01:30' was skipped" in shell.refused_last(
        "import", "spring.csv", *flags
    )
    assert "no time zone" in shell.refused("import", "spring.csv", "--tz", "Mars/Olympus")


@pytest.mark.parametrize("text", ["", "\n", "hello\n", "a,b\nc,d\n", "2024-03-13,x\n", "\0,\0\n"])
def test_what_is_no_table_is_one_line(shell: Shell, text: str) -> None:
    (shell.home / "meter.csv").write_text(text)
    shell.refused("import", "meter.csv", "--dry-run")
