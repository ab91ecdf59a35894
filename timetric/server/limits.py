"""What the service takes of each who asks, and of all at once."""

from __future__ import annotations

from typing import NamedTuple

from timetric.server.attempts import Allowance


class Limits(NamedTuple):
    """``rate`` is of each token and each user who is signed in, ``anonymous_rate`` of an address.

    ``max_body`` is in bytes, ``min_speed`` in bytes a second. None is any number of requests.
    """

    rate: Allowance | None
    anonymous_rate: Allowance | None
    max_body: int
    max_uploads: int
    min_speed: int
