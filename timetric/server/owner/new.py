"""The handler of /new/: a series made in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falcon import Request, Response

from timetric.server.account.form import go_on, text
from timetric.server.credentials import Random, make_id
from timetric.server.owner.metadata import from_fields
from timetric.server.owner.once import KeyedForm, done_query, form_key
from timetric.server.owner.own import Owners
from timetric.server.owner.points import Sent, read_sent
from timetric.server.owner.preview import understood
from timetric.server.owner.wrong import LABELS, WRONG, told
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.receipt import Key, Receipt, Terms
from timetric.server.storage import Storage, User

#: What the form has behind its fold.
_FURTHER = LABELS.keys() - {"title", "caption", "public"}

_NOT_AGAIN = "{} did not come again. Choose it once more, or create the series without points."


class NewResource(KeyedForm):
    """The form, what was understood of it, and the series. ``clock`` gives Unix seconds.

    Nothing is stored by a preview, the file neither.
    """

    def __init__(
        self,
        storage: Storage,
        owners: Owners,
        clock: Callable[[], float],
        random: Random,
        max_body: int,
    ) -> None:
        super().__init__(storage, owners, clock, random)
        self._max_body = max_body

    def on_get(self, req: Request, resp: Response) -> None:
        self._owners.required(req)
        show(req, resp, "owner/new", **self._shown())

    def on_post(self, req: Request, resp: Response) -> None:
        user = self._owners.required(req)
        sent = read_sent(req, self._max_body)
        is_preview = text(sent.fields, "step") != "create"
        key = None if is_preview else form_key(req, sent.fields, sent.upload)
        again = self._writes.is_done(user, "", key)
        try:
            receipt = self._make(user, sent, key, is_preview)
        except WRONG as error:  # told in the form, with what was typed
            show_problem(req, resp, told(error), "owner/new", **self._shown_again(sent))
            return
        if is_preview:
            values = {"is_previewed": True, "preview": understood(sent.upload)}
            show(req, resp, "owner/new", **values, **self._shown_again(sent))
            return
        go_on(req, resp, f"series/{receipt.made}/?{done_query('made', key, again)}")

    def _make(self, user: User, sent: Sent, key: Key | None, is_preview: bool) -> Receipt:
        metadata, id = from_fields(sent.fields), make_id(self._random)
        if sent.fault is not None:
            raise sent.fault
        awaited = text(sent.fields, "awaited")
        if awaited and not is_preview and not sent.upload.rows:
            raise PageProblem(400, _NOT_AGAIN.format(awaited), field="csv")
        terms = Terms(rows=sent.upload.rows, key=key, dry_run=is_preview)
        points = sent.upload.points
        return self._storage.create(id, user, metadata, points, self._clock(), terms)

    def _shown_again(self, sent: Sent) -> dict[str, Any]:
        is_further = any(text(sent.fields, name) for name in _FURTHER)
        return {"typed": sent.fields, "sent": sent, "is_further": is_further, **self._shown()}

    def _shown(self) -> dict[str, Any]:
        return {"most": self._max_body, "key": self._new_key()}
