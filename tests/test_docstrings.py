"""The examples in the docstrings of the public classes run, and none of their methods lacks one."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pytest

import timetric

#: Steps of a dance with a person and a browser; docs/client has them, and tests of their own.
WITHOUT = {
    *("authorize", "get_request_token", "get_authorize_url", "get_access_token"),
    *("request", "large_pages"),  # for those who know the protocol
}

POINTS = [("2024-01-15", 10), ("2024-02-15", 12.5), ("2024-02-16", 14)]

CLASSES = [timetric.TimetricClient, timetric.Series, timetric.Window]
EXAMPLES = [
    found
    for kind in CLASSES
    for found in doctest.DocTestFinder(recurse=True).find(kind, kind.__name__)
    if found.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(
    client: timetric.TimetricClient,
    example: doctest.DocTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    series = client.create_series(POINTS, title="Office power", caption="Drawn", unit="kW")
    example.globs = {"timetric": timetric, "client": client, "series": series}
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("kind", CLASSES)
def test_each_public_method_has_one(kind: type) -> None:
    named = {found.name.rpartition(".")[2] for found in EXAMPLES}
    own = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
    assert own - named - WITHOUT == set()
