"""Blocks: what goes in comes out, and what is said of it is true."""

from __future__ import annotations

import numpy as np
import pytest

from timetric.points import Value
from timetric.server.blocks import SIZE, cut, decode, encode
from timetric.server.columns import Columns, from_points


@pytest.mark.parametrize("size", [1, 2, 3, 10, 100, SIZE])
@pytest.mark.parametrize("seed", range(5))
def test_random_doubles_come_back_to_the_bit_and_take_no_more_room(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 0x7FF0_0000_0000_0000, 2 * size, dtype=np.uint64)
    t, v = np.sort(bits[:size].view(np.float64)), bits[size:].view(np.float64)
    block = encode(Columns(t, v))
    assert len(block.times) + len(block.values) <= t.nbytes + v.nbytes
    found = decode(block.codec, block.crc, block.times, block.values)
    assert [column.tobytes() for column in found] == [t.tobytes(), v.tobytes()]


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([None, True, False], (None, None, None, 0)),
        ([None, 3.0, True, -1.0], (-1.0, 3.0, 2.0, 2)),
        ([1e308, 1e308], (1e308, 1e308, None, 2)),
        ([5e-324], (5e-324, 5e-324, 5e-324, 1)),
    ],
)
def test_only_numbers_are_summed_up(values: list[Value], summary: tuple[float, ...]) -> None:
    assert encode(from_points(enumerate(values))).summary == summary


@pytest.mark.parametrize("size", [0, 1, SIZE, SIZE + 1, 3 * SIZE - 1, 3 * SIZE])
def test_columns_are_cut_into_as_few_blocks_as_they_fit_in(size: int) -> None:
    t = np.arange(float(size))
    pieces = list(cut(Columns(t, t)))
    assert len(pieces) == -(-size // SIZE)
    assert max((len(piece.t) for piece in pieces), default=0) <= SIZE
    assert [x for piece in pieces for x in piece.t.tolist()] == t.tolist()
