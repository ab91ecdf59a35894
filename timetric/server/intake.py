"""Reading an upload of any size into columns, in bounded memory.

The file is parsed slice by slice into sorted runs. When these are many they are kept in temporary
files, and mapped; where they overlap they are merged, a stretch of time at a time, into others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from itertools import chain, pairwise, repeat
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import IO, BinaryIO, NamedTuple

import numpy as np

from timetric.exceptions import InvalidPoint
from timetric.server.columns import (
    EMPTY,
    RECORD,
    BadRecord,
    Columns,
    Floats,
    parse_csv,
    parse_records,
    part,
    tidy,
)

#: How much of a file is parsed at a time, and how long a line may be, in bytes.
SLICE, LONGEST_LINE = 2 << 20, 64 << 10

#: How many points are kept in memory; also, how many are merged at a time.
MEMORY = 1 << 19

#: How many files are read at once, since each takes some 20 MB for it; small ones need not wait.
_TURNS, _SMALL = BoundedSemaphore(4), 64 << 10

_SAMPLE = 1024  # of how many points of a run one is looked at, to cut a merge into stretches


class Upload(NamedTuple):
    """The tidy points of an upload, and how many rows it had."""

    points: Columns
    rows: int


#: One without any.
NOTHING = Upload(EMPTY, 0)


def read_csv(file: BinaryIO) -> Upload:
    """Parse a whole CSV file; the columns of a large one lie in temporary files.

    Raises InvalidPoint naming the line (protocol.md, Values and CSV).
    """
    return _read(_slices(file), parse_csv, lambda lines: lines.count(b"\n"))


def read_records(file: BinaryIO) -> Upload:
    """Parse a whole file of the 16-byte form, likewise. Raises BadRecord naming the record."""
    return _read(_records(file), parse_records, lambda records: len(records) // RECORD)


def _read(
    slices: Iterator[bytes],
    parse: Callable[[bytes, int], Columns],
    count: Callable[[bytes], int],
) -> Upload:
    first, number = next(slices), 1
    with _TURNS if len(first) >= _SMALL else nullcontext(), Runs() as runs:
        for piece in chain([first], slices):
            runs.add(parse(piece, number))
            number += count(piece)
        return Upload(runs.merged(), runs.rows)


def _records(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces of whole records."""
    rest, number = b"", 1
    while piece := file.read(SLICE):
        data = rest + piece
        whole, left = divmod(len(data), RECORD)
        rest = data[len(data) - left :]
        number += whole
        yield data[: len(data) - left]
    if rest:
        raise BadRecord(f"it has {len(rest)} bytes of {RECORD}", number)
    yield b""


def _slices(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces of whole lines, without a byte-order mark."""
    rest = file.read(3).removeprefix(b"\xef\xbb\xbf")
    line = 1
    sizes = chain([min(2 * _SMALL, SLICE)], repeat(SLICE))  # the first shows whether it is small
    while piece := file.read(next(sizes)):
        head, newline, tail = (rest + piece).rpartition(b"\n")
        line += head.count(b"\n") + len(newline)
        if len(tail) > LONGEST_LINE:
            raise InvalidPoint("longer than any timestamp,value", line=line)
        rest = tail
        yield head + newline
    yield rest


class Runs:
    """Tidy columns, the later of which stand above the earlier; many are kept in files."""

    def __init__(self) -> None:
        self.rows = 0  # that came
        self._memory: list[Columns] = []
        self._ends = [0]  # where each run ends, counted in points over all of them
        self._store: Store | None = None

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.close()

    def add(self, run: Columns) -> None:
        """Take a run in, in any order; it may be empty."""
        self.rows += len(run.t)
        run = tidy(run)
        self._memory.append(run)
        self._ends.append(self._ends[-1] + len(run.t))
        if self._ends[-1] <= MEMORY:
            return
        self._store = self._store or Store()
        for kept in self._memory:
            self._store.append(kept)
        self._memory.clear()

    def merged(self) -> Columns:
        """All runs in one, tidy."""
        if self._store is None:
            return _joined(self._memory)
        columns = self._store.columns()
        runs = [part(columns, start, end) for start, end in pairwise(self._ends) if start < end]
        if all(before.t[-1] < after.t[0] for before, after in pairwise(runs)):
            return columns
        return _merged_by_stretches(runs)


class Store:
    """Columns in temporary files, which go when nothing maps them any more."""

    def __init__(self) -> None:
        self._files = tuple(TemporaryFile() for _ in Columns._fields)  # noqa: SIM115

    def append(self, columns: Columns) -> None:
        for file, column in zip(self._files, columns):
            file.write(column.tobytes())

    def columns(self) -> Columns:
        """Everything that was appended, mapped."""
        return Columns(*map(_mapped, self._files))

    def close(self) -> None:
        """Close the files. What is mapped stays."""
        for file in self._files:
            file.close()


def _mapped(file: IO[bytes]) -> Floats:
    file.flush()
    return np.memmap(file, np.float64, "r")


def _merged_by_stretches(runs: list[Columns]) -> Columns:
    samples = np.sort(np.concatenate([run.t[::_SAMPLE] for run in runs]))
    bounds = [-np.inf, *samples[:: MEMORY // _SAMPLE], np.inf]
    with closing(Store()) as store:
        for start, end in pairwise(bounds):
            store.append(_joined([_between(run, start, end) for run in runs]))
        return store.columns()


def _joined(runs: list[Columns]) -> Columns:
    return tidy(Columns(*map(np.concatenate, zip(EMPTY, *runs))))


def _between(run: Columns, start: float, end: float) -> Columns:
    return part(run, *np.searchsorted(run.t, [start, end]))
