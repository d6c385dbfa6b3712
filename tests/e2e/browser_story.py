"""What a person does in the browser: sign in, bring a picture, correct the answer by one key, see the other answer."""

import asyncio
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from shared.clients.answers import ModelView
from shared.clients.labeler import list_models

from .demo_run import Told, other
from .ui.test_browser import ARGUMENTS, CHROMIUM

WAIT_MS = 120_000
KEYS = {"dandelion": "1", "grass": "2"}
with_browser = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."
)


def turn_round(told: Told, picture: Path, screenshot: Path) -> None:
    """Upload a picture, correct what the model says by one key, and wait until the page shows the other answer."""
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

        try:
            expect(page.get_by_text(f"now it says {other(said)}")).to_be_visible(timeout=WAIT_MS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{_newest_verdicts(told)}") from error
        expect(page.get_by_text("is saved; live in fast-")).to_be_visible(timeout=WAIT_MS)
        page.screenshot(path=screenshot, full_page=True)
        browser.close()


def _newest_verdicts(told: Told) -> str:
    """Return what the gate said last, and how the parts are: why a correction is not live."""

    async def ask() -> list[ModelView]:
        async with told.person() as person:
            return await person.send(list_models(3))

    said = [f"{one.version} ({one.state}): {one.summary}" for one in asyncio.run(ask())]
    return "\n".join([*said, told.pappus("status").stdout])
