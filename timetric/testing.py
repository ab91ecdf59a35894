"""A service for tests, in this process: ``with timetric.testing.service() as service:``.

It is the real one, over a real store in a temporary directory, on a port of loopback. Only its
clock is set by hand. Needs the extra ``timetric[testing]``; see docs/testing. pytest finds the
fixture ``timetric_service`` here where a conftest.py says ``pytest_plugins =
["timetric.testing"]``. PYTEST_DONT_REWRITE: nothing is asserted here, and a test may have imported
this before pytest does.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from timetric.client import TimetricClient
from timetric.config import Config
from timetric.exceptions import ConfigError, NotFound
from timetric.timestamps import checked, shown, to_timestamp

if TYPE_CHECKING:
    import pytest
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from timetric.server.keyring import Keyring
    from timetric.server.problem import Problem
    from timetric.server.storage import Storage

_SPAN = re.compile(r"([0-9]{1,9}) ?(s|min|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

_THREADS = 4  # requests that are answered at the same time
_PATIENCE = 30  # seconds that a request in flight may take when the service ends


class Clock:
    """The service's time, in Unix seconds: it stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def __repr__(self) -> str:
        return f"<timetric.testing.Clock {self.now!r}>"

    def advance(self, span: str | float | timedelta) -> None:
        """Move on by seconds, a timedelta, or a text: ``90s``, ``5min``, ``1h``, ``30d``, ``2w``.

        Raises ValueError for anything else, and for a time past the year 9999.
        """
        self.now = checked(self.now + _seconds(span), span)

    def set(self, when: object) -> None:
        """Go to a time, which may be past: whatever ``update`` takes for a timestamp."""
        self.now = to_timestamp(when)


def _seconds(span: str | float | timedelta) -> float:
    if isinstance(span, timedelta):
        return span.total_seconds()
    if not isinstance(span, str):
        return float(span)
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"{shown(span)} is no span of time, such as 90s, 5min, 1h, 30d or 2w")
    return float(found[1]) * _SECONDS[found[2]]


class Service:
    """A running service. ``config`` and ``client`` are its owner's."""

    def __init__(
        self, storage: Storage, keyring: Keyring, clock: Clock, faults: _Faults, server: _Server
    ) -> None:
        self.clock = clock
        self.url = server.url
        self._storage = storage
        self._keyring = keyring
        self._faults = faults
        self._server = server
        self._clients: dict[str, TimetricClient] = {}
        self._making = threading.Lock()
        self.client = self.user("owner")
        self.config = self.client.config

    def __repr__(self) -> str:
        return f"<timetric.testing.Service {self.url}>"

    def user(self, name: str) -> TimetricClient:
        """The client of the user of this name, who is made when named for the first time.

        Raises ValueError for what can be no user's name.
        """
        with self._making:
            if name not in self._clients:
                self._clients[name] = TimetricClient(self._new_user(name))
            return self._clients[name]

    def _new_user(self, name: str) -> Config:
        from timetric.server.credentials import make_token
        from timetric.server.names import check_user_name

        accounts = self._storage.accounts
        user = accounts.add_user(check_user_name(name), self.clock())
        token, secret = make_token(accounts, user, "tests", clock=self.clock)
        return Config(
            url=self.url, authtype="apitoken", apitoken_key=token.key, apitoken_secret=secret
        )

    def application(self, name: str = "Tests", callback: str | None = None) -> Config:
        """The config of a new application of the owner's, that no user has let in yet.

        ``callback`` is registered for it, which one on loopback need not be. Raises ValueError
        where there is an application of this name.
        """
        from timetric.server.credentials import make_application
        from timetric.server.keyring import APPLICATION
        from timetric.server.storage import Taken

        accounts, grants = self._storage.accounts, self._storage.grants
        owner = accounts.user("owner")
        try:
            made = make_application(grants, owner, name, callback=callback, clock=self.clock)
        except Taken as error:  # an error of the client's end is what a test knows
            raise ValueError(str(error)) from error
        secret = self._keyring.derive(APPLICATION, made.key)
        return Config(url=self.url, authtype="oauth", consumer_key=made.key, consumer_secret=secret)

    def authorize(self, url: str, user: str = "owner") -> str:
        """Let an application in, as this user would in a browser at an authorize URL.

        Returns the address that the browser is sent back to; without a callback, the PIN.
        Raises NotFound where the URL's request token has ended or is none.
        """
        from timetric.server.callback import extended
        from timetric.server.oauth import verifier
        from timetric.server.storage import Missing

        self.user(user)
        accounts, grants = self._storage.accounts, self._storage.grants
        [key] = parse_qs(urlsplit(url).query).get("oauth_token", [""])
        try:
            token = grants.authorize(key, accounts.user(user), self.clock())
        except Missing as error:  # an error of the client's end is what a test knows
            raise NotFound("the address names no request token that can be authorized") from error
        pin = verifier(self._keyring, token)
        if token.callback in (None, "oob"):
            return pin
        return extended(token.callback, oauth_token=key, oauth_verifier=pin)

    def oauth_client(self, user: str = "owner") -> TimetricClient:
        """The client of an application that this user has let in. Needs ``timetric[oauth]``."""
        client = TimetricClient(self.application(f"Tests {time.monotonic_ns()}"))
        token = client.get_request_token()
        client.get_access_token(token, self.authorize(client.get_authorize_url(token), user))
        return client

    def fail_next(self, status: int, *, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next request, or so many, with this error, and do nothing of what it asks.

        ``retry_after`` is in seconds. Raises ValueError for a status that is no error.
        """
        from timetric.server.problem import Problem

        if status not in _FAILURES or times < 1:
            raise ValueError(f"{status} is no error's status, or {times} is no number of times")
        members = {} if retry_after is None else {"retry_after": retry_after}
        self._faults.add(Problem(status, "The test asked for this failure.", **members), times)

    @contextmanager
    def away(self) -> Iterator[None]:
        """As if the machine's cable was pulled: connections are cut, and new ones refused."""
        self._server.stop()
        try:  # a failing test may have more to ask of it
            yield
        finally:
            self._server.start()

    def close(self) -> None:
        """Close the connections of its users' clients."""
        for client in self._clients.values():
            client.close()


_FAILURES = {status.value for status in HTTPStatus if status >= 400}


@contextmanager
def service() -> Iterator[Service]:
    """A service of its own, empty, and gone when the block ends. Any number may run at once.

    Nothing of the user's is read or written: no config, no environment, no home. Raises ConfigError
    without the extra ``timetric[testing]``.
    """
    _require()
    from timetric.server import create_app
    from timetric.server.keyring import Keyring
    from timetric.server.storage import open_storage

    clock = Clock(float(int(time.time())))
    keyring = Keyring(b"of a store that ends with a test")
    with ExitStack() as ends:
        directory = ends.enter_context(tempfile.TemporaryDirectory(prefix="timetric-testing-"))
        storage = ends.enter_context(closing(open_storage(directory, "normal")))
        app = create_app(storage, keyring=keyring, clock=clock)
        faults = _Faults(app, clock)
        server = _Server(faults)
        ends.callback(server.stop)
        yield ends.enter_context(closing(Service(storage, keyring, clock, faults, server)))


def pytest_configure(config: pytest.Config) -> None:
    """pytest calls this where it is told of this module as a plugin, and nobody else does."""
    import pytest

    class Fixtures:
        @pytest.fixture
        def timetric_service(self) -> Iterator[Service]:
            """A timetric service of this test's own: timetric.testing.Service."""
            with service() as running:
                yield running

    config.pluginmanager.register(Fixtures(), "timetric fixtures")


class _Faults:
    """A WSGI layer in front of the app, which answers some requests in its place."""

    def __init__(self, app: WSGIApplication, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._next: deque[Problem] = deque()

    def add(self, problem: Problem, times: int) -> None:
        self._next.extend([problem] * times)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            problem = self._next.popleft()
        except IndexError:  # asked first, another thread could be faster
            return self._app(environ, start_response)
        stamps = {"Request-Id": "fail_next", "Date": formatdate(self._clock(), usegmt=True)}
        status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        start_response(status, list({**problem.headers, **stamps}.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else problem.document()]


class _Server:
    """waitress in a thread, on a port of loopback that stays the same when it starts again."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        from waitress.server import create_server

        self._running: Any = create_server(
            self._app,
            host="127.0.0.1",
            port=self._port,
            threads=_THREADS,
            clear_untrusted_proxy_headers=False,  # the app itself is asked which it believes
        )
        self._port = self._running.effective_port
        self._thread = threading.Thread(target=self._running.run, name="timetric.testing")
        self._thread.start()

    def stop(self) -> None:
        """End its threads, and cut its connections. Once is enough, twice does no harm."""
        running, self._running = self._running, None
        if running is None:
            return
        # in the thread of its loop, which then finds nothing left and ends
        with suppress(OSError):  # another's wake-up was faster, and the trigger is closed by now
            running.trigger.pull_trigger(lambda: running.asyncore.close_all(running._map))
        self._thread.join(_PATIENCE)
        running.task_dispatcher.shutdown()


def _require() -> None:
    """Raises ConfigError where the service can't run here."""
    if sys.version_info < (3, 10):
        raise ConfigError("timetric.testing runs the service, which needs Python 3.10 or newer")
    try:
        import waitress  # noqa: F401

        import timetric.server.app  # noqa: F401
    except ModuleNotFoundError as error:  # the extra is not installed, or not all of it
        raise ConfigError(
            f"timetric.testing lacks {error.name}; run: pip install 'timetric[testing]'"
        ) from error
