"""What goes wrong in a store."""

from __future__ import annotations


class StorageError(Exception):
    """The store can't do what was asked; the text says what to do."""


class Taken(StorageError):
    """The name or key is in use."""


class SlugTaken(Taken):
    """The owner has a series of that slug: the one with this ``id``."""

    def __init__(self, slug: str, id: str) -> None:
        super().__init__(f"there is a series {slug!r} of yours already")
        self.id = id


class Missing(StorageError):
    """There is no such user, token, application, link, session or series (any more)."""


class OverQuota(StorageError):
    """A user would have more than they may."""


class NotNumeric(StorageError):
    """An increment met a word, or its sum is past a double's range."""


class Full(StorageError):
    """There is no room on the disk."""


class Unavailable(StorageError):
    """The store can't be written or read just now."""


class Damaged(StorageError):
    """What is stored of a series is not what was written."""


class Conflict(StorageError):
    """A point stands at ``timestamp`` already, with another value."""

    def __init__(self, timestamp: float) -> None:
        super().__init__(f"a point with another value stands at {timestamp!r} already")
        self.timestamp = timestamp


class Changed(StorageError):
    """The series is not of a version that was asked for."""


class Reused(StorageError):
    """The Idempotency-Key was used for a write that means something else."""


class Busy(StorageError):
    """The first write with this Idempotency-Key has been under way for long."""


class Rewritten(StorageError):
    """The history was replaced or cleared while it was being read."""
