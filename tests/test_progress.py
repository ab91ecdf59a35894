"""Telling the caller how far a long call has come."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import timetric
from timetric.progress import meter


def test_a_function_is_told_how_much_is_done_of_what() -> None:
    told: list[tuple[int, int | None]] = []
    with meter(lambda done, total: told.append((done, total)), 10, "B") as tell:
        tell(4)
        tell(10)
    with meter(lambda done, total: told.append((done, total)), None, "B") as tell:
        tell(1)
    assert told == [(4, 10), (10, 10), (1, None)]


def test_a_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with meter(True, 2_000_000, "B") as tell:
        tell(1_500_000)
        tell(500_000)  # a retry begins anew
        tell(2_000_000)
    assert "2.00M/2.00M" in capsys.readouterr().err


@pytest.mark.parametrize("progress", [None, False])
def test_nothing_is_shown_unasked(progress: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with meter(progress, 10, "B") as tell:
        tell(10)
    assert capsys.readouterr() == ("", "")


def test_a_bar_without_tqdm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as where it is not installed
    with pytest.raises(timetric.ConfigError, match="pip install tqdm"), meter(True, 10, "B"):
        pytest.fail("there is no bar")


@pytest.mark.parametrize("progress", ["yes", 1])
def test_anything_else_is_refused(progress: Any) -> None:
    with pytest.raises(ValueError, match="progress"), meter(progress, 10, "B"):
        pytest.fail("it was taken")
