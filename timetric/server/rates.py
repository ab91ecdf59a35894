"""How many requests are answered to each token and user, and to all others from an address.

What is left is told on each reply (draft-ietf-httpapi-ratelimit-headers).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from falcon import Request, Response

from timetric.server.attempts import Allowance, Attempts, TooMany, network
from timetric.server.identity import Identity
from timetric.server.limits import Limits
from timetric.server.problem import STAMPS, Problem
from timetric.server.storage import User

#: Answered however often: a crowd of strangers must not make the service look dead.
_ALWAYS = "/health"

#: Signed by an application, mostly for nobody yet; so they count by address.
_DANCE = "/oauth/"

_WHOSE = {"token": "with this token", "user": "by you", "address": "from your address"}


class Rates:
    """Middleware that counts a request, once it is known whose it is and before it is done.

    Credentials count only when they are right: wrong ones are anybody's, so by the address.
    """

    def __init__(
        self,
        limits: Limits,
        identity: Identity,
        viewer: Callable[[Request], User | None],
        attempts: Attempts,
    ) -> None:
        self._token, self._user = _policy("token", limits.rate), _policy("user", limits.rate)
        self._address = _policy("address", limits.anonymous_rate)
        self._identity = identity
        self._viewer = viewer
        self._attempts = attempts

    def process_request(self, req: Request, resp: Response) -> None:
        if req.path == _ALWAYS:
            return
        policy, by = self._asker(req)
        if policy is None:
            return
        try:
            wait = self._attempts.count(policy.allowance, by)
        except TooMany as error:
            policy.tell(req, policy.allowance.seconds)
            raise policy.problem(error.retry_after) from error
        policy.tell(req, wait)

    def _asker(self, req: Request) -> tuple[Policy | None, str]:
        """What a request counts for: a policy, and whose it is."""
        token = None if req.path.startswith(_DANCE) else self._identity.proven(req)
        if token is not None:
            return self._token, token.key
        user = self._viewer(req) if "HTTP_COOKIE" in req.env else None
        if user is not None:
            return self._user, str(user.key)
        return self._address, network(req.context.address)


class Policy(NamedTuple):
    """An allowance, and the header that tells it."""

    allowance: Allowance
    header: tuple[str, str]

    def tell(self, req: Request, wait: float) -> None:
        """Put on the reply what is left, where all of it is there again in so many seconds."""
        (of, most, seconds), header = self
        left = int((seconds - wait) * most / seconds + 0.01)  # sums may be off by a little
        req.env[STAMPS] += header, ("RateLimit", f'"{of}";r={left};t={math.ceil(wait)}')

    def problem(self, retry_after: int) -> Problem:
        of, most, seconds = self.allowance
        return Problem(
            429,
            f"There were too many requests {_WHOSE[of]}; {most} are answered in {seconds:g} s.",
            retry_after=retry_after,
        )


def _policy(of: str, rate: Allowance | None) -> Policy | None:
    if rate is None:
        return None
    header = ("RateLimit-Policy", f'"{of}";q={rate.most};w={rate.seconds:.0f}')
    return Policy(rate._replace(of=of), header)
