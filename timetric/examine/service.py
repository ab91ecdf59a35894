"""The service that a config names: reached, itself, in time, and willing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from timetric import auth
from timetric.client import TimetricClient
from timetric.examine.finding import Finding, fail, ok, warn
from timetric.exceptions import Forbidden, NotAuthorized, TimetricClientError
from timetric.request import Request

_TITLE, _VERSION = "Timetric", "2"  # of the protocol, as /openapi.json has them

#: Seconds by which clocks may differ: a Date is rounded, and was on its way; what OAuth refuses.
_ROUNDED, _REFUSED = 5, 300


def findings(client: TimetricClient) -> Iterator[Finding]:
    """In their order: where one fails, what follows can't be known."""
    quick = client.within(deadline=10, timeout=5, retries=1)
    begun = time.time()
    try:
        reply, body = quick.request("GET", "openapi.json", sign=_unsigned)
    except TimetricClientError as error:
        yield fail("url", f"{error}; is {client.url} right, and the service running?")
        return
    now = (begun + time.time()) / 2
    found = _described(body)
    if found is None:
        yield fail("url", f"something else than a timetric service answers at {client.url}")
        return
    yield _reached(client.url, found)
    yield _health(quick)
    yield _clock(reply, now)
    yield from _credentials(quick)


def _unsigned(request: Request) -> Request:
    return request


def _described(body: bytes) -> str | None:
    """The version that a timetric service has of the protocol; None of anything else."""
    try:
        info = json.loads(body)["info"]
        return str(info["version"]) if info["title"] == _TITLE else None
    except (ValueError, KeyError, TypeError):  # no JSON, or none of ours
        return None


def _reached(url: str, version: str) -> Finding:
    if version != _VERSION:
        text = f"{url} speaks version {version} of the protocol, and this client {_VERSION}"
        return warn("url", f"{text}; upgrade the older of the two")
    secure = urlsplit(url).scheme == "https"
    return ok("url", f"{url} answers{', with a certificate that is trusted' if secure else ''}")


def _health(client: TimetricClient) -> Finding:
    try:
        client.request("GET", "health/", sign=_unsigned)
    except TimetricClientError as error:
        return fail("health", f"{error}; its keeper finds why in the service's log")
    return ok("health", "the service and its store are well")


def _clock(reply: Mapping[str, Any], now: float) -> Finding:
    """``now`` is this machine's time, in Unix seconds, as the service answered."""
    ahead = parsedate_to_datetime(reply["date"]).timestamp() - now
    if abs(ahead) <= _ROUNDED:
        return ok("clock", f"the same as the service's, within {_ROUNDED} s")
    side = "behind" if ahead > 0 else "ahead of"
    text = f"this machine's is {abs(ahead):.0f} s {side} the service's; set the one that is wrong"
    if abs(ahead) <= _REFUSED:
        return warn("clock", text)
    return fail("clock", f"{text}: OAuth takes no more than {_REFUSED} s")


def _credentials(client: TimetricClient) -> Iterator[Finding]:
    if isinstance(client.auth, auth.OAuth) and client.auth.token is None:
        yield warn("credentials", "nobody has let the application in yet: timetric login --oauth")
        return
    try:
        client.get("search/results.thin.json", {"u": "me", "limit": "1"})
    except NotAuthorized as error:
        yield fail("credentials", f"{error}; for others: timetric login --replace")
        return
    except TimetricClientError as error:
        yield fail("credentials", str(error))
        return
    yield _writing(client)


def _writing(client: TimetricClient) -> Finding:
    """By a dry run of making a series, which makes none."""
    about = {"title": "timetric doctor", "caption": "A dry run", "dry_run": "true"}
    try:
        client.post("create/", about)
    except Forbidden as error:  # read-only, or the quota is used up
        return warn("credentials", f"good for reading; {error}")
    except TimetricClientError as error:
        return fail("credentials", f"good for reading; making a series fails: {error}")
    return ok("credentials", "good, for reading and writing")
