"""A browser for the tests of pages: opens them, looks at them, and knows what their scripts complained of."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WIDE, PHONE = 1280, 390  # pixels
_SECONDS = 60  # that the page may take: two cores may be busy
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
# What is wider than the window, but for what scrolls by itself.
_BEYOND = """[document.documentElement, ...document.querySelectorAll("main *")].filter(
  (e) => (e.scrollWidth > innerWidth || e.getBoundingClientRect().right > innerWidth + 1)
    && !e.closest(".wide, pre, svg")).map((e) => e.outerHTML.slice(0, 100))"""
# Pictures that are to be seen and are not there, or have no size.
_BAD_PICTURES = """[...document.images].filter((e) => e.offsetParent !== null
  && !(e.complete && e.naturalWidth && e.width > 20 && e.height > 20))
  .map((e) => e.outerHTML.slice(0, 100))"""


class Browser:
    """One window of a headless browser.

    Args:
        driver: Selenium's.
        downloads: where saved files go.
    """

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, address: str, width: int = WIDE, height: int = 900) -> None:
        """Opens a page in a window of this size; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """What JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def click(self, css: str) -> None:
        """Clicks on the first element of a selector, as a user does: it must be visible."""
        found = self.driver.find_element("css selector", css)
        self.run("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def slide(self, css: str, value: float | str) -> None:
        """Moves a slider, or sets a field, as its user would."""
        self.run(
            "const found = document.querySelector(arguments[0]); found.value = arguments[1];"
            "for (const kind of ['input', 'change']) found.dispatchEvent(new Event(kind, {bubbles: true}))",
            *(css, str(value)),
        )

    def until(self, script: str, about: str = "return null") -> Any:
        """Waits until JavaScript returns something true, and returns it.

        Args:
            about: what this returns is said where it takes too long.
        """
        return until(lambda: self.run(script), lambda: f"{script}: {self.run(about)}, {self.complaints()}")

    def complaints(self) -> list[str]:
        """What the console said since it was last asked: errors, and things that could not be loaded."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def check(self) -> None:
        """The console said nothing, nothing is wider than the window, and pictures have sizes."""
        self.until(f"return !{_BAD_PICTURES}.length", f"return {_BAD_PICTURES}")
        complaints = self.complaints()
        assert not complaints, complaints
        beyond = self.run(f"return {_BEYOND}")
        assert not beyond, beyond


def until(found: Callable[[], Any], about: Callable[[], str]) -> Any:
    """Waits until something is found, and returns it."""
    end = time.monotonic() + _SECONDS
    while not (value := found()):
        assert time.monotonic() < end, about()
        time.sleep(0.05)
    return value


@contextlib.contextmanager
def browser_in(downloads: Path) -> Iterator[Browser]:
    """A browser, until the context ends; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium: the extra browser")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver (Debian's packages chromium and chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # Sandboxes need rights that containers and root do not give.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER, log_output=os.devnull)
    driver = webdriver.Chrome(options, service)
    try:
        allowed = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
        yield Browser(driver, downloads)
    finally:
        driver.quit()
