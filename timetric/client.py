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
from timetric.creation import ID, create
from timetric.exceptions import BadRequest, ConfigError, NotAuthorized, TimetricClientError
from timetric.insecure import warn_of_url
from timetric.oauth1 import FORM, Token
from timetric.points import format_value
from timetric.request import Body, Request, Resume
from timetric.series import Series
from timetric.table import Row, rows
from timetric.timestamps import shown
from timetric.transport import Transport, is_address
from timetric.upload import multipart_file

if TYPE_CHECKING:
    import os

    import httplib2

    from timetric.spool import Spool

DEFAULT_URL = "http://127.0.0.1:8000/"

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
        self.url = _base_url(veiled)
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
        """Close the connections. The client can still be used, and opens new ones."""
        self.transport.close()

    def within(
        self,
        deadline: float | None = None,
        *,
        timeout: float | None = None,
        retries: int | None = None,
        max_wait: float | None = None,
    ) -> TimetricClient:
        """This client with other limits, for a call or for many: ``client.within(2).get(url)``.

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

        Raises BadRequest where this can be no ID.
        """
        if not ID.fullmatch(id):
            raise BadRequest(f"{shown(id)} is no series ID (22 letters, digits, - and _)")
        return Series(self, id)

    def create_series(
        self,
        data: object = None,
        *,
        title: str,
        caption: str,
        description: str = "",
        tags: Iterable[str] = (),
        unit: str = "",
        source: str = "",
        source_url: str = "",
        latitude: float | None = None,
        longitude: float | None = None,
        public: bool = False,
    ) -> Series:
        """Make a series, with the points of ``data`` (as Series.rewrite takes them) if given.

        Private unless ``public``. Raises InvalidPoint and BadRequest for what can't be taken,
        and WriteInDoubt, which resolves to the series, where the answer is lost.
        """
        tag_list = [tags] if isinstance(tags, str) else tags
        fields = {
            "title": title,
            "caption": caption,
            "description": description,
            "unit": unit,
            "source": source,
            "source_url": source_url,
            "latitude": "" if latitude is None else format_value(latitude),
            "longitude": "" if longitude is None else format_value(longitude),
            "public": format_value(public),
        }
        params = [(name, text) for name, text in fields.items() if text]
        params += [("tags", tag) for tag in tag_list]
        return create(self, params, data)

    def spool(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 64 << 20,
        deadline: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> Spool:
        """A file that keeps writes until the service has them; see timetric.spool.Spool.

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
        """Rows ``(timestamp, value, value, ...)`` of many series, or their IDs, oldest first::

            for t, power, heat in client.table([power, heat], start="2024", every="1d"): ...

        There is a row for each timestamp at which any of them has a point from ``start`` on and
        before ``end``, with None for those that have none. With ``every`` there is one for each
        bucket (see Window.resample). Fetched as they are read, from several series at a time, in
        bounded memory. Raises as iteration over a series does.
        """
        whole = [one if isinstance(one, Series) else self.series(one) for one in series]
        buckets = {"every": every, "aggregate": aggregate, "tz": tz} if every else {}
        return rows([one[start:end] for one in whole], **buckets)

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
        """GET with ``params`` in the query."""
        return self.request("GET", _with_query(url, params))

    def delete(self, url: str, params: Params = ()) -> tuple[httplib2.Response, bytes]:
        """DELETE with ``params`` in the query."""
        return self.request("DELETE", _with_query(url, params))

    def post(
        self, url: str, params: Params = (), files: Mapping[str, object] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """POST a form of ``params``; as multipart where there are ``files``: names and CSV data."""
        if not files:
            form = urlencode(_pairs(params)).encode("ascii")
            return self.request("POST", url, form, FORM)
        with multipart_file(_pairs(params), files) as (content_type, body):
            return self.request("POST", url, body, content_type)

    def put(
        self, url: str, body: Body, content_type: str = "text/csv"
    ) -> tuple[httplib2.Response, bytes]:
        """PUT a body: bytes, or a binary file, sent from its start."""
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


def _base_url(config: Mapping[str, Any]) -> str:
    """The service's URL with one slash at its end. Raises ConfigError where it can be none."""
    flaw = _flaw(configs.lookup(config, "url") or DEFAULT_URL)
    if flaw:
        raise ConfigError(flaw)
    return (configs.lookup(config, "url") or DEFAULT_URL).rstrip("/") + "/"


def _flaw(url: object) -> str:
    """What is wrong with a URL that may hold a password, so that nothing is raised here."""
    if any(sign in str(url) for sign in "@?#"):
        return "url may hold no credentials, query or fragment"
    if not isinstance(url, str) or not is_address(url):
        return f"url {shown(url)} is no http or https address"
    return ""


def _pairs(params: Params) -> list[tuple[str, str]]:
    return list(params.items() if isinstance(params, Mapping) else params)


def _with_query(url: str, params: Params) -> str:
    query = urlencode(_pairs(params))
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
