"""The service as processes: a supervisor, and one worker under it that holds the store."""

from __future__ import annotations

import ctypes
import http.client
import multiprocessing
import multiprocessing.util
import os
import resource
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from timetric.server import create_app
from timetric.server.connection import give_ends
from timetric.server.keyring import open_keyring
from timetric.server.logs import AccessLog, LogSettings, set_up
from timetric.server.storage import Quota, is_url, open_storage

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Seconds that requests in flight get to end in, once the service is told to stop.
GRACE = 20

#: A slow client holds a thread, so there are many; they are started when needed and end idle.
THREADS, BACKLOG, BACKPRESSURE = 1200, 4096, 4000

#: Files that may be open: sockets of that many clients, temporary files of uploads, the store's.
_FILES = 16_384

#: An option of glibc's mallopt: from how many heaps threads take their memory (malloc.h).
_HEAPS = -8


class ServeError(Exception):
    """The service can't start, or ended by itself; the text says why in a sentence."""


class Address(NamedTuple):
    """Where to listen: a numeric IP address and a port."""

    ip: str
    port: int

    @property
    def netloc(self) -> str:
        """As it stands in a URL."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class Tls(NamedTuple):
    """The files of a certificate, with its chain, and of its key; both PEM."""

    cert: Path
    key: Path


class Settings(NamedTuple):
    """What the service works with. ``place`` is that of the store. ``base_url`` and those from
    ``trust_proxy`` to ``administrators``, by name, are create_app's, as are the ``limits``."""

    place: Path | str
    durability: str
    base_url: str | None
    secret_key_file: Path
    trust_proxy: list[str] | None
    signup: Quota | None
    administrators: list[str]
    log: LogSettings
    limits: dict[str, Any]


def find_address(host: str, port: int) -> Address:
    """The numeric address of ``host``, once it is clear that nobody listens there.

    Port 0 becomes a free one. The server binds with SO_REUSEPORT, with which a second service
    would start and get every other request; so the port is bound once without it before.
    Raises ServeError.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            return Address(*probe.getsockname()[:2])
    except OSError as error:  # an unknown name, a port in use, no right to it
        raise ServeError(
            f"can't listen on {host} port {port} ({error.strerror}); "
            "stop what listens there, or choose another with --port or --host"
        ) from error


def find_tls(cert: Path | None, key: Path | None) -> Tls | None:
    """What to speak https with, if anything. Raises ServeError for files that don't do."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ServeError(
            "a certificate and its key go together; give both --tls-cert and --tls-key"
        )
    for path in (cert, key):
        try:
            text = path.read_bytes()
        except OSError as error:  # told with its name
            raise ServeError(f"can't read {path}: {error.strerror}") from error
        if b"-----BEGIN " not in text:
            raise ServeError(f"{path} is no PEM file; it has a line -----BEGIN ...-----")
        if b"ENCRYPTED" in text:
            raise ServeError(f"{path} is locked by a passphrase; give the key without one")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:  # broken, or of different pairs
        raise ServeError(
            f"{cert} and {key} are no certificate and its key ({error.reason})"
        ) from error
    return Tls(cert, key)


def let_open_more() -> None:
    """Let this process, and those it starts, open as many files as the system allows: each client
    takes one, and many systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def share_heaps() -> None:
    """Let all threads of this process, and those it starts, take their memory from two heaps.

    Of itself glibc gives threads eight heaps a core, and what is free in one is of no use to the
    others, so that memory grows for hours. Two are enough where the interpreter's lock lets one
    thread work at a time. Other C libraries have no such option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_HEAPS, 2)


def run(
    load: Callable[[], WSGIApplication],
    address: Address,
    tls: Tls | None,
    ready: Callable[[], None],
) -> None:
    """Serve what ``load`` makes in the worker until SIGINT, SIGTERM or SIGHUP.

    ``ready`` is called in the worker once it answers requests; both must be picklable. Raises
    ServeError where the worker ends by itself.
    """
    let_open_more()
    share_heaps()
    server = MPServer(
        "timetric",
        address=address.ip,
        port=address.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=60_000),
        workers_kill_timeout=GRACE,
        log_enabled=False,
        ssl_cert=tls and tls.cert,
        ssl_key=tls and tls.key,
    )
    server.on_startup(partial(_set_signals, server, signal.getsignal(signal.SIGHUP)))
    try:
        server.serve(target_loader=partial(_start, load, address, tls, ready), wrap_loader=False)
    except RuntimeError as error:  # granian's, of the socket: its first line says what is wrong
        raise ServeError(str(error).partition("\n")[0]) from error
    except SystemExit as end:  # granian's, where the worker ended before it was told to
        if not server.interrupt_signal:
            raise ServeError("the worker process ended by itself, so the service stops") from end


def _set_signals(server: MPServer, hangup: Any) -> None:
    """Let SIGINT, SIGTERM and SIGHUP (unless under nohup, which ignores it) end the service.

    For SIGHUP granian would reload. A forked worker has these handlers until granian sets its
    own there: one that only noted the signal, as granian's does, would swallow it.
    """
    supervisor = os.getpid()

    def end(*_: object) -> None:
        if os.getpid() != supervisor:
            os._exit(1)
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    signal.signal(signal.SIGHUP, hangup if hangup is signal.SIG_IGN else end)


def load(address: Address, settings: Settings) -> WSGIApplication:
    """The WSGI app, and the log it writes. Raises StorageError."""
    set_up(settings.log)
    storage = open_storage(settings.place, settings.durability)
    # atexit does not run in a worker, this does
    multiprocessing.util.Finalize(None, storage.close, exitpriority=10)
    return create_app(
        storage,
        keyring=open_keyring(settings.secret_key_file, storage, shared=is_url(settings.place)),
        base_url=settings.base_url,
        hosts=(address.ip,),
        trust_proxy=settings.trust_proxy,
        signup=settings.signup,
        administrators=[storage.accounts.user(name) for name in settings.administrators],
        access_log=_access_log(settings.log),
        **settings.limits,
    )


def _access_log(settings: LogSettings) -> AccessLog | None:
    if not settings.access:
        return None
    access_log = AccessLog(settings, sys.stderr.fileno())
    multiprocessing.util.Finalize(None, access_log.close, exitpriority=10)
    return access_log


def _start(
    load: Callable[[], WSGIApplication],
    address: Address,
    tls: Tls | None,
    ready: Callable[[], None],
) -> WSGIApplication:
    """What happens in the worker before it answers."""
    # Ctrl-C reaches both processes: two signals at once can hang granian's worker, so it is left
    # to the supervisor, which sends SIGTERM.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    give_ends()
    connect = partial(_connection, address, tls)
    threading.Thread(target=_call_when_answering, args=(connect, ready), daemon=True).start()
    return load()


def _end_with_parent() -> None:
    """End this worker, gracefully and then anyhow, when the supervisor dies by SIGKILL.

    Else it would hold the port and the store with nobody to stop it. Waits on the pipe that
    multiprocessing keeps between the two, which the kernel closes: at once, without polling.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "only a worker has a parent"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def _connection(address: Address, tls: Tls | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(address.ip, address.port, timeout=5)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is this very process, whatever the certificate's name
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address.ip, address.port, timeout=5, context=context)


def _call_when_answering(
    connect: Callable[[], http.client.HTTPConnection], ready: Callable[[], None]
) -> None:
    """Call ``ready`` after the first reply; a socket that listens is not yet one that answers."""
    while not _answers(connect()):
        time.sleep(0.02)
    ready()


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):  # not listening yet
        return False
    finally:
        connection.close()
    return True
