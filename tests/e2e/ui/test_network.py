"""Review while the network is away, and in two tabs of one person: nothing is lost, and nothing is done twice."""

from playwright.sync_api import Page, expect

from tests.unit.labeler.ui.fake_apis import FakeApis

from .cable import cable
from .stage import Stage, with_browser
from .surface import WAIT_MS, Surface, review, set_labels

pytestmark = with_browser
LOST = "No connection. Go on: this tab keeps what you decide"


def test_what_is_decided_without_a_network_is_sent_later(page: Page, stage: Stage, apis: FakeApis) -> None:
    with cable(stage.address) as line:
        page.goto(line.address)
        surface, images = review(page, apis, 8)
        surface.press("1")
        surface.last("live in fast-1")
        line.cut()
        surface.press("2", "1")
        expect(page.get_by_text(LOST)).to_be_visible(timeout=WAIT_MS)
        surface.press("2", "u", "n")
        surface.shows(images[4])
        surface.counts(4, 4)
        assert set_labels(images)[1:] == [[]] * 7

        line.mend()
        expect(page.get_by_text(LOST)).to_be_hidden(timeout=WAIT_MS)
        surface.last(*["live in fast-1"] * 5)
        surface.press("1")
        surface.counts(5, 3)
        surface.last("live in fast-1")
    expected = [["dandelion"], ["grass"], ["dandelion"], ["grass", None, None], ["dandelion"], [], [], []]
    assert set_labels(images) == expected
    assert len(set(apis.keys)) == len(apis.published) == 7


def test_two_tabs_of_one_person_decide_each_image_once(page: Page, stage: Stage, apis: FakeApis) -> None:
    surface, images = review(page, apis, 5)
    page.context.new_page().goto(f"{stage.address}/review")
    beside = Surface(page.context.pages[-1])
    beside.shows(images[0])
    beside.loaded(5)
    surface.press("1", "2")
    surface.last("live in fast-1", "live in fast-1")
    beside.press("1", "2", "1")
    beside.last("live in fast-1")
    surface.press("1")
    surface.press("2")
    surface.last("live in fast-1")
    assert set_labels(images) == [["dandelion"], ["grass"], ["dandelion"], ["grass"], []]
