"""When a token or an application of a form ends."""

from __future__ import annotations

from timetric.server.account.form import text
from timetric.server.body import Fields
from timetric.server.pages import PageProblem

_DAY = 24 * 60 * 60

#: What a form offers: the words, and the seconds from now.
CHOICES: dict[str, float | None] = {
    "never": None,
    "in a day": _DAY,
    "in a week": 7 * _DAY,
    "in 30 days": 30 * _DAY,
    "in 90 days": 90 * _DAY,
    "in a year": 365 * _DAY,
}


def chosen_expiry(fields: Fields, now: float) -> float | None:
    """In Unix seconds; None is never. Raises PageProblem."""
    choice = text(fields, "expires") or "never"
    if choice not in CHOICES:
        raise PageProblem(400, "Choose one of the times that the form offers.", field="expires")
    seconds = CHOICES[choice]
    return None if seconds is None else now + seconds
