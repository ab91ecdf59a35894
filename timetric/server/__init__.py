"""The service: a WSGI app over a store. Needs the extra ``timetric[server]``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from timetric.server.access_log import Tell
    from timetric.server.keyring import Keyring
    from timetric.server.storage import Quota, Storage, User


def create_app(
    storage: Storage,
    *,
    keyring: Keyring | None = None,
    base_url: str | None = None,
    clock: Callable[[], float] = time.time,
    random: Callable[[int], bytes] = secrets.token_bytes,
    max_body: int = 256 << 20,
    hosts: Iterable[str] = (),
    trust_proxy: Iterable[str] | None = None,
    signup: Quota | None = None,
    administrators: Iterable[User] = (),
    access_log: Tell | None = None,
) -> WSGIApplication:
    """The service as a WSGI app, for any WSGI server with threads.

    ``base_url`` is where the world finds the service; a path prefix in it stands in links, and
    the proxy in front takes it off requests. Without one, links are made of the request's Host,
    which must be loopback or one of ``hosts``. The ``keyring`` is that of ``open_keyring``; without
    one, OAuth tokens are good for as long as the app lives. ``trust_proxy`` lists the addresses
    of proxies whose ``X-Forwarded-Proto`` and ``X-Forwarded-For`` are believed, loopback aside;
    None believes nobody. ``signup`` is the quota of strangers who sign up; None lets nobody.
    ``administrators`` read ``/metrics/`` from anywhere. ``access_log`` is called with each request
    that was answered.
    ``max_body`` is in bytes; ``clock`` gives Unix seconds and ``random`` that many random bytes.
    Raises ValueError for a base URL that is none.
    """
    # Not at the top, because the command line imports the storage without the web framework.
    from timetric.server.app import build_app
    from timetric.server.keyring import Keyring
    from timetric.server.site import Site

    site = Site(base_url, hosts, trust_proxy)
    keyring = keyring or Keyring(random(32))
    return build_app(
        storage, keyring, site, clock, random, max_body, signup, administrators, access_log
    )
