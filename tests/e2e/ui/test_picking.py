"""Selecting many images on Browse, in a real browser: with Shift, and by a rectangle."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.unit.labeler.ui.fake_apis import FakeApis

from .stage import Stage, with_browser

pytestmark = [pytest.mark.timeout(180), with_browser]


@pytest.fixture
def cards(page: Page, stage: Stage, apis: FakeApis) -> Locator:
    """Browse with six images; their cards, in their order."""
    for _ in range(6):
        apis.add(label="dandelion")
    page.goto(f"{stage.address}/browse")
    page.get_by_role("button", name="Select this page").wait_for()
    found = page.locator("[class*='st-key-card-']")
    expect(found).to_have_count(6)
    expect(page.locator("body[data-picking]")).to_have_count(1, timeout=30_000)
    return found


def box(cards: Locator, number: int) -> Locator:
    return cards.nth(number).locator("label")


def selected(cards: Locator, *numbers: int) -> None:
    """Expect that these cards are selected, and no others."""
    expect(cards.page.get_by_text(f"{len(numbers)} selected")).to_be_visible(timeout=30_000)
    for number in range(6):
        expect(cards.nth(number).get_by_role("checkbox")).to_be_checked(checked=number in numbers)


def test_shift_and_a_click_select_all_between(cards: Locator) -> None:
    box(cards, 1).click()
    selected(cards, 1)
    box(cards, 4).click(modifiers=["Shift"])
    selected(cards, 1, 2, 3, 4)

    box(cards, 3).click()
    selected(cards, 1, 2, 4)
    cards.nth(0).get_by_role("checkbox").focus()
    cards.page.keyboard.press("Shift+Space")
    selected(cards, 0, 1, 2, 3, 4)


def test_a_rectangle_selects_what_it_touches_and_opens_nothing(cards: Locator) -> None:
    page = cards.page
    first, third = cards.nth(0).bounding_box(), cards.nth(2).bounding_box()
    assert first
    assert third
    page.mouse.move(first["x"] + 40, first["y"] + 40)
    page.mouse.down()
    page.mouse.move(third["x"] + 40, third["y"] + 60, steps=4)
    page.mouse.up()

    selected(cards, 0, 1, 2)
    assert len(page.context.pages) == 1

    page.get_by_role("button", name="Select none").click()
    for number in range(6):
        expect(cards.nth(number).get_by_role("checkbox")).not_to_be_checked()


def test_escape_ends_a_rectangle(cards: Locator) -> None:
    page = cards.page
    box(cards, 5).click()
    selected(cards, 5)
    first = cards.nth(0).bounding_box()
    assert first
    page.mouse.move(first["x"] + 40, first["y"] + 40)
    page.mouse.down()
    page.mouse.move(first["x"] + 90, first["y"] + 60, steps=4)
    page.keyboard.press("Escape")
    page.mouse.up()

    box(cards, 4).click()
    selected(cards, 4, 5)
