"""What is true of every error: it crosses processes whole, and is the builtin that fits."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

import timetric
from tests.conftest import RunningService
from tests.misbehaving import answer, http, misbehaving

TOKEN = {"authtype": "apitoken", "apitoken_key": "the-key", "apitoken_secret": "hush-hush"}
KINDS = [
    kind
    for kind in vars(timetric).values()
    if inspect.isclass(kind) and issubclass(kind, timetric.TimetricClientError)
]

FAILURES = {
    "401 Unauthorized": timetric.NotAuthorized,
    "403 Forbidden": timetric.Forbidden,
    "404 Not Found": timetric.NotFound,
    "409 Conflict": timetric.Conflict,
    "413 Too Large": timetric.TooLarge,
    "429 Too Many Requests": timetric.RateLimited,
    "503 Service Unavailable": timetric.ServiceUnavailable,
}


def raised(status: str) -> timetric.TimetricClientError:
    reply = http(
        status,
        b'{"detail": "line 3: so", "line": 3}',
        content_type="application/problem+json",
        request_id="abc",
        retry_after="7",
    )
    with misbehaving(answer(reply)) as service:
        client = timetric.TimetricClient({**TOKEN, "url": service.url}, retries=0)
        with client, pytest.raises(timetric.TimetricClientError) as caught:
            client.series("A" * 22).latest()
    return caught.value


def unreachable() -> timetric.TimetricClientError:
    client = timetric.TimetricClient({**TOKEN, "url": "http://127.0.0.1:1/"}, retries=0)
    with pytest.raises(timetric.ConnectionFailed) as caught:
        client.series("A" * 22).latest()
    return caught.value


@pytest.mark.parametrize("through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("status", FAILURES)
def test_an_error_crosses_processes_with_all_it_says(status: str, through) -> None:  # type: ignore[no-untyped-def]
    error = raised(status)
    arrived = through(error)
    assert type(arrived) is type(error) is FAILURES[status]
    assert (str(arrived), repr(arrived), vars(arrived)) == (str(error), repr(error), vars(error))
    assert arrived.response.status == int(status[:3])


def test_an_error_of_the_network_crosses_processes_too() -> None:
    error = unreachable()
    arrived = pickle.loads(pickle.dumps(error))
    assert isinstance(arrived, ConnectionError)
    assert arrived.sent is False
    assert str(arrived) == str(error)


def test_an_error_of_a_point_crosses_processes_with_its_line() -> None:
    arrived = pickle.loads(pickle.dumps(timetric.InvalidPoint("no value", line=7)))
    assert (str(arrived), arrived.line) == ("line 7: no value", 7)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_the_same_facts(kind: type[timetric.TimetricClientError]) -> None:
    sent = {"sent": False} if issubclass(kind, timetric.ConnectionFailed) else {}
    error = kind("so it is", **sent)
    assert str(error) == "so it is"
    assert (error.status, error.request_id, error.response) == (None, None, None)


def test_what_is_wrong_with_a_value_is_a_value_error_and_a_missing_series_a_lookup_error(
    service: RunningService,
) -> None:
    series = service.client.create_series(title="t", caption="c")
    with pytest.raises(ValueError, match="many"):
        series.update([(1, "many")])
    with pytest.raises(ValueError, match="line 2"):
        service.client.put(series.url, b"1,2\n3,many\n")
    with pytest.raises(LookupError) as caught:
        service.client.series("A" * 22).latest()
    assert isinstance(caught.value, timetric.NotFound)
    assert caught.value.request_id == caught.value.response["request-id"]


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        ("401 No", "key and the secret"),
        ("404 No", "url"),
        ("429 No", "less often"),
        ("502 No", "in front of"),
        ("503 No", "later"),
    ],
)
def test_an_error_without_words_of_the_service_s_says_what_to_do(status: str, cure: str) -> None:
    with misbehaving(answer(http(status, b"<html>"))) as service:
        client = timetric.TimetricClient({**TOKEN, "url": service.url}, retries=0)
        with client, pytest.raises(timetric.TimetricClientError, match=cure):
            client.series("A" * 22).latest()
