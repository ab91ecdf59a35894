"""A series as JSON has it: what it says of itself, and where it stands (protocol.md, Endpoints)."""

from __future__ import annotations

from timetric.points import Point
from timetric.server.storage import Series


def thin_item(series: Series, url: str) -> dict[str, object]:
    """What names a series that stands at ``url``."""
    return {"name": series.id, "title": series.metadata.title, "url": url}


def thick_item(series: Series, latest: Point | None, url: str) -> dict[str, object]:
    """All there is to say of a series that stands at ``url``; None for what is not given.

    Times are Unix seconds, UTC.
    """
    about, point = series.metadata, latest or (None, None)
    return {
        **thin_item(series, url),
        "caption": about.caption,
        "description": about.description or None,
        "tags": about.tags,
        "unit": about.unit or None,
        "source": about.source or None,
        "source_url": about.source_url or None,
        "latitude": about.latitude,
        "longitude": about.longitude,
        "owner": series.owner.name,
        "public": about.public,
        "slug": about.slug,
        "created": series.created,
        "updated": series.updated,
        "points": series.points,
        "latest": {"timestamp": point[0], "value": point[1]},
    }
