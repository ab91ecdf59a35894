"""The handlers that change what a series says of itself, in a browser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict

from falcon import Request, Response

from timetric.server.account.form import go_on, text
from timetric.server.body import Fields, read_own_form, read_page_form
from timetric.server.metadata import Metadata
from timetric.server.owner.own import Owners
from timetric.server.owner.wrong import WRONG, told
from timetric.server.pages import PageProblem, show, show_problem
from timetric.server.receipt import Terms
from timetric.server.storage import Changed, Series, Storage

_TRIES = 8  # as points may come in between reading a series and changing what it says


class EditResource:
    """/series/ID/edit/: all that the owner sets. ``clock`` gives Unix seconds."""

    def __init__(
        self, storage: Storage, owners: Owners, clock: Callable[[], float], max_body: int
    ) -> None:
        self._storage = storage
        self._owners = owners
        self._clock = clock
        self._max_body = max_body

    def on_get(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        show(req, resp, "owner/edit", typed=to_fields(series.metadata), **_shown(series))

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        fields = read_page_form(req, self._max_body)
        try:
            self._change(series, fields)
        except WRONG as error:  # told in the form, with what was typed
            values = self._again(series, fields, isinstance(error, Outdated))
            show_problem(req, resp, told(error), "owner/edit", typed=fields, **values)
            return
        go_on(req, resp, f"series/{id}/?done=edited")

    def _again(self, series: Series, fields: Fields, is_outdated: bool) -> dict[str, object]:
        """What the form shows when it comes back; only once told of a change, it may undo it."""
        if not is_outdated:
            return {"series": series, "seen": text(fields, "seen")}
        now = self._owners.own(series.owner, series.id)
        return {"others": _differing(fields, now), **_shown(now)}

    def _change(self, series: Series, fields: Fields) -> None:
        """Raises PageProblem where the series says something else than the form was made of."""
        changes, seen = vars(from_fields(fields)), text(fields, "seen")
        for _ in range(_TRIES):
            series = self._owners.own(series.owner, series.id)
            if vars(series.metadata) == changes:  # a second click
                return
            if fingerprint(series.metadata) != seen:
                raise Outdated
            try:
                terms = Terms(versions=frozenset([(series.version, series.generation)]))
                self._storage.amend(series, changes, self._clock(), terms)
            except Changed:  # most likely by points; what it says is looked at again
                continue
            return
        raise Changed("the series changes too often")


class PublishResource:
    """/series/ID/publish/: shows a series to everybody, or to its owner only."""

    def __init__(self, storage: Storage, owners: Owners, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._owners = owners
        self._clock = clock

    def on_post(self, req: Request, resp: Response, id: str) -> None:
        series = self._owners.series(req, id)
        public = text(read_own_form(req), "public")
        if public not in ("true", "false"):
            raise PageProblem(400, "Say who may see the series: public is true or false.")
        self._storage.amend(series, {"public": public == "true"}, self._clock())
        done = "published" if public == "true" else "hidden"
        go_on(req, resp, f"series/{id}/?done={done}")


class Outdated(PageProblem):
    """What a series says was changed since its form was made."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "Somebody has changed this series since you opened the form. What is different now "
            "stands beside your text; save again to have yours.",
        )


def fingerprint(metadata: Metadata) -> str:
    """By which a form knows again what a series said."""
    return hashlib.sha256(repr(metadata).encode("utf-8")).hexdigest()[:32]


def from_fields(fields: Fields) -> Metadata:
    """What a form says; browsers end lines with CR and LF. Raises BadMetadata."""
    plain = {name: [each.replace("\r\n", "\n") for each in texts] for name, texts in fields.items()}
    return Metadata.from_fields(plain)


def to_fields(metadata: Metadata) -> Fields:
    """The texts of a form that says it."""
    return {name: [_written(value)] for name, value in asdict(metadata).items()}


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(value)
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)


def _differing(fields: Fields, series: Series) -> dict[str, str]:
    """What the series says now, where the form says something else."""
    standing = {name: texts[0] for name, texts in to_fields(series.metadata).items()}
    typed = {name: text(fields, name).replace("\r\n", "\n") for name in standing}
    return {name: standing[name] for name in standing if typed[name] != standing[name]}


def _shown(series: Series) -> dict[str, object]:
    return {"series": series, "seen": fingerprint(series.metadata)}
