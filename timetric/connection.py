"""httplib2 and http.client, fenced: a kept-alive connection that never resends and never hangs.

Loaded with the first request, since http.client and ssl are slow to import.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from timetric import reply
from timetric.exceptions import BadReply, BadRequest, ConnectionFailed, DeadlineExceeded
from timetric.limits import Limits
from timetric.request import Body, Cut

if TYPE_CHECKING:
    import httplib2

_PIECE = 1 << 16  # bytes of an upload sent at a time

#: Bytes of an upload that a service stores in a second, at the least.
_STORED = 1 << 20

#: What a write raises when the peer has hung up, over TCP and over TLS.
_HUNG_UP = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)

_CURES: dict[type[Exception], str] = {
    ConnectionRefusedError: "; is the service running there?",
    socket.gaierror: "; is the host's name right?",
    ssl.SSLCertVerificationError: "; SSL_CERT_FILE may name the authority that you trust",
}


class Incoming(io.RawIOBase):
    """What a peer sends, each step bounded, behind a first byte that was read ahead."""

    def __init__(self, sock: socket.socket, limits: Limits, ahead: bytes) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._limits = limits
        self._ahead = ahead

    def makefile(self, mode: str) -> io.BufferedReader:
        """All that http.client's HTTPResponse wants of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._ahead:
            buffer[:1], self._ahead = self._ahead, b""
            return 1
        self._sock.settimeout(self._limits.step())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Connection(http.client.HTTPConnection):
    """A connection to one service, opened when needed. For one thread."""

    scheme = "http"

    def __init__(self, host: str, timeout: Limits, proxy_info: None = None) -> None:
        """As httplib2 calls it, which hands on its own ``timeout`` unread."""
        super().__init__(host)
        self.limits = timeout
        self.service = f"{self.scheme}://{host}"
        self._stage = "connecting to"
        self._sent = False  # whether a byte of the request may have arrived
        self._idle = False  # whether the last reply was read to its end
        self._ahead: bytes | None = None  # see _arrived
        self._coming: tuple[http.client.HTTPResponse, io.BytesIO] | None = None  # see _cut

    def __del__(self) -> None:
        self.close()  # its thread, or its client, has ended

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: Body, limit: int
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request, once, and read its reply, of at most ``limit`` bytes.

        Raises ConnectionFailed, DeadlineExceeded, BadReply, and BadRequest for a body that can't
        be read.
        """
        self._stage, self._sent, self._coming = "connecting to", False, None
        self.limits.grace = 0.0
        try:
            with self._translated():
                self._ready()
                whole = self._send_request(method, target, headers, body)
                response, content = self._receive(limit, int(headers.get("content-length", 0)))
            if response.status < 300 and not whole:
                raise BadReply(f"{self.service} answered before it had the whole upload")
            self._idle = whole
        finally:
            if not self._idle:
                self.close()
        return response, content

    def _ready(self) -> None:
        """Connect, unless the last connection still stands and nothing lies unread on it."""
        if self.sock and (not self._idle or _arrived(self.sock) is not None):
            self.close()
        self._idle = False
        if self.sock is None:
            self.connect()

    def connect(self) -> None:
        failure: OSError | None = None
        for address in _addresses(self.host, self.port, self.limits):
            try:
                self.sock = _dialled(address, self.limits)
                return
            except OSError as error:  # the next address may do
                failure = error
        raise failure or socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def _send_request(
        self, method: str, target: str, headers: Mapping[str, str], body: Body
    ) -> bool:
        """Whether all of it was sent; otherwise an early answer may be waiting."""
        self._stage, self._ahead = "sending to", None
        self.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            self.putheader(name, value)
        self.endheaders()
        return all(map(self._takes, _pieces(body, int(headers.get("content-length", 0)))))

    def _takes(self, piece: bytes) -> bool:
        """Send a piece of the body, unless the service has answered already."""
        self._ahead = _arrived(self.sock)
        if self._ahead is not None:
            return False
        try:
            self.send(piece)
        except _HUNG_UP:  # perhaps behind an answer
            return False
        return True

    def send(self, data: Any) -> None:
        """In http.client's place, whose own gives one time limit to the whole of ``data``."""
        view = memoryview(data)
        while view:
            self.sock.settimeout(self.limits.step())
            count = self.sock.send(view)
            self._sent = True
            view = view[count:]

    def _receive(self, limit: int, uploaded: int) -> tuple[http.client.HTTPResponse, bytes]:
        self._stage = "waiting for"
        self.limits.grace = uploaded / _STORED
        response = self.getresponse()
        self.limits.grace = 0.0
        self._stage = "reading the reply of"
        self._coming = response, io.BytesIO()
        return response, reply.read(response, limit, self._coming[1])

    def _cut(self) -> Cut | None:
        """What has come of the reply, if it is a success."""
        if self._coming is None or self._coming[0].status != 200:
            return None
        response, whole = self._coming
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Cut(headers, whole.getvalue())

    def response_class(  # type: ignore[override]
        self, sock: socket.socket, debuglevel: int = 0, *, method: str
    ) -> http.client.HTTPResponse:
        incoming: Any = Incoming(sock, self.limits, self._ahead or b"")
        return http.client.HTTPResponse(incoming, method=method)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The errors of the socket and of http.client become ours, here and nowhere else."""
        try:
            yield
        except (socket.timeout, TimeoutError) as error:  # two classes before Python 3.10
            detail = f"{self._stage} {self.service} met {self.limits}"
            raise DeadlineExceeded(detail, sent=self._sent, cut=self._cut()) from error
        except (OSError, http.client.IncompleteRead) as error:
            detail = f"{self._stage} {self.service} failed: {_reason(error)}"
            raise ConnectionFailed(detail, sent=self._sent, cut=self._cut()) from error
        except (http.client.HTTPException, zlib.error) as error:
            detail = f"{self._stage} {self.service} failed: its reply is damaged, or is not HTTP"
            raise BadReply(detail) from error


class TlsConnection(Connection):
    """The same over TLS 1.2 or newer, with the service's certificate verified."""

    scheme = "https"
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        self._stage = "securing the connection to"
        self.sock.settimeout(self.limits.step())
        context = _tls_context(ssl.get_default_verify_paths())
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


@lru_cache(maxsize=4)
def _tls_context(trusted: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """One for each setting of SSL_CERT_FILE and SSL_CERT_DIR: making it takes 20 ms."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_lasting(error: ConnectionFailed) -> bool:
    """Whether trying again can't help."""
    return isinstance(error.__cause__, ssl.SSLCertVerificationError)


def open_http(limits: Limits, reply_limit: int) -> httplib2.Http:
    """One thread's httplib2, of which only the URL handling and the pool of connections work."""
    import httplib2

    class Http(httplib2.Http):
        def _conn_request(  # its own resends a POST, and reads without bounds
            self, conn: Connection, uri: str, method: str, body: Body, headers: dict[str, str]
        ) -> tuple[httplib2.Response, bytes]:
            received, content = conn.exchange(method, uri, headers, body, reply_limit)
            response = httplib2.Response(received)
            if response.pop("content-encoding", ""):
                response["content-length"] = str(len(content))
            return response, content

        def _auth_from_challenge(self, *challenge: Any) -> Iterator[Any]:
            return iter(())  # its own fails on a WWW-Authenticate of one word

        def _normalize_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
            return dict(headers)  # its own takes values for templates of regular expressions

    opened = Http(timeout=limits, proxy_info=None)  # type: ignore[arg-type]
    opened.follow_redirects = False
    return opened


def send(
    opened: httplib2.Http, method: str, url: str, headers: Mapping[str, str], body: Body
) -> tuple[httplib2.Response, bytes]:
    """Send one request through ``open_http``'s, and read its reply. Raises as exchange does."""
    kind = TlsConnection if url.startswith("https:") else Connection
    answer: tuple[httplib2.Response, bytes] = opened.request(
        url, method, body, headers, connection_type=kind
    )
    return answer


def _addresses(host: str, port: int, limits: Limits) -> list[Any]:
    """What getaddrinfo says. It has no time limit of its own, so a thread waits for it."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:  # to be raised in the thread that asked
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=limits.step())
    except queue.Empty:
        raise socket.timeout from None
    if isinstance(answer, Exception):
        raise answer
    return list(answer)


def _dialled(address: Any, limits: Limits) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(limits.step())
        sock.connect(where)
    except OSError:  # the socket is nobody's
        sock.close()
        raise
    return sock


def _arrived(sock: socket.socket) -> bytes | None:
    """The first byte of what the peer has sent unasked; b"" where it hung up, None for nothing."""
    sock.settimeout(0)
    try:
        return sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):  # nothing, or nothing but a TLS ticket
        return None
    except OSError:
        return b""


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
