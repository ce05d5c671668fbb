"""Chromium for the tests of web pages: PROGRAM PAGE.html [FOLDER for screenshots]."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Ends with a check that nothing failed in the pages, and that they asked for nothing but files and data."""
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
        complaints = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert not complaints, complaints
        asked = [entry["message"] for entry in driver.get_log("performance")]
        asked = [message for message in asked if "requestWillBeSent" in message]
        urls = [part.split('"')[0] for message in asked for part in message.split('"url":"')[1:]]
        others = [url[:200] for url in urls if url and not url.startswith(("file:", "data:"))]
        assert urls and not others, others
    finally:
        driver.quit()


def show(driver: webdriver.Chrome, page: Path, scheme: str, width: int) -> None:
    """Opens a page in a `light` or `dark` window of that width; it must not scroll sideways."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.set_window_size(width, 1000)
    driver.get(page.as_uri())
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), width


def visit(driver: webdriver.Chrome, page: Path, name: str, use: Callable[[webdriver.Chrome], None]) -> None:
    """Opens a page in light and dark, wide and narrow, and uses it; screenshots begin with `name`."""
    for scheme, width in (("light", 1300), ("dark", 520)):
        show(driver, page, scheme, width)
        use(driver)
        if len(sys.argv) > 2:
            driver.save_screenshot(str(Path(sys.argv[2], f"{name}-{scheme}.png")))
