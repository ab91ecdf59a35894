"""What one write packs ahead of its transaction: a parcel for each stretch of its points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType

from timetric.server.blocks import Block
from timetric.server.storage.parcel import Change, Packer, Parcel, Stretch


class Stage(ABC):
    """It holds what it has packed for as long as a ``with`` statement."""

    def __init__(self) -> None:
        self._packer = Packer(self._store)
        self._parcels: dict[Stretch, Parcel] = {}

    def __enter__(self) -> Stage:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of what was not put into blocks."""

    def __contains__(self, stretch: Stretch) -> bool:
        return stretch in self._parcels

    def __getitem__(self, stretch: Stretch) -> Parcel:
        return self._parcels[stretch]

    def pack(self, stretch: Stretch, steps: Iterable[Change]) -> None:
        """Pack the steps of a stretch."""
        self._parcels[stretch] = self._packer.pack(steps)

    def flush(self) -> None:
        """Store what has been packed."""
        self._packer.flush()

    @abstractmethod
    def _store(self, blocks: list[Block]) -> list[int]:
        """Keep the bytes of some blocks; their keys."""
