"""Chromium, as its user sees it, and axe-core, which looks for what hinders some users.

With TIMETRIC_SCREENSHOTS=DIR pictures of the pages are kept there, in two widths, light and dark.
"""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

needed = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)

#: Without these Chromium looks for hosts of its own on the network.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync"""

HANG = 30  # seconds

LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


class Browser:
    """One window; without ``scripts`` the pages' own do not run."""

    def __init__(self, profile: Path, *, scripts: bool = True) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*FLAGS.split(), f"--user-data-dir={profile}"):
            options.add_argument(flag)
        if not scripts:
            refused = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", refused)
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.set_page_load_timeout(HANG)
        self.pictures = os.environ.get("TIMETRIC_SCREENSHOTS")

    def open(self, url: str) -> None:
        self.driver.get(url)

    def press(self, button: str) -> None:
        self.driver.find_element("xpath", f"//main//button[normalize-space()='{button}']").click()

    def follow(self, link: str) -> None:
        """The link of the page itself, or else of its head."""
        links = self.driver.find_elements("xpath", f"//a[normalize-space()='{link}']")
        links[-1].click()

    def fill(self, **fields: str) -> None:
        """Type into fields by their names, or choose from what they offer."""
        for name, text in fields.items():
            field = self.driver.find_element("xpath", f"//main//*[@id='{name}']")
            if field.tag_name == "input":
                field.clear()
            field.send_keys(text)

    def tick(self, label: str) -> None:
        self.driver.find_element("xpath", f"//label[normalize-space()='{label}']").click()

    def value(self, field: str) -> str:
        return str(self.driver.find_element("id", field).get_property("value"))

    def texts(self, tag: str) -> list[str]:
        return [element.text for element in self.driver.find_elements("tag name", tag)]

    def tab_to(self, name: str) -> None:
        """Press Tab until what a screen reader calls that has the focus."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(60):
            self.type(Keys.TAB)
            if self.focused.accessible_name == name:
                return
        raise AssertionError(f"no way to {name!r} by keyboard")

    def allow_the_clipboard(self) -> None:
        names = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": names})

    @property
    def clipboard(self) -> str:
        script = "navigator.clipboard.readText().then(arguments[0])"
        return str(self.driver.execute_async_script(script))

    def type(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> Any:
        return self.driver.switch_to.active_element

    def shows(self, text: str, page: str = "") -> bool:
        """Whether the page says this, once it does or long has not.

        The page of that name is looked at closely: ``faults_of_look`` and pictures.
        """
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            WebDriverWait(self.driver, HANG).until(lambda _: text in self.text)
        except TimeoutException:
            return False
        if page:
            assert self.faults_of_look(page) == []
        return True

    @property
    def text(self) -> str:
        return str(self.driver.execute_script("return document.body?.innerText ?? ''"))

    @property
    def pin(self) -> str:
        return self.driver.find_element("class name", "pin").text

    def faults(self) -> list[Any]:
        """What the browser has refused to do on its pages, such as what a policy forbids."""
        found: list[Any] = self.driver.get_log("browser")
        return found

    def faults_of_look(self, page: str) -> list[Any]:
        """What axe-core finds, and whether one has to scroll sideways; each in each look."""
        found = []
        for width, scheme in LOOKS:
            self._look(width, scheme)
            found += [(page, width, scheme, fault) for fault in [*self._axe(), *self._overflow()]]
            self._keep(f"{page}-{width}-{scheme}.png")
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        return found

    def _look(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 400}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def _axe(self) -> list[Any]:
        if not self.driver.execute_script("return Boolean(window.axe)"):
            axe = files("selenium_axe_python").joinpath("axe-core/axe.min.js")
            self.driver.execute_script(axe.read_text("utf-8"))
        run = "axe.run().then(found => arguments[0](found.violations))"
        violations = self.driver.execute_async_script(run)
        return [
            (violation["id"], node["html"], node["failureSummary"])
            for violation in violations
            for node in violation["nodes"]
        ]

    def _overflow(self) -> list[str]:
        script = "return document.documentElement.scrollWidth > window.innerWidth"
        return ["is wider than the window"] if self.driver.execute_script(script) else []

    def _keep(self, name: str) -> None:
        if self.pictures:
            command = {"format": "png", "captureBeyondViewport": True}
            picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", command)["data"]
            (Path(self.pictures) / name).write_bytes(b64decode(picture))
