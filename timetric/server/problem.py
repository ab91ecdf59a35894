"""What is wrong with a request, as the reply says it (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"

#: What each 401 asks for.
CHALLENGE = 'Basic realm="Timetric"'


class Problem(Exception):
    """A request that is answered with an HTTP status and a sentence, nothing being done.

    ``members`` are what else helps, such as ``line`` and ``field``; those that are None are left
    out of the reply.
    """

    def __init__(self, status: int, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members

    @property
    def headers(self) -> dict[str, str]:
        challenge = {"WWW-Authenticate": CHALLENGE} if self.status == 401 else {}
        return {"Content-Type": MEDIA_TYPE, **challenge}

    def document(self) -> bytes:
        """The body of the reply."""
        told = {name: member for name, member in self.members.items() if member is not None}
        title = HTTPStatus(self.status).phrase
        standard = {"type": "about:blank", "title": title, "status": self.status}
        return json.dumps({**standard, "detail": self.detail, **told}).encode("ascii")
