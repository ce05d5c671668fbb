"""Uses the page of `partdiff preview` in Chromium: preview_page.py PAGE.html [FOLDER for screenshots]."""

import sys
from pathlib import Path

from browser import browser, visit
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait


def use(driver: webdriver.Chrome) -> None:
    """Moves the divider, chooses versions, and reads the table."""
    at = lambda name: driver.find_element(By.ID, name)
    share = lambda: float(at("slider").get_attribute("value"))
    clip = lambda: driver.execute_script("return document.getElementById('over').style.clipPath")
    assert share() == 50 and "50%" in clip(), clip()

    viewer = at("viewer")
    driver.execute_script("arguments[0].scrollIntoView()", viewer)
    ActionChains(driver).move_to_element(viewer).click_and_hold().move_by_offset(60, 0).release().perform()
    dragged = share()
    assert dragged > 52, dragged
    assert clip() == f"inset(0px {100 - dragged:g}% 0px 0px)", clip()
    ActionChains(driver).move_by_offset(-30, 0).perform()
    assert share() == dragged, "the divider follows only a pressed button"
    ActionChains(driver).send_keys(Keys.ARROW_LEFT).perform()
    assert share() < dragged

    choices = [option.text for option in Select(at("right")).options]
    assert choices[0] == "bicubic" and "detailed: uncertainty" in choices, choices
    ActionChains(driver).send_keys("2").perform()
    assert Select(at("right")).first_selected_option.text == choices[1]
    for choice in choices:
        Select(at("left")).select_by_visible_text(choice)
        assert at("left-name").text == choice
        loaded = "const image = document.getElementById('over'); return image.decode().then(() => image.naturalWidth)"
        assert driver.execute_script(loaded) > 0, choice
    assert at("map").is_displayed() and "48 levels" in at("map").text

    Select(at("zoom")).select_by_visible_text("300 %")
    natural = driver.execute_script("return document.getElementById('over').naturalWidth")
    assert at("over").size["width"] == 3 * natural, at("over").size

    rows = driver.find_elements(By.CSS_SELECTOR, "#rows tr")
    assert len(rows) == 3, [row.text for row in rows]
    for row in rows:
        assert " s" in row.text and "pixels" in row.text and "partdiff upscale" in row.text, row.text
    last = rows[-1]
    last.find_element(By.TAG_NAME, "button").click()
    assert last.get_attribute("aria-current") == "true" and at("right-name").text == "detailed"
    copy = last.find_elements(By.TAG_NAME, "button")[-1]
    copy.click()
    WebDriverWait(driver, 5).until(lambda _: copy.text == "Copied")
    # A pressed button does not take the keys.
    ActionChains(driver).send_keys("1").perform()
    assert at("right-name").text == "bicubic" and last.get_attribute("aria-current") == "false"
    ActionChains(driver).send_keys("4").perform()
    assert at("right-name").text == "detailed"
    Select(at("left")).select_by_visible_text("bicubic")
    Select(at("zoom")).select_by_visible_text("100 %")


with browser() as driver:
    visit(driver, Path(sys.argv[1]).resolve(), "preview", use)
