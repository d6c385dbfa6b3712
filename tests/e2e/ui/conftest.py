"""Fixtures: the pages in a browser. One process of them serves all tests."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from services.labeler.ui.sessions import cookie
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session

from .stage import ARGUMENTS, CHROMIUM, Stage, staged


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The pages, served by their own process as in operation."""
    with staged() as stage:
        yield stage


@pytest.fixture
def apis(stage: Stage) -> FakeApis:
    """The APIs of this test."""
    stage.apis = FakeApis()
    return stage.apis


@pytest.fixture(scope="module")  # not longer: while it is open, no other test of the process can run an event loop
def browser() -> Iterator[Browser]:
    """A browser; each test has a profile of its own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A page of a person who is not logged in."""
    with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
        context.set_default_timeout(30_000)
        page, refused = context.new_page(), list[str]()
        page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
        yield page
        assert refused == []


@pytest.fixture
def page(stranger: Page, stage: Stage, apis: FakeApis) -> Page:
    """Anna's page, with the cookie of a login of her own."""
    login = cookie.encode(session(token=f"{TOKEN} {uuid4()}"))
    stranger.context.add_cookies([{"name": cookie.COOKIE, "value": login, "url": stage.address}])
    stranger.goto(stage.address)
    stranger.get_by_text("Choose images").wait_for()
    return stranger
