"""What is wrong with a form, told to whoever filled it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timetric.exceptions import InvalidPoint
from timetric.server.metadata import BadMetadata
from timetric.server.pages import PageProblem
from timetric.server.problem import Problem
from timetric.server.storage import (
    Busy,
    Changed,
    Conflict,
    Full,
    OverQuota,
    SlugTaken,
    Unavailable,
)
from timetric.timestamps import format_iso

#: What the fields of a series are called on its forms.
LABELS = {
    "title": "The title",
    "caption": "The caption",
    "description": "The description",
    "tags": "A tag",
    "unit": "The unit",
    "source": "The source",
    "source_url": "The address of the source",
    "latitude": "The latitude",
    "longitude": "The longitude",
    "public": "Who may see it",
    "slug": "The short name",
}

_TELLERS: dict[type[Exception], Callable[[Any], PageProblem]] = {
    Problem: lambda error: PageProblem(error.status, error.detail, **error.members),
    BadMetadata: lambda error: PageProblem(
        400, f"{LABELS[error.field]}{str(error)[len(error.field) :]}.", field=error.field
    ),
    InvalidPoint: lambda error: PageProblem(400, f"{error.detail}."),
    SlugTaken: lambda error: PageProblem(
        409, "Another series of yours has this short name.", field="slug"
    ),
    OverQuota: lambda error: PageProblem(403, f"Nothing was stored: {error}."),
    Conflict: lambda error: PageProblem(
        409,
        f"Nothing was stored: at {format_iso(error.timestamp)} UTC another value stands already.",
    ),
    Busy: lambda error: PageProblem(409, "The same form is still at work. Try again."),
    Changed: lambda error: PageProblem(409, "The series changes too often just now. Try again."),
    Full: lambda error: PageProblem(507, "The service's disk is full; nothing was stored."),
    Unavailable: lambda error: PageProblem(
        503, "The store is not ready. Try again.", retry_after=5
    ),
}

#: The errors that a form tells; all others are not its to tell.
WRONG = tuple(_TELLERS)


def told(error: Exception, field: str | None = None) -> PageProblem:
    """One of WRONG, for a person; ``field`` is where it is shown, unless the error knows better."""
    if isinstance(error, PageProblem):
        return error
    kind = next(kind for kind in type(error).__mro__ if kind in _TELLERS)
    problem = _TELLERS[kind](error)
    if field is not None:
        problem.members.setdefault("field", field)
    return problem
