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
    hosts: Iterable[str] = (),
    trust_proxy: Iterable[str] | None = None,
    signup: Quota | None = None,
    administrators: Iterable[User] = (),
    access_log: Tell | None = None,
    rate: str | None = None,
    anonymous_rate: str | None = None,
    max_body: int = 256 << 20,
    max_uploads: int = 64,
    min_speed: int = 500,
) -> WSGIApplication:
    """The service as a WSGI app, for any WSGI server with threads.

    ``base_url`` is where the world finds the service; a path prefix in it stands in links, and
    the proxy in front takes it off requests. Without one, links are made of the request's Host,
    which must be loopback or one of ``hosts``. The ``keyring`` is that of ``open_keyring``; without
    one, OAuth tokens are good for as long as the app lives. ``trust_proxy`` lists the addresses
    of proxies whose ``X-Forwarded-Proto`` and ``X-Forwarded-For`` are believed, loopback aside;
    None believes nobody. ``signup`` is the quota of strangers who sign up; None lets nobody.
    ``administrators`` read ``/metrics/`` from anywhere. ``access_log`` is called with each request
    that was answered. ``clock`` gives Unix seconds and ``random`` that many random bytes.

    ``rate`` limits the requests with each token and of each user who is signed in,
    ``anonymous_rate`` all others from each address: as in ``600/min`` (``s``, ``min``, ``h`` or
    ``d``), or ``off``. Unless given they are 6000/min and 600/min, and off where nobody but this
    machine can ask: without base URL and proxy, all ``hosts`` being loopback. ``max_body`` is in
    bytes, ``max_uploads`` how many bodies of 100,000 bytes and more are taken in at once, and
    ``min_speed`` the bytes a second at which a body has to come, 0 being any.
    Raises ValueError for a base URL or a rate that is none.
    """
    # Not at the top, because the command line imports the storage without the web framework.
    from timetric.server.app import build_app
    from timetric.server.attempts import parse_rate
    from timetric.server.keyring import Keyring
    from timetric.server.limits import Limits
    from timetric.server.site import Site, is_loopback

    hosts, is_private = list(hosts), base_url is None and trust_proxy is None
    is_private = is_private and all(map(is_loopback, hosts))
    limits = Limits(
        parse_rate(rate or ("off" if is_private else "6000/min")),
        parse_rate(anonymous_rate or ("off" if is_private else "600/min")),
        max_body,
        max_uploads,
        min_speed,
    )
    site = Site(base_url, hosts, trust_proxy)
    keyring = keyring or Keyring(random(32))
    return build_app(
        storage, keyring, site, clock, random, limits, signup, administrators, access_log
    )
