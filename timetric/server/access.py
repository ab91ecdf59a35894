"""Who may read a series, and who may write to it (protocol.md, Who may)."""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request

from timetric.server.identity import Identity
from timetric.server.metadata import Metadata
from timetric.server.pages import READS, PageProblem, is_for_a_person
from timetric.server.problem import Problem
from timetric.server.storage import Missing, Series, Storage, User

_ABSENT = "There is no such series."
_NOT_PUBLIC = "There is no such public series."
_SIGN_IN = "There is no such public series. If it is a private one of yours, sign in to see it."
_UNKNOWN = Metadata("", "")  # of a series that is not there


class Access:
    """Finds the series of a request, for those who may have it."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity

    def to_create(self, req: Request) -> User:
        """Who will own what is made. Raises Problem."""
        return self._identity.writer(req)

    def to_look_up(self, req: Request) -> User:
        """Whose writes are looked up. Raises Problem."""
        user = self._identity.user(req)
        if user is None:
            raise Problem(401, "Only those who wrote may look it up; this needs credentials.")
        return user

    def to_read(self, req: Request, id: str) -> Series:
        """The series, when whoever asks may read it. Raises Problem."""
        return self._readable(id, self._reader(req), _stranger())

    def to_show(self, req: Request, id: str) -> Series:
        """The series, for its page: without it people are told to sign in. Raises Problem."""
        person = PageProblem(403, _SIGN_IN, title="Sign in first")
        return self._readable(
            id, self._reader(req), person if is_for_a_person(req) else _stranger()
        )

    def to_embed(self, id: str) -> Series:
        """The series, when everybody may see it; credentials do not count. Raises Problem."""
        series = self._find(id, self._storage.series)
        if series and series.metadata.public:
            return series
        raise Problem(404, _NOT_PUBLIC)

    def to_picture(self, req: Request, id: str) -> Series:
        """As ``to_embed``, and for pages of the owner's: to their browser a private one too."""
        series = self._find(id, self._storage.series)
        if series and (series.metadata.public or series.owner == req.context.viewer(req)):
            return series
        raise Problem(404, _NOT_PUBLIC)

    def to_write(self, req: Request, id: str) -> Series:
        """The series, when whoever asks may write to it. Raises Problem.

        With an Idempotency-Key it may be one that is not there: the store finds out whether the
        request repeats what was done while it was.
        """
        user = self._identity.writer(req)
        series = self._find(id, self._storage.known_series)
        if series and series.owner == user:
            return series
        if series and series.metadata.public:
            raise Problem(403, "The series is someone else's.")
        if req.get_header("Idempotency-Key"):  # someone else's is as good as not there
            return Series(0, id, user, _UNKNOWN, 0.0, 0.0)
        raise Problem(404, _ABSENT)

    def _reader(self, req: Request) -> User | None:
        """Who asks to read: by credentials or, without any, by a browser that is signed in.

        Other sites' scripts get nothing by its cookie: it is SameSite=Lax, and browsers show them
        no reply to a request with cookies that ``*`` alone lets them read (cors.py).
        """
        user = self._identity.user(req)
        if user is None and req.method in READS:
            user = req.context.viewer(req)
        return user

    def _readable(self, id: str, user: User | None, stranger: Problem) -> Series:
        """The series, when the user may read it. Raises Problem, without one that for strangers."""
        series = self._find(id, self._storage.series)
        if series and (series.metadata.public or series.owner == user):
            return series
        raise Problem(404, _ABSENT) if user else stranger

    def _find(self, id: str, look_up: Callable[[str], Series]) -> Series | None:
        try:
            return look_up(id)
        except Missing:  # what is answered then depends on who asks
            return None


def _stranger() -> Problem:
    return Problem(401, "There is no such public series; a private one needs credentials.")


def series_url(req: Request, series: Series) -> str:
    """The series' own address."""
    return url_of(req, series.id)


def url_of(req: Request, id: str) -> str:
    """The address of the series with this ID."""
    return f"{req.context.base_url}series/{id}/"
