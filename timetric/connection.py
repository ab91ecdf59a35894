"""httplib2 and http.client, fenced: a kept-alive connection that never resends and never hangs.

Loaded with the first request, since http.client and ssl are slow to import.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httplib2

from timetric import config, reply
from timetric.dial import dialled
from timetric.exceptions import (
    BadReply,
    BadRequest,
    ConnectionFailed,
    DeadlineExceeded,
    TimetricClientError,
)
from timetric.incoming import Incoming, arrived
from timetric.limits import Countdown
from timetric.proxy import Proxy, ProxyRefused, open_tunnel, proxy_for
from timetric.request import Body, Cut, Head, Headers, Request
from timetric.tls import secured

_PIECE = 1 << 16  # bytes of an upload sent at a time

#: Bytes of an upload that a service stores in a second, at the least.
_STORED = 1 << 20

#: What a write raises when the peer has hung up, over TCP and over TLS.
_HUNG_UP = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)

_CURES: dict[type[Exception], str] = {
    ConnectionRefusedError: "; is the service running there?",
    socket.gaierror: "; is the host's name right?",
    ssl.SSLCertVerificationError: "; ca_certs in the config, or SSL_CERT_FILE, may name the "
    "authority that you trust",
}

_NO_HTTP = "its reply is damaged, or is not HTTP; does the url name a timetric service?"

E = TypeVar("E", bound=BaseException)


class Terms(NamedTuple):
    """What a connection goes by: the time left, whom to trust, and how much to read."""

    countdown: Countdown
    ca_certs: str | None
    reply_limit: int


class Connection:
    """A connection to one service, opened when needed. For one thread at a time."""

    scheme = "http"
    default_port = http.client.HTTP_PORT
    sock: Any = None

    def __init__(self, host: str, timeout: Terms, proxy_info: None = None) -> None:
        """As httplib2 calls it, which hands on its own ``timeout`` unread."""
        parts = urlsplit(f"//{host}")
        self.host = parts.hostname or ""
        self.port = parts.port or self.default_port
        self.service = f"{self.scheme}://{host}"
        self.terms = timeout
        self.countdown = timeout.countdown
        self.proxy: Proxy | None = None  # of the connection that stands
        self._authority = host.removesuffix(f":{self.default_port}")
        self._stage = "connecting to"
        self._sent = False  # whether a byte of the request may have arrived
        self._idle = False  # whether the last reply was read to its end
        self._ahead: bytes | None = None  # see arrived
        self._coming: tuple[http.client.HTTPResponse, io.BytesIO] | None = None  # see _cut

    def __del__(self) -> None:
        self.close()  # its client has ended

    def set_debuglevel(self, level: int) -> None:
        """Nothing: what httplib2 would print shows credentials."""

    def close(self) -> None:
        sock, self.sock = self.sock, None
        if sock:
            sock.close()

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: Body
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request, once, and read its reply.

        Raises ConnectionFailed, DeadlineExceeded, BadReply, BadRequest for a body that can't be
        read, and ConfigError for a proxy or certificates that can't be used.
        """
        self._stage, self._sent, self._coming = "connecting to", False, None
        self.countdown.grace = 0.0
        try:
            with self._translated():
                self._ready()
                whole = self._send_request(method, target, headers, body)
                response, content = self._receive(method, int(headers.get("content-length", 0)))
            if response.status < 300 and not whole:
                raise BadReply(f"{self.service} answered before it had the whole upload")
            self._idle = whole and not response.will_close
        finally:
            self._coming = None  # which may be large
            if not self._idle:
                self.close()
        return response, content

    def _ready(self) -> None:
        """Connect, unless the last connection still stands and nothing lies unread on it."""
        if self.sock and (not self._idle or arrived(self.sock) is not None):
            self.close()
        self._idle = False
        if self.sock is None:
            self.connect()

    def connect(self) -> None:
        self.proxy = proxy_for(self.scheme, self.host, self.port, config.proxies())
        to = self.proxy or self
        self.sock = dialled(to.host, to.port, self.countdown)

    def _send_request(
        self, method: str, target: str, headers: Mapping[str, str], body: Body
    ) -> bool:
        """Whether all of it was sent; otherwise an early answer may be waiting."""
        self._stage, self._ahead = "sending to", None
        self._send(self._head(method, target, headers))
        return all(map(self._takes, _pieces(body, int(headers.get("content-length", 0)))))

    def _head(self, method: str, target: str, headers: Mapping[str, str]) -> Head:
        named = Headers({"host": self._authority, **headers})
        if self.proxy is None:
            return Head.of(method, target, named)
        named.update(self.proxy.headers())
        return Head.of(method, self.service + target, named)

    def _takes(self, piece: bytes) -> bool:
        """Send a piece of the body, unless the service has answered already."""
        self._ahead = arrived(self.sock)
        if self._ahead is not None:
            return False
        try:
            self._send(piece)
        except _HUNG_UP:  # perhaps behind an answer
            return False
        except (socket.timeout, TimeoutError):  # perhaps it answered, and reads no more
            self._ahead = arrived(self.sock)
            if self._ahead is None:
                raise
            return False
        return True

    def _send(self, data: bytes) -> None:
        """Not by sendall, which gives one time limit to the whole of ``data``."""
        view = memoryview(data)
        while view:
            self.sock.settimeout(self.countdown.step())
            count = self.sock.send(view)
            self._sent = True
            view = view[count:]

    def _receive(self, method: str, uploaded: int) -> tuple[http.client.HTTPResponse, bytes]:
        self._stage = "waiting for"
        self.countdown.grace = uploaded / _STORED
        incoming: Any = Incoming(self.sock, self.countdown, self._ahead or b"")
        with http.client.HTTPResponse(incoming, method=method) as response:
            response.begin()
            incoming.heading = False
            self.countdown.grace = 0.0
            if self.proxy and response.status == http.client.PROXY_AUTHENTICATION_REQUIRED:
                self._sent = False  # no further than to the proxy
                raise ProxyRefused(self.proxy, response.status, response.reason)
            self._stage = "reading the reply of"
            self._coming = response, io.BytesIO()
            return response, reply.read(response, self.terms.reply_limit, self._coming[1])

    def _cut(self) -> Cut | None:
        """What has come of the reply, if it is a success."""
        if self._coming is None or self._coming[0].status != http.client.OK:
            return None
        response, whole = self._coming
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Cut(headers, whole.getvalue())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The errors of the socket and of http.client become ours, here and nowhere else."""
        try:
            yield
        except TimetricClientError as error:  # ours already
            cause = error.__cause__
            raise _bare(error) from cause and _bare(cause)
        except (socket.timeout, TimeoutError) as error:  # two classes before Python 3.10
            detail = f"{self._stage} {self._peer} met {self.countdown}"
            raise DeadlineExceeded(detail, sent=self._sent, cut=self._cut()) from _bare(error)
        except (OSError, http.client.IncompleteRead) as error:
            detail = f"{self._stage} {self._peer} failed: {_reason(error)}"
            raise ConnectionFailed(detail, sent=self._sent, cut=self._cut()) from _bare(error)
        except (http.client.HTTPException, zlib.error) as error:
            detail = f"{self._stage} {self._peer} failed: {_NO_HTTP}"
            raise BadReply(detail) from _bare(error)

    @property
    def _peer(self) -> str:
        return f"{self.service} through {self.proxy}" if self.proxy else self.service


class TlsConnection(Connection):
    """The same over TLS. A proxy sees no more than the service's host and port."""

    scheme = "https"
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        if self.proxy:
            host = f"[{self.host}]" if ":" in self.host else self.host
            open_tunnel(self.sock, f"{host}:{self.port}", self.proxy, self.countdown)
        self._stage = "securing the connection to"
        self.sock.settimeout(self.countdown.step())
        self.sock = secured(self.sock, self.host, self.terms.ca_certs)

    def _head(self, method: str, target: str, headers: Mapping[str, str]) -> Head:
        return Head.of(method, target, {"host": self._authority, **headers})


class Http(httplib2.Http):
    """httplib2, of which only the URL handling and the keeping of connections work."""

    def __init__(self, ca_certs: str | None, reply_limit: int) -> None:
        self.countdown = Countdown()
        self.idle_since = 0.0  # see Pool
        terms: Any = Terms(self.countdown, ca_certs, reply_limit)
        super().__init__(timeout=terms, proxy_info=None)
        self.follow_redirects = False

    def send(self, request: Request) -> tuple[httplib2.Response, bytes]:
        """Send one request, and read its reply. Raises as Connection.exchange does."""
        kind: Any = TlsConnection if request.url.startswith("https:") else Connection
        headers = Headers(request.headers)
        answer: tuple[httplib2.Response, bytes] = self.request(
            request.url, request.method, request.body, headers, connection_type=kind
        )
        return answer

    def _conn_request(  # its own resends a POST, and reads without bounds
        self, conn: Connection, uri: str, method: str, body: Body, headers: dict[str, str]
    ) -> tuple[httplib2.Response, bytes]:
        received, content = conn.exchange(method, uri, headers, body)
        response = httplib2.Response(received)
        if response.pop("content-encoding", ""):
            response["content-length"] = str(len(content))
        return response, content

    def _auth_from_challenge(self, *challenge: Any) -> Iterator[Any]:
        return iter(())  # its own fails on a WWW-Authenticate of one word

    def _normalize_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return Headers(headers)  # its own takes values for templates of regular expressions


def is_lasting(error: ConnectionFailed) -> bool:
    """Whether trying again can't help."""
    cause = error.__cause__
    if isinstance(cause, ProxyRefused):
        return cause.is_lasting()
    return isinstance(cause, ssl.SSLCertVerificationError)


def _bare(error: E) -> E:
    """Without its frames and what it came of: they hold parts of requests and replies."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _pieces(body: Body, length: int) -> Iterator[bytes]:
    """``length`` bytes from the body's start, whatever happens to a file meanwhile."""
    file = io.BytesIO(body) if isinstance(body, (bytes, bytearray, memoryview)) else body
    file.seek(0)
    while length:
        try:
            piece = file.read(min(length, _PIECE))
        except OSError as error:  # the caller's disk failed, not the network
            raise BadRequest(f"the file to send can't be read: {_reason(error)}") from error
        if not piece:
            raise BadRequest("the file to send became shorter while it was sent")
        length -= len(piece)
        yield piece


def _reason(error: Exception) -> str:
    if isinstance(error, (http.client.IncompleteRead, http.client.RemoteDisconnected)):
        return "the connection was closed in the middle"
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
    return (said or type(error).__name__) + _CURES.get(type(error), "")
