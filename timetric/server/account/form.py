"""Forms of pages: what was sent, what is wrong with it, and what is said once it is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from falcon import Request, Response

from timetric.server.body import Fields, only, read_own_form, read_query
from timetric.server.names import BadName, check_title
from timetric.server.pages import PageProblem, root
from timetric.server.session import Sessions
from timetric.server.storage import User


class Keyed(Protocol):
    """A token or an application."""

    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)


def posted(req: Request, sessions: Sessions) -> tuple[User, Fields]:
    """Who has sent a form from a page of this service, and its fields. Raises PageProblem."""
    user = sessions.required(req)
    return user, read_own_form(req)


def named(fields: Fields) -> str:
    """What the user calls a new thing. Raises PageProblem."""
    try:
        return check_title(text(fields, "name"))
    except BadName as error:
        raise PageProblem(400, f"Choose another name: {error}.", field="name") from error


def own(things: Iterable[T], key: str, gone: str) -> T:
    """The one of a user's things that has the key. Raises PageProblem, which says ``gone``."""
    for thing in things:
        if thing.key == key:
            return thing
    raise PageProblem(404, gone)


def text(fields: Fields, name: str) -> str:
    """What stands in a field, without blanks around it; "" where it is left out."""
    return (only(fields, name) or "").strip()


def said(req: Request, words: dict[str, str]) -> str:
    """What was done, on the page that a form went on to; of these words only."""
    return words.get(only(read_query(req), "done") or "", "")


def go_on(req: Request, resp: Response, path: str) -> None:
    """Answer a form that has done its work: on to another page, whose reload repeats nothing."""
    resp.status = 303
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Location", f"{root(req)}{path}")
