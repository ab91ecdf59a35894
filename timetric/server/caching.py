"""What replies say to caches, and when what a cache holds is still right (RFC 9110, 8.8 and 13)."""

from __future__ import annotations

import math
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from falcon import Request, Response
from falcon.util import http_date_to_dt

from timetric.server.storage import Series

_DEFAULTS = {
    "Vary": "Accept, Accept-Encoding, Authorization, Cookie",
    "Cache-Control": "private, no-cache",
}

#: The Cache-Control of what anybody may read.
PUBLIC = "public, no-cache"

#: Seconds after a change in which others may follow that a date, in whole seconds, can't tell.
_UNSETTLED = 2


class CachingDefaults:
    """Middleware: no reply is used again unasked, nor for others, unless its handler says so."""

    def process_request(self, req: Request, resp: Response) -> None:
        resp.set_headers(_DEFAULTS)


def forget(resp: Response) -> None:
    """Take off what was said of a reply that an error comes in the place of."""
    resp.delete_header("ETag")
    resp.delete_header("Last-Modified")
    resp.set_headers(_DEFAULTS)


class Caching:
    """The validators of what is read of a series. ``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def answers(
        self,
        req: Request,
        resp: Response,
        series: Series,
        representation: str,
        *,
        weak: bool = False,
    ) -> bool:
        """Put the validators on the reply; whether it is whole with that, as a 304.

        Asked once it is clear that whoever asks may read, and before anything is read. The
        ``representation`` tells those of one address apart; a ``weak`` one may come out with other
        bytes that mean the same.
        """
        tag = f"{series.version}.{series.generation}-{representation}"
        resp.set_header("ETag", f'W/"{tag}"' if weak else f'"{tag}"')
        public = series.metadata.public
        resp.set_header("Cache-Control", PUBLIC if public else "private, no-cache")
        changed, now = math.ceil(series.updated), self._clock()
        if now - changed > _UNSETTLED:
            resp.set_header("Last-Modified", _date(changed))
        if not self._is_known(req, tag, changed, now):
            return False
        resp.status = 304
        return True

    def _is_known(self, req: Request, tag: str, changed: int, now: float) -> bool:
        if req.get_header("If-None-Match") is not None:
            return any(known in (tag, "*") for known in req.if_none_match or ())
        since = _since(req)
        return since is not None and changed <= since < now - _UNSETTLED


def _since(req: Request) -> float | None:
    """The time of If-Modified-Since, in Unix seconds."""
    text = req.get_header("If-Modified-Since")
    if text is None:
        return None
    try:
        return http_date_to_dt(text, obs_date=True).timestamp()
    except ValueError:  # no date: it is to be ignored (RFC 9110, 13.1.3)
        return None


@lru_cache(maxsize=1024)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
