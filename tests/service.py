"""The app under a real server in this process, with a clock to move and two users."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from waitress.server import create_server

from timetric.server import create_app
from timetric.server.credentials import make_token
from timetric.server.keyring import Keyring, open_keyring
from timetric.server.storage import Storage, User, open_storage

NOON = 1236772800.0  # 2009-03-11T12:00:00Z

Headers = dict[str, str]


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Service(NamedTuple):
    """A running service. ``config`` is the owner's, ``other_config`` another user's."""

    url: str
    clock: Clock
    storage: Storage
    owner: User
    config: dict[str, Any]
    other_config: dict[str, Any]
    keyring: Keyring

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Headers | None = None
    ) -> Reply:
        """One request of its own connection, just as it is given."""
        return send(self.url, method, path, body, headers)

    def owner_sends(
        self, method: str, path: str, body: bytes | None = None, headers: Headers | None = None
    ) -> Reply:
        return self.send(method, path, body, {**basic(self.config), **(headers or {})})

    def create(self, csv: bytes = b"", public: bool = False) -> str:
        """The path of a new series of the owner's."""
        query = f"title=Power&caption=Office+power&public={'true' if public else 'false'}"
        reply = self.owner_sends("POST", f"/create/?{query}", csv, {"Content-Type": "text/csv"})
        assert reply.status == 201, reply
        return urlsplit(reply.headers["Location"]).path

    def csv(self, path: str) -> bytes:
        return self.owner_sends("GET", f"{path}csv/").body


def send(
    url: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Headers | None = None,
) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def basic(config: dict[str, Any]) -> Headers:
    pair = f"{config['apitoken_key']}:{config['apitoken_secret']}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@contextmanager
def running_service(path: Path, **options: Any) -> Iterator[Service]:
    """The service over a store in ``path``; ``options`` are create_app's."""
    storage, clock = open_storage(path), Clock()
    keyring = open_keyring(path / "secret.key", storage)
    server = create_server(
        create_app(storage, keyring=keyring, clock=clock, **options),
        host="127.0.0.1",
        port=0,
        threads=8,
        clear_untrusted_proxy_headers=False,  # the app itself is asked which it believes
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    url = f"http://127.0.0.1:{server.effective_port}/"
    owner, other = (
        storage.accounts.add_user("owner", NOON),
        storage.accounts.add_user("other", NOON),
    )
    try:
        configs = [_config(storage, user, url) for user in (owner, other)]
        yield Service(url, clock, storage, owner, *configs, keyring)
    finally:
        # in the thread of its loop, which then finds nothing left and ends
        with suppress(OSError):  # another's wake-up was faster, and the trigger is closed by now
            server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
        thread.join(30)
        server.task_dispatcher.shutdown()
        storage.close()


def _config(storage: Storage, user: User, url: str) -> dict[str, Any]:
    token, secret = make_token(storage.accounts, user, "test", clock=lambda: NOON)
    return {
        "url": url,
        "authtype": "apitoken",
        "apitoken_key": token.key,
        "apitoken_secret": secret,
    }
