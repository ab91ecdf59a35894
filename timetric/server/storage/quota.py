"""Holding a user to their quota, in the transaction that would go past it."""

from __future__ import annotations

import sqlite3

from timetric.server.storage import Missing, OverQuota, User


def check_series(db: sqlite3.Connection, owner: User) -> None:
    """Before a series is made. Raises OverQuota, and Missing where the owner is gone."""
    row = db.execute(
        "SELECT most_series, most_series <= (SELECT count(*) FROM series WHERE owner = ?1)"
        " FROM users WHERE key = ?1",
        (owner.key,),
    ).fetchone()
    if row is None:
        raise Missing(f"there is no user {owner.name!r} any more")
    most, is_full = row
    if is_full:
        raise OverQuota(f"this account may have {most} series, and has as many")


def check_points(db: sqlite3.Connection, series: int) -> None:
    """After points were added to a series. Raises OverQuota."""
    row = db.execute(
        "SELECT most_points FROM users JOIN series ON users.key = owner WHERE series.key = ?"
        " AND most_points IS NOT NULL"
        " AND most_points < (SELECT sum(points) FROM series WHERE owner = users.key)",
        (series,),
    ).fetchone()
    if row is not None:
        raise OverQuota(
            f"this account may have {row[0]} points in all its series, and would have more"
        )
