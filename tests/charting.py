"""The page of a series, as its user has it before them in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import HANG, Browser


class Chart:
    """A page with a chart, as its user has it before them."""

    def __init__(self, browser: Browser, url: str, lines: int = 1) -> None:
        self.browser, self.driver = browser, browser.driver
        browser.open(url)
        self.drawn(lines)

    def drawn(self, lines: int = 1, but: str = "") -> tuple[float, float]:
        """The range that is drawn, once it is of so many lines and not what was before."""

        def found(_: Any) -> bool:
            text = self.told
            return bool(text) and text != but and text.split()[2] == str(lines)

        self.wait(found)
        start, end, *_ = self.told.split()
        return float(start), float(end)

    @property
    def told(self) -> str:
        script = "return document.querySelector('figure.chart').dataset.drawn ?? ''"
        return str(self.driver.execute_script(script))

    def after(self, act: Any, *, lines: int = 1) -> tuple[float, float]:
        """The range that is drawn after something was done."""
        before = self.told
        act()
        return self.drawn(lines, before)

    def click(self, selector: str) -> None:
        """Again where the page puts a new one in its place, as it does while one types."""
        from selenium.common.exceptions import StaleElementReferenceException

        def clicked(_: Any) -> bool:
            try:  # it may be replaced between the two steps
                self.driver.find_element("css selector", selector).click()
            except StaleElementReferenceException:
                return False
            return True

        self.wait(clicked)

    def preset(self, name: str) -> tuple[float, float]:
        return self.after(lambda: self.click(f"[data-preset={name}]"))

    def press(self, *keys: str) -> tuple[float, float]:
        return self.after(lambda: self.browser.type(*keys))

    def drag(self, start: float, end: float) -> tuple[float, float]:
        """From one part of the plot's width to another."""
        from selenium.webdriver import ActionChains

        over = self.driver.find_element("class name", "u-over")
        width = over.size["width"]

        def act() -> None:
            mouse = ActionChains(self.driver)
            mouse.move_to_element_with_offset(over, int((start - 0.5) * width), 0).click_and_hold()
            mouse.move_by_offset(int((end - start) * width / 2), 0)
            mouse.move_to_element_with_offset(over, int((end - 0.5) * width), 0).release().perform()

        return self.after(act)

    def point_at(self, part: float) -> str:
        """What the first line of the key says with the pointer there."""
        from selenium.webdriver import ActionChains

        over = self.driver.find_element("class name", "u-over")
        offset = int((part - 0.5) * over.size["width"])
        ActionChains(self.driver).move_to_element_with_offset(over, offset, 0).perform()
        return self.driver.find_element("css selector", ".lines .value").text

    def press_shifted(self, key: str) -> tuple[float, float]:
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.keys import Keys

        keys = ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT)
        return self.after(keys.perform)

    def press_on_plot(self, *keys: str) -> tuple[float, float]:
        self.driver.execute_script("document.querySelector('.plane').focus()")
        return self.press(*keys)

    def pressed(self) -> list[str]:
        found = self.driver.find_elements("css selector", "[data-preset][aria-pressed=true]")
        return [button.text for button in found]

    def lines(self) -> list[str]:
        found = self.driver.find_elements("css selector", ".lines .title")
        return [title.text for title in found]

    def column(self, number: int) -> list[float | None]:
        """What one of uPlot's columns holds; of a line there are greatest, least and mean."""
        script = f"return charts[0].plot.data[{number}]"
        found: list[float | None] = self.driver.execute_script(script)
        return found

    def table(self) -> list[list[str]]:
        script = (
            "return [...document.querySelectorAll('.in-numbers tr')].map(row =>"
            " [...row.cells].map(cell => cell.textContent))"
        )
        rows: list[list[str]] = self.wait(lambda _: self.driver.execute_script(script))
        return rows

    def comes_to(self, start: float, end: float) -> None:
        """Wait until about that range is drawn; on the way there it may be others."""
        near = (end - start) / 20
        self.wait(lambda _: self.drawn() == pytest.approx((start, end), abs=near))

    def wait(self, found: Callable[[Any], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, HANG).until(found)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.driver.current_url).query)

    def text(self, name: str) -> str:
        return self.driver.find_element("class name", name).text
