"""What people do in the browser: bring a picture, correct the answer by one key, see the other answer, and look the
correction up; then an operator rolls back, and the page of the image tells of it."""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from shared.clients.answers import ModelView
from shared.clients.labeler import find_images, get_champion, list_models
from shared.contract.roles import Role

from .demo_run import Told, other
from .ui.stage import ARGUMENTS, CHROMIUM

T = TypeVar("T")
WAIT_MS = 120_000
LOOKS = 40
KEYS = {"dandelion": "1", "grass": "2"}
with_browser = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."
)


def turn_round(told: Told, picture: Path, screenshot: Path) -> None:
    """Upload a picture, correct what the model says by one key, and wait until the page shows the other answer. Look it
    up on the pages Models and Image, roll back, and go on. Each page is photographed beside `screenshot`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = _logged_in(browser, told, "labeler")
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
        image = _tell_story(page, told, picture, screenshot.parent)
        with _rolled_back(browser, told, screenshot.parent):
            _answers(page, image, said)
            expect(page.get_by_text("Promotions are frozen since")).to_be_visible(timeout=WAIT_MS)
            expect(page.get_by_text("Live in fast-").first).to_be_visible()
            page.screenshot(path=screenshot.parent / "image-after-rollback.png", full_page=True)
        _answers(page, image, other(said))
        browser.close()


def _logged_in(browser: Browser, told: Told, role: Role) -> Page:
    """Open the pages as a person of their own."""
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(told.running.ui)
    page.get_by_role("textbox", name="Name").fill(role)
    page.get_by_role("textbox", name="Password").fill(told.running.logins[role].password)
    page.keyboard.press("Enter")
    page.get_by_text("Choose images").wait_for()
    return page


def _tell_story(page: Page, told: Told, picture: Path, folder: Path) -> str:
    """Look up the model in service on the page Models, and the correction of the picture on the page of the image; both
    are photographed into the folder. Return the address of the latter."""
    page.get_by_role("link", name="Models").click()
    page.get_by_text("is in service").wait_for()
    page.get_by_text("Accuracy on test images").or_(page.get_by_text("History")).first.wait_for()
    page.get_by_text("Have I labelled enough?").wait_for()
    page.screenshot(path=folder / "models.png", full_page=True)
    digest = sha256(picture.read_bytes()).hexdigest()

    async def find() -> UUID:
        async with told.person() as person:
            [image] = await person.send(find_images(digest))
            return image.image_id

    address = f"{told.running.ui}/image?id={_beside_browser(find())}"
    page.goto(address)
    page.get_by_text("Live in fast-").first.wait_for()
    page.screenshot(path=folder / "image.png", full_page=True)
    return address


def _answers(page: Page, image: str, label: str) -> None:
    """Open the page of an image until the model in service answers so: replicas and lane follow a moment later."""
    answer = page.get_by_text(re.compile(f"says {label} .*, now"))
    for _ in range(LOOKS):
        page.goto(image)
        page.get_by_text("What models answered").wait_for()
        page.get_by_text(re.compile(r"says .*, now")).wait_for()
        if answer.is_visible():
            return
    expect(answer).to_be_visible()


@contextmanager
def _rolled_back(browser: Browser, told: Told, folder: Path) -> Iterator[None]:
    """Roll back to the version before the one in service, as an operator does, and lift the freeze afterwards."""
    page = _logged_in(browser, told, "operator")

    async def former() -> str:
        async with told.person() as person:
            champion = await person.send(get_champion())
            assert champion is not None
            assert champion.parent is not None
            return champion.parent

    page.goto(f"{told.running.ui}/models?version={_beside_browser(former())}")
    _command(page, "Roll back to it …", "Roll back", "rolled back from")
    page.screenshot(path=folder / "rollback.png", full_page=True)
    try:
        yield
    finally:
        page.goto(f"{told.running.ui}/models")
        _command(page, "Lift the freeze …", "Lift the freeze", "lifted the freeze of promotions")
        page.context.close()


def _command(page: Page, button: str, confirm: str, said: str) -> None:
    """Press a button of an operator by keyboard, give a reason, and wait until the gate has answered. A click could
    miss the button: while a page builds, it moves."""
    page.get_by_role("button", name=button).press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Why?").fill("to see what it changes")
    dialog.get_by_role("button", name=confirm, exact=True).press("Enter")
    page.get_by_test_id("stAlert").filter(has_text=said).first.wait_for()


def _beside_browser(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns. The driver of the browser runs a loop in this thread, so it needs another."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def _newest_verdicts(told: Told) -> str:
    """Return what the gate said last, and how the parts are: why a correction is not live."""

    async def ask() -> list[ModelView]:
        async with told.person() as person:
            return await person.send(list_models(3))

    said = [f"{one.version} ({one.state}): {one.summary}" for one in _beside_browser(ask())]
    return "\n".join([*said, told.pappus("status").stdout])
