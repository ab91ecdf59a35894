"""What nearly each request looks up again: kept in memory for as long as it holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from timetric.server.storage.sql import Epoch

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST = 10_000  # entries


class Known(Generic[K, V]):
    """Look-ups by key, each answered from memory until the epoch has changed."""

    def __init__(self, epoch: Epoch, find: Callable[[K], V]) -> None:
        self._epoch = epoch
        self._find = find
        self._kept: tuple[int | None, dict[K, V]] = (None, {})

    def __getitem__(self, key: K) -> V:
        """What ``find`` gives for the key, now or at any time since the last change.

        What it raises is raised here, and asked for again the next time.
        """
        now = self._epoch.now()
        epoch, kept = self._kept
        if now is None:
            return self._find(key)
        if now != epoch:
            self._kept = now, (kept := {})
        elif key in kept:
            return kept[key]
        if len(kept) >= _MOST:
            kept.clear()
        # Looked up after the epoch was, it is at least that new.
        return kept.setdefault(key, self._find(key))
