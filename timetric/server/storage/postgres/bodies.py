"""The bytes of blocks that a large write brings to PostgreSQL.

They wait in memory, or in a temporary file where they are many. They go in with the write, in its
one transaction, before it locks its series: so nobody waits for them, and none is ever left over.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile

from timetric.server.blocks import Block
from timetric.server.storage.postgres import statements as sql
from timetric.server.storage.postgres.database import PostgresDatabase
from timetric.server.storage.postgres.tables import Body, PostgresTables
from timetric.server.storage.stage import Stage

_MOST = 16 << 20  # bytes in memory
_AT_ONCE = 4096  # blocks a statement, which may take only so long


class PostgresStage(Stage):
    """Keeps bytes until they are put in."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__()
        self._database = database
        self._file = SpooledTemporaryFile(_MOST)  # noqa: SIM115 (closed with the stage)
        self._sizes: dict[int, tuple[int, int]] = {}  # of times and values, in the file's order

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _store(self, blocks: list[Block]) -> list[int]:
        (keys,) = self._database.row(sql.KEYS, (len(blocks),))
        self._file.seek(0, 2)
        for key, block in zip(keys, blocks):
            self._file.write(block.times)
            self._file.write(block.values)
            self._sizes[key] = len(block.times), len(block.values)
        return list(keys)

    def put(self, rows: PostgresTables) -> None:
        """Store all bytes."""
        self._file.seek(0)
        bodies, left = self._bodies(), len(self._sizes)
        while left > 0:
            rows.put_bodies(islice(bodies, _AT_ONCE))
            left -= _AT_ONCE

    def clear(self, rows: PostgresTables) -> None:
        """Take those away again that came into no block."""
        left = self._sizes.keys() - rows.adopted
        if left:
            rows.drop_bodies(list(left))

    def _bodies(self) -> Iterator[Body]:
        for key, (times, values) in self._sizes.items():
            yield Body(key, self._file.read(times), self._file.read(values))
