"""An operator adds a class and renames one, in a real browser: the cards of new pictures offer both at once."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from services.labeler.ui.sessions import cookie
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session

from .stage import Stage, with_browser
from .test_add import choose, picture, summary

pytestmark = [pytest.mark.timeout(180), with_browser]
WAIT_MS = 30_000


@pytest.fixture
def operator(stranger: Page, stage: Stage, apis: FakeApis) -> Page:
    """The page Classes of olga, an operator."""
    login = cookie.encode(session("olga", f"{TOKEN} {uuid4()}", "operator"))
    stranger.context.add_cookies([{"name": cookie.COOKIE, "value": login, "url": stage.address}])
    stranger.goto(f"{stage.address}/classes")
    stranger.get_by_text("Add a class").wait_for()
    return stranger


def test_an_added_and_a_renamed_class_are_on_the_next_cards(operator: Page, apis: FakeApis) -> None:
    page = operator
    page.get_by_role("textbox", name="Name").fill("wild daisy")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Images can be wild daisy now.")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Rename").nth(1).click()
    page.get_by_role("textbox", name="New name").fill("lawn")
    page.keyboard.press("Enter")
    expect(page.get_by_text("grass is called lawn now, on every page.")).to_be_visible(timeout=WAIT_MS)

    apis.share = 0.2
    page.get_by_role("link", name="Add").click()
    page.get_by_text("Choose images").wait_for()
    choose(page, picture("first.png"), picture("second.png"))
    summary(page, "2 of 2 answered")
    card = page.locator(".card").first
    expect(card.locator(".answer")).to_have_text("lawn 80 %")
    expect(card.get_by_role("button", name="Agree: lawn")).to_be_visible()
    card.focus()
    page.keyboard.press("3")
    expect(page.get_by_text("wild daisy: live in fast-1 after 0.00 s")).to_be_visible(timeout=WAIT_MS)
    assert [(sent["label"], sent["shown_label"]) for sent in apis.published] == [("wild daisy", "lawn")]
