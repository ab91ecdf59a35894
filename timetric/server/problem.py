"""What is wrong with a request, as the reply says it (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"

#: Where the environ of a request holds the headers that its reply has, whatever becomes of it.
STAMPS = "timetric.stamps"

#: Where it holds why the request was refused, for the log.
REASON = "timetric.reason"

#: What each 401 asks for.
CHALLENGE = 'Basic realm="Timetric"'


class Problem(Exception):
    """A request that is answered with an HTTP status and a sentence, nothing being done.

    ``members`` are what else helps: ``line``, ``field``, ``retry_after`` (seconds); those that
    are None are left out of the reply.
    """

    def __init__(self, status: int, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": MEDIA_TYPE}
        if self.status == 401:
            headers["WWW-Authenticate"] = CHALLENGE
        if "retry_after" in self.members:
            headers["Retry-After"] = str(self.members["retry_after"])
        return headers

    def document(self) -> bytes:
        """The body of the reply."""
        told = {name: member for name, member in self.members.items() if member is not None}
        title = HTTPStatus(self.status).phrase
        standard = {"type": "about:blank", "title": title, "status": self.status}
        return json.dumps({**standard, "detail": self.detail, **told}).encode("ascii")
