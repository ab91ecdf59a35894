"""Making a series: done once for its key, like any write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from timetric.exceptions import BadReply, Conflict
from timetric.metadata import as_form
from timetric.oauth1 import FORM
from timetric.search import named
from timetric.series import Series
from timetric.upload import multipart_file
from timetric.write import Keyed

if TYPE_CHECKING:
    from timetric.client import TimetricClient

ID = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class Creation(Keyed[Series]):
    """The making of a series, which is its answer. ``about`` is what the series will say."""

    about: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _answer(self, client: TimetricClient, reply: Mapping[str, str]) -> Series:
        return Series(client, _located(reply), self.about)

    def _remembered(self, client: TimetricClient, document: Mapping[str, Any]) -> Series:
        return Series(client, _checked(document.get("series")), self.about)


def create(client: TimetricClient, about: Mapping[str, Any], data: object) -> Series:
    """Make a series of checked metadata, with a caller's pairs or file, or None.

    Raises InvalidPoint naming the pair that can't be taken, Conflict where one's own series has
    the slug already, and WriteInDoubt.
    """
    fields = as_form(about)
    if data is None:
        form = urlencode(fields).encode("ascii")
        return Creation("POST", "create/", form, FORM, about=about).send(client)
    with multipart_file(fields, {"csv": data}) as (content_type, body):
        return Creation("POST", "create/", body, content_type, about=about).send(client)


def get_or_create(client: TimetricClient, about: Mapping[str, Any], data: object) -> Series:
    """One's own series of this slug, which is made where there is none yet.

    It is looked for first, as nearly always it is there; where another program makes it at the
    same moment, the service says where.
    """
    found = named(client, about["slug"])
    if found is not None:
        return found
    try:
        return create(client, about, data)
    except Conflict as error:  # somebody was faster
        if error.series is None:
            raise
        return Series(client, _checked(error.series))


def _located(reply: Mapping[str, str]) -> str:
    """The ID in a Location; the rest of it, such as its host, is not followed."""
    path = urlsplit(reply.get("location", "")).path
    return _checked(path.rstrip("/").rpartition("/")[2])


def _checked(id: object) -> str:
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise BadReply("the service did not say where the new series is; is it a timetric service?")
    return id
