"""The client: a config, an auth strategy, a transport, and the series they give."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import urlencode, urljoin

from timetric import auth, dance
from timetric import config as configs
from timetric.base_url import base_url
from timetric.creation import ID, create, get_or_create
from timetric.exceptions import BadRequest, NotAuthorized, TimetricClientError
from timetric.insecure import warn_of_url
from timetric.metadata import of_a_new_one
from timetric.oauth1 import FORM, Token
from timetric.request import Body, Request, Resume
from timetric.search import find
from timetric.series import Series
from timetric.table import Row, rows
from timetric.timestamps import shown
from timetric.transport import Transport
from timetric.upload import multipart_file

if TYPE_CHECKING:
    import os

    import httplib2

    from timetric.spool import Spool

#: Names and texts of a query or form; a name may stand in it more than once.
Params = Union[Mapping[str, str], Iterable[tuple[str, str]]]


class TimetricClient:
    """A user's access to a timetric service. Safe to share between threads.

    ``config`` is any mapping (see docs/client); without one the environment is read, then this
    machine's config file. ``timeout`` bounds one network step and ``deadline`` a whole call with
    its ``retries``; ``max_wait`` is how long a retry may be put off; all in seconds.

    Raises ConfigError where the config lacks what its ``authtype`` needs, or the limits leave no
    time. Warns (InsecureWarning) where others can read the credentials.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        user_agent: str = "timetric-python",
        *,
        timeout: float = 10.0,
        deadline: float = 60.0,
        retries: int = 4,
        max_wait: float = 15.0,
    ) -> None:
        #: The mapping that was given, itself.
        self.config = configs.load() if config is None else config
        del config  # a traceback may show locals, and the repr of a dict its secrets
        veiled = configs.veiled(self.config)
        #: The service's base URL.
        self.url = base_url(veiled)
        self.user_agent = user_agent
        #: Whether pairs are sent in the form of 16 bytes a point, until the service refuses it.
        self.packs = True
        #: Whether the service has the 16-byte form, as far as one knows yet (see Source.read).
        self.reads_records = True
        self.auth = auth.from_config(veiled)
        self.transport = Transport(
            timeout=timeout,
            deadline=deadline,
            retries=retries,
            max_wait=max_wait,
            ca_certs=configs.lookup(veiled, "ca_certs"),
        )
        warn_of_url(self.url)

    def __repr__(self) -> str:
        known = vars(self).get  # not all is, in the traceback of a config's error
        return f"<TimetricClient {known('url')} {known('auth')!r}>"

    def __enter__(self) -> TimetricClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client can still be used, and opens new ones.

        >>> client.close()
        """
        self.transport.close()

    def within(
        self,
        deadline: float | None = None,
        *,
        timeout: float | None = None,
        retries: int | None = None,
        max_wait: float | None = None,
    ) -> TimetricClient:
        """This client with other limits, for a call or for many.

        >>> client.within(deadline=2).series(series.id).latest()
        (1708041600.0, 14.0)

        What is not given stays as it is. Both share their connections and their access token, so
        closing one closes the other's connections too. Raises ConfigError.
        """
        other = copy(self)
        other.transport = self.transport.within(
            deadline=deadline, timeout=timeout, retries=retries, max_wait=max_wait
        )
        return other

    def series(self, id: str) -> Series:
        """A handle on the series with this ID; the service is not asked.

        >>> client.series("p-DpewL0TO-iBE4nMBCTsQ")
        <timetric.Series 'p-DpewL0TO-iBE4nMBCTsQ'>

        Raises BadRequest where this can be no ID.
        """
        if not ID.fullmatch(id):
            raise BadRequest(f"{shown(id)} is no series ID (22 letters, digits, - and _)")
        return Series(self, id)

    def create_series(
        self, data: object = None, *, title: str, caption: str, **metadata: Any
    ) -> Series:
        """Make a series, with the points of ``data`` (as Series.rewrite takes them) if given.

        >>> client.create_series([("2009-03-10", 12)], title="Oranges", caption="Fruit").count()
        1

        ``metadata`` is what else it says of itself: ``description``, ``tags``, ``unit``,
        ``source``, ``source_url``, ``latitude``, ``longitude`` (degrees), ``public`` (whether
        anybody may read it: False) and ``slug``, a short name of one's own.

        Raises BadRequest for what can't be taken, a missing title or caption among it, and
        InvalidPoint, both before anything is sent; Conflict where a series of one's own has the
        slug; and WriteInDoubt, which resolves to the series, where the answer is lost.
        """
        return create(self, of_a_new_one({"title": title, "caption": caption, **metadata}), data)

    def get_or_create(
        self, slug: str, data: object = None, *, title: str, caption: str, **metadata: Any
    ) -> Series:
        """One's own series of this short name, made as by create_series where there is none.

        >>> client.get_or_create("office-power", title="Power", caption="Of the office").slug
        'office-power'

        So a program needs to keep no ID. However many do it at once, there is one series, which
        all of them get. One that is there stays as it is, with its metadata and its points.

        ``slug`` is 1 to 64 of a-z, 0-9, ".", "_" and "-". Raises as create_series does.
        """
        about = of_a_new_one({"title": title, "caption": caption, **metadata, "slug": slug})
        if about["slug"] is None:
            raise BadRequest("a slug is a short name of one's own, such as office-power")
        return get_or_create(self, about, data)

    def search(
        self, words: str = "", *, tags: Iterable[str] = (), user: str = ""
    ) -> Iterator[Series]:
        """The series one may read that have all these words and tags, of this user.

        >>> next(client.search("office power", user="me")).title
        'Office power'

        What fits best comes first; without words, the newest. Fetched page by page as they are
        read, and each knows its metadata. ``user`` is a name, or "me". Raises BadRequest.
        """
        return find(self, {"q": words, "u": user}, tags)

    def mine(self, words: str = "", *, tags: Iterable[str] = ()) -> Iterator[Series]:
        """One's own series, the newest first; or those with these words and tags.

        >>> series in client.mine()
        True
        """
        return self.search(words, tags=tags, user="me")

    def spool(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 64 << 20,
        deadline: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> Spool:
        """A file that keeps writes until the service has them; see timetric.spool.Spool.

        >>> with client.spool("queue.sqlite3") as queue:
        ...     queue.update(series, 21.4)
        >>> float(series)
        21.4

        It is made where there is none. Raises SpoolError where it can't be written.
        """
        from timetric.spool import Spool

        return Spool(self, path, max_bytes=max_bytes, deadline=deadline, clock=clock)

    def table(
        self,
        series: Iterable[Series | str],
        start: object = None,
        end: object = None,
        *,
        every: str | None = None,
        aggregate: str = "mean",
        tz: str = "UTC",
    ) -> Iterator[Row]:
        """Rows ``(timestamp, value, value, ...)`` of many series, or their IDs, oldest first.

        >>> heat = client.create_series([("2024-02-16", 7)], title="Heat", caption="Drawn")
        >>> list(client.table([series, heat], start="2024-02"))
        [(1707955200.0, 12.5, None), (1708041600.0, 14.0, 7.0)]

        There is a row for each timestamp at which any of them has a point from ``start`` on and
        before ``end``, with None for those that have none. With ``every`` there is one for each
        bucket (see Window.resample). Fetched as they are read, from several series at a time, in
        bounded memory. Raises as iteration over a series does.
        """
        whole = [one if isinstance(one, Series) else self.series(one) for one in series]
        buckets = {"every": every, "aggregate": aggregate, "tz": tz} if every else {}
        return rows([one[start:end] for one in whole], **buckets)

    def to_pandas(
        self,
        series: Iterable[Series | str],
        start: object = None,
        end: object = None,
        *,
        every: str | None = None,
        aggregate: str = "mean",
        tz: str = "UTC",
    ) -> Any:
        """A pandas DataFrame of many series, or their IDs, a column each; as table, but whole.

        >>> client.to_pandas([series], every="1mo")["Office power"].tolist()
        [10.0, 13.25]

        Columns are named by title, and by ``title (ID)`` where titles are the same; NaN stands
        where a series has no point. Raises BadRequest where there are no series, and ConfigError
        where pandas is missing.
        """
        from timetric import frames

        whole = [one if isinstance(one, Series) else self.series(one) for one in series]
        buckets = {"every": every, "aggregate": aggregate, "tz": tz} if every else {}
        return frames.of_many(whole, start, end, buckets)

    # OAuth: the steps by which a user lets an application in. Each raises ConfigError where the
    # config's authtype is another.

    def get_request_token(self, callback: str = dance.OUT_OF_BAND) -> Token:
        """The first step: a token that the user may authorize, good for one hour.

        ``callback`` is the URL to which the service sends the user's browser back, with
        ``oauth_token`` and ``oauth_verifier`` in its query; "oob" shows the user a PIN instead.
        """
        return dance.request_token(self, callback)

    def get_authorize_url(self, token: Token | None = None, callback: str | None = None) -> str:
        """The second step: the page on which the user lets the application in.

        Without ``token`` a request token is made. ``callback`` is for applications that predate
        OAuth 1.0a; others give it to get_request_token.
        """
        return dance.authorize_url(self, token, callback)

    def get_access_token(self, token: Token, verifier: str | None = None) -> Token:
        """The last step: the authorized request token becomes the access token, used from now on.

        It is kept in the config as ``oauth_token`` and ``oauth_secret``. ``verifier`` is the PIN,
        or the ``oauth_verifier`` of the callback; only applications that predate OAuth 1.0a do
        without. Raises NotAuthorized, and ConfigError where the config can't be changed.
        """
        return dance.access_token(self, token, verifier)

    def authorize(self, open_browser: bool = True, timeout: float = 300.0) -> Token:
        """All the steps at once, for a person at a terminal. Returns the access token.

        The user's browser opens the service's page, and tells a port of this machine when it is
        done. Without a browser the page's address is shown, and the PIN asked for. Raises
        NotAuthorized where the user says no, and DeadlineExceeded after ``timeout`` seconds
        without an answer from the browser.
        """
        return dance.authorize(self, open_browser, timeout)

    # The HTTP methods. A URL is one of this service's, whole or from its base on. Each returns
    # (the reply's headers and status, its body), and raises unless the status is 2xx.

    def get(self, url: str, params: Params = ()) -> tuple[httplib2.Response, bytes]:
        """GET with ``params`` in the query.

        >>> client.get(series.url + "csv/", {"limit": "1"})[1]
        b'1705276800.0,10.0\\n'
        """
        return self.request("GET", _with_query(url, params))

    def delete(self, url: str, params: Params = ()) -> tuple[httplib2.Response, bytes]:
        """DELETE with ``params`` in the query.

        >>> client.delete(series.url, {"end": "2024-02-01"})[0]["timetric-removed"]
        '1'
        """
        return self.request("DELETE", _with_query(url, params))

    def post(
        self, url: str, params: Params = (), files: Mapping[str, object] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """POST a form of ``params``; as multipart where there are ``files``: names and CSV data.

        >>> client.post(series.url, {"value": "15"})[0].status
        204
        """
        if not files:
            form = urlencode(_pairs(params)).encode("ascii")
            return self.request("POST", url, form, FORM)
        with multipart_file(_pairs(params), files) as (content_type, body):
            return self.request("POST", url, body, content_type)

    def put(
        self, url: str, body: Body, content_type: str = "text/csv"
    ) -> tuple[httplib2.Response, bytes]:
        """PUT a body: bytes, or a binary file, sent from its start.

        >>> client.put(series.url, b"1236735000,3.5")[0]["timetric-removed"]
        '3'
        """
        return self.request("PUT", url, body, content_type)

    def request(
        self,
        method: str,
        url: str,
        body: Body = b"",
        content_type: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        resume: Resume | None = None,
        sign: Callable[[Request], Request] | None = None,
    ) -> tuple[httplib2.Response, bytes]:
        """Sign and send a request, with further ``headers``.

        ``resume`` gives the URL for the rest of a reply that broke off, which is then the reply.

        Raises BadRequest for another service's URL.
        """
        whole = urljoin(self.url, url)
        if not whole.startswith(self.url):
            raise BadRequest(f"{url} is not of the service {self.url}, so it gets no credentials")
        sent = {"user-agent": self.user_agent}
        sent.update((name.lower(), text) for name, text in (headers or {}).items())
        if content_type:
            sent["content-type"] = content_type
        return self._send(Request(method, whole, sent, body, resume), sign or self.auth.sign)

    def _send(
        self, request: Request, sign: Callable[[Request], Request]
    ) -> tuple[httplib2.Response, bytes]:
        if not isinstance(self.auth, auth.OAuth):
            return self.transport.send(request, sign)
        oauth, ahead = self.auth, self.auth.ahead

        def cure(error: TimetricClientError) -> bool:  # perhaps only our clock is wrong
            return isinstance(error, NotAuthorized) and oauth.correct_clock(error, ahead)

        return self.transport.send(request, sign, cure)


def _pairs(params: Params) -> list[tuple[str, str]]:
    return list(params.items() if isinstance(params, Mapping) else params)


def _with_query(url: str, params: Params) -> str:
    query = urlencode(_pairs(params))
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
