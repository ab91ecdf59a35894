"""Holding a user to their quota, in the transaction that would go past it."""

from __future__ import annotations

import sqlite3

from timetric.server.storage import Missing, OverQuota, User


def check_series(db: sqlite3.Connection, owner: User) -> None:
    """Before a series is made. Raises OverQuota, and Missing where the owner is gone."""
    row = db.execute(
        # without a quota nothing is counted: that would take longer with each series
        "SELECT most_series, CASE WHEN most_series IS NOT NULL"
        " THEN most_series <= (SELECT count(*) FROM series WHERE owner = ?1) END"
        " FROM users WHERE key = ?1",
        (owner.key,),
    ).fetchone()
    if row is None:
        raise Missing(f"there is no user {owner.name!r} any more")
    most, is_full = row
    if is_full:
        raise OverQuota(f"this account may have {most} series, and has as many")


def check_points(db: sqlite3.Connection, series: int, more: int = 0) -> None:
    """After points were added to a series, or before so many ``more`` are. Raises OverQuota."""
    _refuse(
        db.execute(
            "SELECT most_points FROM users JOIN series ON users.key = owner WHERE series.key = ?"
            " AND most_points IS NOT NULL"
            " AND most_points < ? + (SELECT sum(points) FROM series WHERE owner = users.key)",
            (series, more),
        ).fetchone()
    )


def check_first_points(db: sqlite3.Connection, owner: User, more: int) -> None:
    """Before a series with so many points is made. Raises OverQuota."""
    _refuse(
        db.execute(
            "SELECT most_points FROM users WHERE key = ?1 AND most_points IS NOT NULL AND"
            " most_points < ?2 + (SELECT ifnull(sum(points), 0) FROM series WHERE owner = ?1)",
            (owner.key, more),
        ).fetchone()
    )


def _refuse(row: tuple[int] | None) -> None:
    if row is not None:
        raise OverQuota(
            f"this account may have {row[0]} points in all its series, and would have more"
        )
