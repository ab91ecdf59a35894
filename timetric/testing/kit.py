"""A running service, as a test sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from timetric.client import TimetricClient
from timetric.config import Config
from timetric.exceptions import NotFound
from timetric.testing.clock import Clock
from timetric.testing.faults import Faults
from timetric.testing.server import Server

if TYPE_CHECKING:
    from timetric.server.keyring import Keyring
    from timetric.server.storage import Storage


class Service:
    """A running service. ``config`` and ``client`` are its owner's."""

    def __init__(
        self, storage: Storage, keyring: Keyring, clock: Clock, faults: Faults, server: Server
    ) -> None:
        self.clock = clock
        self.url = server.url
        self._storage = storage
        self._keyring = keyring
        self._faults = faults
        self._server = server
        self._clients: dict[str, TimetricClient] = {}  # by their users' names
        self._others: list[TimetricClient] = []
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
        self._others.append(client)
        token = client.get_request_token()
        client.get_access_token(token, self.authorize(client.get_authorize_url(token), user))
        return client

    def fail_next(self, status: int, *, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next request, or so many, with this error, and do nothing of what it asks.

        ``retry_after`` is in seconds. Raises ValueError for a status that is no error.
        """
        self._faults.add(status, times, retry_after)

    @contextmanager
    def away(self) -> Iterator[None]:
        """As if the machine's cable was pulled: connections are cut, and new ones refused."""
        self._server.stop()
        try:  # a failing test may have more to ask of it
            yield
        finally:
            self._server.start()

    def close(self) -> None:
        """Close the connections of the clients that it gave."""
        for client in (*self._clients.values(), *self._others):
            client.close()
