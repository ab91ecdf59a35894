"""timetric.testing, as the tests of those who use timetric meet it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("timetric.server.app")  # the kit runs the service, here, in this Python

import timetric
from tests.conftest import ROOT
from timetric import testing

HOUR = 3600.0


@pytest.fixture
def kit() -> Any:
    with testing.service() as running:
        yield running


def made(client: timetric.TimetricClient) -> timetric.Series:
    return client.create_series(title="Cups", caption="Cups of tea")


def test_what_is_written_is_read_back_at_the_time_that_the_test_set(kit: testing.Service) -> None:
    series = made(kit.client)
    kit.clock.set("2024-02-29T12:00:00")
    series.update(1)
    kit.clock.advance("1h")
    series.update(2)
    assert list(series) == [(1709208000.0, 1.0), (1709211600.0, 2.0)]


def test_two_values_at_a_clock_that_stands_still_are_two_points(kit: testing.Service) -> None:
    series = made(kit.client)
    series.increment(1)
    series.increment(1)
    assert [value for _, value in series] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("90s", 90),
        ("5min", 300),
        ("1h", HOUR),
        ("30d", 720 * HOUR),
        ("2 w", 336 * HOUR),
        (0.5, 0.5),
        (-HOUR, -HOUR),
        (timedelta(days=1), 24 * HOUR),
    ],
)
def test_the_clock_moves_by_spans_of_any_kind(span: Any, seconds: float) -> None:
    clock = testing.Clock(1e9)
    clock.advance(span)
    assert clock() == 1e9 + seconds


@pytest.mark.parametrize("span", ["1 fortnight", "h", "1.5h", "", 1e12])
def test_what_is_no_span_moves_nothing(span: Any) -> None:
    clock = testing.Clock(1e9)
    with pytest.raises(ValueError):
        clock.advance(span)
    assert clock() == 1e9


@pytest.mark.parametrize("span", ["1h", "-1h", "365d"])
def test_an_oauth_client_goes_on_when_the_clock_has_moved(kit: testing.Service, span: str) -> None:
    client = kit.oauth_client("ann")
    series = made(client)
    series.update(1)
    kit.clock.advance(-HOUR if span == "-1h" else span)
    assert series.latest()[1] == 1.0
    series.increment(1)
    assert series.latest()[1] == 2.0
    assert kit.user("ann").series(series.id).latest()[1] == 2.0  # it acts for ann


def test_a_test_lets_an_application_in_where_a_user_would_with_a_browser(
    kit: testing.Service,
) -> None:
    callback = "http://127.0.0.1:5000/callback"
    client = timetric.TimetricClient(kit.application("Counters"))
    token = client.get_request_token(callback)
    back = kit.authorize(client.get_authorize_url(token), user="bob")
    assert back.startswith(f"{callback}?oauth_token={token.key}&oauth_verifier=")
    client.get_access_token(token, back.rpartition("=")[2])
    series = made(client)
    assert kit.user("bob").series(series.id).latest() == (None, None)
    with pytest.raises(timetric.NotFound):
        kit.client.series(series.id).latest()


def test_what_was_authorized_already_is_not_found(kit: testing.Service) -> None:
    client = timetric.TimetricClient(kit.application())
    url = client.get_authorize_url(client.get_request_token())
    kit.authorize(url, "ann")
    with pytest.raises(timetric.NotFound):
        kit.authorize(url, "bob")
    with pytest.raises(timetric.NotFound):
        kit.authorize(kit.url)
    with pytest.raises(ValueError, match="Tests"):
        kit.application()


def test_users_have_series_of_their_own(kit: testing.Service) -> None:
    series = made(kit.client)
    assert kit.user("ann") is kit.user("ann")
    with pytest.raises(timetric.NotFound):
        kit.user("ann").series(series.id).latest()
    with pytest.raises(ValueError):
        kit.user("no name\n")


def test_the_next_request_fails_as_told_and_nothing_is_done(kit: testing.Service) -> None:
    series = made(kit.client)
    impatient = timetric.TimetricClient(kit.config, retries=0)
    kit.fail_next(503, times=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(timetric.ServiceUnavailable, match="The test asked for") as failed:
            impatient.series(series.id).update(1)
        assert failed.value.retry_after == 7.0
        assert failed.value.request_id
    assert series.latest() == (None, None)
    impatient.series(series.id).update(2)
    assert series.latest()[1] == 2.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, timetric.BadRequest),
        (401, timetric.NotAuthorized),
        (403, timetric.Forbidden),
        (429, timetric.RateLimited),
        (500, timetric.ServiceError),
    ],
)
def test_any_error_can_be_asked_for(
    kit: testing.Service, status: int, kind: type[Exception]
) -> None:
    series = made(timetric.TimetricClient(kit.config, retries=0))
    kit.fail_next(status)
    with pytest.raises(kind):
        series.latest()
    assert series.latest() == (None, None)


def test_the_client_tries_again_what_fails_once(kit: testing.Service) -> None:
    series = made(kit.client)
    kit.fail_next(503)
    series.update(3)
    assert series.latest()[1] == 3.0


@pytest.mark.parametrize(("status", "times"), [(200, 1), (302, 1), (599, 1), (503, 0)])
def test_what_is_no_failure_is_refused(kit: testing.Service, status: int, times: int) -> None:
    with pytest.raises(ValueError):
        kit.fail_next(status, times=times)


def test_a_service_that_was_away_has_kept_everything(kit: testing.Service) -> None:
    series = made(kit.client)
    series.update(1)
    impatient = timetric.TimetricClient(kit.config, retries=0)
    with kit.away(), pytest.raises(timetric.ConnectionFailed) as refused:
        impatient.series(series.id).update(2)
    assert not refused.value.sent
    series.update(3)
    assert [value for _, value in series] == [1.0, 3.0]


def test_several_run_at_once_in_threads_and_know_nothing_of_each_other() -> None:
    def counted(number: int) -> float:
        with testing.service() as running:
            series = made(running.client)
            for _ in range(number):
                series += 1
            return float(series)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(counted, range(1, 9))) == [float(n) for n in range(1, 9)]


def test_one_is_used_by_many_threads(kit: testing.Service) -> None:
    series = made(kit.client)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(series.increment, [1] * 80))
    assert float(series) == 80.0


def test_no_thread_and_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with testing.service() as running:
        series = made(running.client)
        series.update([(number, number) for number in range(10_000)])
        assert len(list(series)) == 10_000
        assert list(tmp_path.iterdir())
    assert set(threading.enumerate()) - before == set()
    assert list(tmp_path.iterdir()) == []


def test_it_ends_too_when_the_test_fails() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), testing.service() as running:
        made(running.client)
        raise ZeroDivisionError
    assert set(threading.enumerate()) - before == set()


def test_no_repr_shows_the_secret(kit: testing.Service) -> None:
    secret = kit.config["apitoken_secret"]
    assert secret not in f"{kit!r} {kit.config!r} {kit.client!r} {kit.clock!r}"


ALONE = """
import os, timetric.testing
with timetric.testing.service() as service:
    series = service.client.create_series(title="a", caption="b")
    series.update(1)
    print(series.latest()[1], "pytest" in __import__("sys").modules)
"""


def test_nothing_of_the_user_is_read_or_written(tmp_path: Path) -> None:
    """Neither a home, nor a config in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TIMETRIC_URL": "http://127.0.0.1:9/",
        "TIMETRIC_APITOKEN_KEY": "another's",
        "TIMETRIC_CONFIG": "/nowhere/at/all",
    }
    command = [sys.executable, "-c", ALONE]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("1.0 False\n", "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("missing", ["waitress", "falcon", "numpy"])
def test_a_missing_package_is_named_with_its_cure(missing: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None
import timetric.testing
try:
    with timetric.testing.service():
        pass
except timetric.ConfigError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        f"timetric.testing lacks {missing}; run: pip install 'timetric[testing]'\n"
    )


CONFTEST = 'import timetric.testing\npytest_plugins = ["timetric.testing"]\n'

USERS_TEST = """
import timetric.testing

def test_first(timetric_service: timetric.testing.Service):
    timetric_service.user("ann")
    timetric_service.client.create_series(title="a", caption="b").update(1)

def test_second(timetric_service):
    timetric_service.clock.set("2024-01-01")
    assert timetric_service.clock() == 1704067200.0
"""


def test_pytest_finds_the_fixture_where_a_conftest_names_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout


@pytest.mark.parametrize("example", ["test_cups.py", "test_webapp.py"])
def test_the_examples_of_the_documentation_pass(example: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    examples = ROOT / "docs/examples"
    run = subprocess.run([*command, example], cwd=examples, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
