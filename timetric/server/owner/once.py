"""Forms that do their work once, however often they are sent: by the key that each one holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

from falcon import Request

from timetric.server.body import Fields, only
from timetric.server.credentials import Random, make_secret
from timetric.server.intake import NOTHING, Upload
from timetric.server.owner.own import Owners
from timetric.server.receipt import Key
from timetric.server.storage import Missing, Storage, User
from timetric.server.terms import meaning

_KEY = re.compile(r"[A-Za-z0-9_-]{22}")


def form_key(req: Request, fields: Fields, upload: Upload = NOTHING) -> Key | None:
    """An Idempotency-Key of the form's own key and of what the form says.

    So a form that is sent twice is done once, and one that was changed in between is another.
    None where the form has no key, as one that a program made up.
    """
    secret = only(fields, "key") or ""
    if not _KEY.fullmatch(secret):
        return None
    means = meaning(req, fields, upload)
    return Key(f"{secret}.{means.hex()}", means)


class Writes:
    """What the writes of forms did. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def is_done(self, user: User, series: str, key: Key | None) -> bool:
        """Whether a write to the series, or ("") one that made it, was done by this key before."""
        if key is None:
            return False
        try:
            self._storage.receipt(user, series, key.text, self._clock())
        except Missing:  # it is the first one
            return False
        return True


class KeyedForm:
    """A page with a form that is done once. ``clock`` gives Unix seconds."""

    def __init__(
        self, storage: Storage, owners: Owners, clock: Callable[[], float], random: Random
    ) -> None:
        self._storage = storage
        self._owners = owners
        self._clock = clock
        self._random = random
        self._writes = Writes(storage, clock)

    def _new_key(self) -> str:
        """For each form that is shown."""
        return make_secret(self._random)


def done_query(done: str, key: Key | None, again: bool = False) -> str:
    """What tells the page that a form goes on to what was done."""
    write = {"write": key.text} if key else {}
    return urlencode({"done": done, **write, **({"again": "true"} if again else {})})
