"""The parsers, held against bytes at random: hundreds of each, or under ``pytest -m slow`` many.

TIMETRIC_BAD_CASES is how many of each then, TIMETRIC_TEST_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bad_input.cases import cases, how_many
from tests.bad_input.parsers import PARSERS

pytestmark = pytest.mark.slow

#: What a case of at most 100,000 bytes may take, many times more than it does.
SECONDS, MEMORY = 10.0, 64 << 20


@pytest.mark.parametrize("name", PARSERS)
def test_any_bytes_are_read_or_refused(name: str, request: pytest.FixtureRequest) -> None:
    slow = request.config.getoption("markexpr") == "slow"
    seed = os.environ.get("TIMETRIC_TEST_SEED") or str(random.randrange(10**6))
    print(f"TIMETRIC_TEST_SEED={seed}")
    check, samples = PARSERS[name]
    longest, count = 0.0, how_many(slow, 1000)
    for case in cases(samples, (seed, name), count):
        begun = time.process_time()
        try:
            check(case)
        except Exception as error:  # whatever it is, with what it came of
            raise AssertionError(f"{name}, of {case!r}") from error
        longest = max(longest, time.process_time() - begun)
    print(f"{name}: {count} cases, of which the longest took {1000 * longest:.0f} ms")
    assert longest < SECONDS


@pytest.mark.parametrize("name", PARSERS)
def test_any_bytes_take_little_memory(name: str) -> None:
    check, samples = PARSERS[name]
    check(samples[0])  # what is loaded once
    tracemalloc.start()
    try:
        for case in cases(samples, name, 200):
            check(case)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


@pytest.mark.parametrize("name", PARSERS)
@settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), max_examples=100)
@given(data=st.data())
def test_bytes_that_shrink_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """The same by Hypothesis, which finds the least that fails."""
    check, samples = PARSERS[name]
    pieces = st.one_of(st.binary(max_size=20), st.text(max_size=10).map(str.encode))
    check(b"".join(data.draw(st.lists(st.one_of(pieces, st.sampled_from(samples)), max_size=6))))
