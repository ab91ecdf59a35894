"""Holding a user to their quota in PostgreSQL.

Whoever may go past it locks the user's row first, so that two who add at once are told apart. A
user without one locks nothing.
"""

from __future__ import annotations

from typing import Any

from timetric.server.storage import Missing, OverQuota, User
from timetric.server.storage.postgres.pool import Connection

_OWNER = """SELECT users.key, most_points FROM users JOIN series ON users.key = series.owner
    WHERE series.key = %s"""
_LOCK = "SELECT most_series, most_points FROM users WHERE key = %s FOR NO KEY UPDATE"
_USER = "SELECT most_series, most_points FROM users WHERE key = %s"
#: They go through all of a user's series, so they are asked only where there is a quota.
_SERIES = "SELECT count(*) FROM series WHERE owner = %s"
_POINTS = """SELECT coalesce(sum(points), 0) FROM states JOIN series ON series.key = states.series
    WHERE series.owner = %s"""


def check_new(db: Connection, owner: User, points: int, *, locks: bool) -> None:
    """Before a series with so many points is made. Raises OverQuota, Missing."""
    quota = _one(db, _USER, owner.key)
    if quota is not None and quota != (None, None) and locks:
        quota = _one(db, _LOCK, owner.key)
    if quota is None:
        raise Missing(f"there is no user {owner.name!r} any more")
    most_series, most_points = quota
    if most_series is not None and _one(db, _SERIES, owner.key)[0] >= most_series:
        raise OverQuota(f"this account may have {most_series} series, and has as many")
    if most_points is not None and points:
        _check_points(db, owner.key, most_points, points)


def check_points(db: Connection, series: int, more: int, *, locks: bool) -> None:
    """After points were added to a series, or before so many ``more`` are. Raises OverQuota."""
    row = _one(db, _OWNER, series)
    if row is None or row[1] is None:
        return
    owner, most = row
    if locks:
        _, most = _one(db, _LOCK, owner)
    _check_points(db, owner, most, more)


def _check_points(db: Connection, owner: int, most: int, more: int) -> None:
    if _one(db, _POINTS, owner)[0] + more > most:
        raise OverQuota(
            f"this account may have {most} points in all its series, and would have more"
        )


def _one(db: Connection, statement: str, key: int) -> Any:
    return db.execute(statement, (key,)).fetchone()
