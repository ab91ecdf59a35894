"""How soon a chart of the page of a series is on the screen, in Chromium."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import timetric
from benchmarks.clock import milliseconds
from benchmarks.contenders.timetric import TimetricSession
from benchmarks.stage import Actor, Stage

_TIMES = 7  # that each is measured, with a page of its own each time
_PATIENCE = 60  # seconds

#: Without these Chromium looks for hosts of its own on the network.
_FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --window-size=1280,1000
    --disable-background-networking --disable-component-update --disable-sync"""

#: Notes when a chart was drawn: at the first frame after, in milliseconds since the page was asked
#: for. ``data-drawn`` says which range is on it (static/chart.js).
_WATCH = """
    window.drawn = [];
    const watcher = new MutationObserver(() => requestAnimationFrame(
        () => setTimeout(() => window.drawn.push(performance.now()))));
    watcher.observe(document, {subtree: true, attributes: true, attributeFilter: ["data-drawn"]});
"""
_FIRST = """
    const told = arguments[0];
    const look = () => window.drawn.length ? told(window.drawn[0]) : setTimeout(look, 5);
    look();
"""
#: From the click until the finer points are drawn.
_ZOOM = """
    const told = arguments[1], before = window.drawn.length, clicked = performance.now();
    document.querySelector(arguments[0]).click();
    const look = () => window.drawn.length > before
        ? told(window.drawn[before] - clicked) : setTimeout(look, 1);
    look();
"""
_ZOOMS = ("[data-step=in]", "[data-step=in]", "[data-preset=year]", "[data-preset=week]")


class Charts(NamedTuple):
    """Milliseconds: the medians of the first chart, and of the slowest zoom on each page."""

    first: float
    zoom: float


def chart(figure: str) -> Callable[[Stage, Actor], float | None]:
    """The measure of one figure of Charts."""

    def take(stage: Stage, actor: Actor) -> float | None:
        if actor.name != "timetric" or not _is_installed():
            return None
        found: float = getattr(stage.found(_charts, actor), figure)
        return found

    return take


def _is_installed() -> bool:
    has_driver = shutil.which("chromium") and shutil.which("chromedriver")
    return bool(has_driver) and importlib.util.find_spec("selenium") is not None


def _charts(stage: Stage, actor: Actor) -> Charts:
    session: Any = actor.connect()
    assert isinstance(session, TimetricSession), "only ourselves are asked"
    id = session.id(actor.loaded(stage.huge))
    with timetric.TimetricClient(session.config) as client:
        series = client.series(id)
        series.describe(public=True)  # the browser is a stranger
    with _browser() as driver:
        taken = [_take(driver, series.url) for _ in range(_TIMES)]
    return Charts(*(milliseconds(times) for times in zip(*taken)))


def _take(driver: Any, url: str) -> tuple[float, float]:
    """Seconds until the first chart, and for the slowest of the zooms."""
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    driver.get(url)
    first = driver.execute_async_script(_FIRST)
    zooms = [driver.execute_async_script(_ZOOM, button) for button in _ZOOMS]
    return first / 1000, max(zooms) / 1000


@contextmanager
def _browser() -> Iterator[Any]:
    from selenium import webdriver

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*_FLAGS.split(), f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options, service)
        try:  # whatever goes wrong, no browser is left behind
            driver.set_script_timeout(_PATIENCE)
            watch = {"source": _WATCH}
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", watch)
            yield driver
        finally:
            driver.quit()
