"""The test of webapp.py: its user lets it in, counts, and takes back what they allowed."""

from __future__ import annotations

import importlib
import sys

import pytest
from flask.testing import FlaskClient

from timetric.testing import Service

pytest_plugins = ["timetric.testing"]


@pytest.fixture
def browser(timetric_service: Service, tmp_path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """One at the application, which has a service and a database of this test's."""
    for name, text in timetric_service.application("Counters").items():
        monkeypatch.setenv(f"TIMETRIC_{name.upper()}", text)
    monkeypatch.setenv("FLASK_SECRET_KEY", "of a test")
    monkeypatch.setenv("FLASK_DATABASE", str(tmp_path / "webapp.db"))
    monkeypatch.delitem(sys.modules, "webapp", raising=False)
    return importlib.import_module("webapp").app.test_client()


def connect(browser: FlaskClient, service: Service) -> None:
    """Press Connect here, and Authorize at the service, where the user is ann."""
    asked = browser.post("/connect")
    browser.get(service.authorize(asked.location, user="ann"))


def test_ann_counts_in_a_series_of_her_own(browser: FlaskClient, timetric_service: Service) -> None:
    browser.post("/sign-in", data={"name": "ann"})
    assert "May we use your data?" in browser.get("/").text
    connect(browser, timetric_service)
    counter = browser.post("/", data={"title": "Cups"}).location
    browser.post(counter)
    timetric_service.clock.advance("1h")
    assert "Counted: 2" in browser.post(counter, follow_redirects=True).text
    series = timetric_service.user("ann").series(counter.rpartition("/")[2])
    assert [value for _, value in series] == [1.0, 2.0]


def test_a_token_that_is_refused_is_asked_for_again(
    browser: FlaskClient, timetric_service: Service
) -> None:
    browser.post("/sign-in", data={"name": "ann"})
    connect(browser, timetric_service)
    timetric_service.fail_next(401)
    refused = browser.post("/", data={"title": "Cups"})
    assert (refused.status_code, "May we use your data?" in refused.text) == (403, True)
