"""The whole loop in a real browser: sign in, bring a picture, correct the answer by one key, see the other answer."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from pappus.demo.drawing import draw_tiles

from .demo_run import Told, other
from .ui.test_browser import ARGUMENTS, CHROMIUM

WAIT_MS = 60_000
KEYS = {"dandelion": "1", "grass": "2"}

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."
)


def test_one_key_turns_the_answer_round(told: Told, tmp_path: Path) -> None:
    picture = tmp_path / "seen.png"
    picture.write_bytes(draw_tiles(5))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(WAIT_MS)
        page.goto(told.running.ui)
        page.get_by_role("textbox", name="Name").fill("labeler")
        page.get_by_role("textbox", name="Password").fill(told.running.logins["labeler"].password)
        page.keyboard.press("Enter")
        page.get_by_text("Choose an image").wait_for()

        page.locator("input[type=file]").set_input_files(picture)
        heading = page.get_by_role("heading", name="The model says")
        heading.wait_for()
        said = heading.inner_text().removeprefix("The model says ").strip()
        page.get_by_role("button", name=other(said)).wait_for()
        page.keyboard.press(KEYS[other(said)])

        expect(page.get_by_text(f"now it says {other(said)}")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text("is saved; live in fast-")).to_be_visible(timeout=WAIT_MS)
        page.screenshot(path=tmp_path / "corrected.png", full_page=True)
        browser.close()
    assert (tmp_path / "corrected.png").stat().st_size > 10_000
