"""Making a series: done once for its key, like any write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from timetric.exceptions import BadReply
from timetric.oauth1 import FORM
from timetric.series import Series
from timetric.upload import multipart_file
from timetric.write import Keyed

if TYPE_CHECKING:
    from timetric.client import TimetricClient

ID = re.compile(r"[A-Za-z0-9_-]{22}")


class Creation(Keyed[Series]):
    """The making of a series, which is its answer."""

    def _answer(self, client: TimetricClient, reply: Mapping[str, str]) -> Series:
        """By the ID in the Location; the rest of it, such as its host, is not followed."""
        path = urlsplit(reply.get("location", "")).path
        return _made(client, path.rstrip("/").rpartition("/")[2])

    def _remembered(self, client: TimetricClient, document: Mapping[str, Any]) -> Series:
        return _made(client, document.get("series"))


def create(client: TimetricClient, fields: Iterable[tuple[str, str]], data: object) -> Series:
    """Make a series of these fields, with a caller's pairs or file, or None.

    Raises InvalidPoint naming the pair that can't be taken, and WriteInDoubt.
    """
    if data is None:
        form = urlencode(list(fields)).encode("ascii")
        return Creation("POST", "create/", form, FORM).send(client)
    with multipart_file(fields, {"csv": data}) as (content_type, body):
        return Creation("POST", "create/", body, content_type).send(client)


def _made(client: TimetricClient, id: object) -> Series:
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise BadReply("the service did not say where the new series is; is it a timetric service?")
    return Series(client, id)
