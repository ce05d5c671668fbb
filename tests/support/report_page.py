"""Uses the page of `partdiff upscale --report` in Chromium: report_page.py PAGE.html [FOLDER for screenshots].

The page has rows of each kind: done with and without notes, and failed.
"""

import json
import sys
import time
from pathlib import Path

from browser import browser, show, visit
from selenium import webdriver
from selenium.webdriver.common.by import By

MANY = 1000

BEGIN, END = '<script type="application/json" id="data">', "</script>"


def rows(driver: webdriver.Chrome) -> list[str]:
    """The names of the inputs that are shown."""
    return driver.execute_script("return [...document.querySelectorAll('#rows tr')].map(row => row.cells[1].firstChild.textContent)")


def press(driver: webdriver.Chrome, text: str) -> None:
    """Presses the button that begins with a text."""
    (button,) = (b for b in driver.find_elements(By.TAG_NAME, "button") if b.text.startswith(text))
    button.click()


def use(driver: webdriver.Chrome) -> None:
    """Sorts, filters and reads a failure."""
    given = rows(driver)
    press(driver, "Image")
    assert rows(driver) == sorted(given, key=str.lower)
    press(driver, "Image")
    assert rows(driver) == sorted(given, key=str.lower, reverse=True)
    heads = driver.find_elements(By.CSS_SELECTOR, "th[aria-sort=descending]")
    assert [head.text.split()[0] for head in heads] == ["Image"]
    press(driver, "Time")
    seconds = driver.execute_script("return [...document.querySelectorAll('#rows tr')].map(row => parseFloat(row.cells[4].textContent))")
    made = [value for value in seconds if value is not None and value == value]
    assert made == sorted(made) and seconds[: len(made)] == made, seconds

    press(driver, "With notes")
    assert len(rows(driver)) == 1, rows(driver)
    press(driver, "Cleaned up")
    assert len(rows(driver)) < len(given), rows(driver)
    press(driver, "Failed")
    (row,) = driver.find_elements(By.CSS_SELECTOR, "#rows tr")
    assert row.find_element(By.CLASS_NAME, "reason").text, row.text
    assert not row.find_elements(By.TAG_NAME, "img")
    press(driver, "All")
    images = driver.find_elements(By.CSS_SELECTOR, "#rows img")
    assert len(images) == 2 * (len(given) - 1)
    for image in images:
        driver.execute_script("arguments[0].loading = 'eager'; return arguments[0].decode()", image)
        assert image.get_attribute("naturalWidth") != "0"


def enlarged(page: Path) -> Path:
    """The same with many rows, beside it."""
    text = page.read_text()
    head, rest = text.split(BEGIN)
    data, tail = rest.split(END, 1)
    content = json.loads(data)
    some = content["rows"]
    content["rows"] = [some[i % len(some)] | {"input": f"folder/{i}.png"} for i in range(MANY)]
    large = page.with_name("large.html")
    large.write_text(head + BEGIN + json.dumps(content).replace("<", "\\u003c") + END + tail)
    return large


def main() -> None:
    page = Path(sys.argv[1]).resolve()
    with browser() as driver:
        visit(driver, page, "report", use)
        large = enlarged(page)
        assert large.stat().st_size < 5_000_000, large.stat().st_size
        began = time.monotonic()
        show(driver, large, "light", 1300)
        assert len(rows(driver)) == MANY
        press(driver, "Image")
        print(f"{MANY} images: {large.stat().st_size / 1e6:.1f} MB, shown and sorted after {time.monotonic() - began:.1f} s")


main()
