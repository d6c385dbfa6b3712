"""The queues of Review in a real browser: chosen, kept, and a habit that is asked about."""

from playwright.sync_api import Page, expect

from shared.testing.events import NOON
from tests.unit.labeler.ui.fake_apis import FakeApis

from .stage import Stage, with_browser
from .surface import WAIT_MS, Surface, review, set_labels

pytestmark = with_browser


def test_a_queue_is_chosen_by_keyboard_and_kept_in_the_address(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 4)
    apis.queues.holding["contradicts_label"] = [images[2].image_id]
    surface.press("q", "ArrowDown")
    surface.shows(images[2])
    expect(page.get_by_label("Queue")).to_have_value("contradicts_label")
    page.wait_for_url("**/review?queue=contradicts_label")
    surface.press("Enter", "2")
    expect(page.get_by_text("Choose another queue.")).to_be_visible(timeout=WAIT_MS)
    surface.last("live in fast-1")
    apis.queues.holding["contradicts_label"] = [images[3].image_id]
    page.reload()
    surface.shows(images[3])
    assert set_labels(images) == [[], [], ["grass"], []]


def test_what_is_left_for_later_is_there_in_another_tab(page: Page, apis: FakeApis, stage: Stage) -> None:
    surface, images = review(page, apis, 2)
    surface.press("s", "s")
    surface.last("kept for you", "kept for you")
    other = page.context.new_page()
    other.goto(f"{stage.address}/review")
    other.get_by_role("button", name="Left for later (2)").click(timeout=WAIT_MS)
    later = Surface(other)
    later.shows(images[0])
    later.press("2")
    later.shows(images[1])
    later.last("live in fast-1")
    assert set_labels(images) == [["grass"], []]


def test_a_habit_is_asked_about_once_and_loses_nothing(page: Page, apis: FakeApis) -> None:
    apis.queues.asks = {"contradicting": 6, "decisions": 10, "asked_about": NOON.isoformat()}
    surface, images = review(page, apis, 3)
    expect(page.get_by_text("6 of your last 10 labels contradict")).to_be_visible()
    surface.press("2")
    expect(page.get_by_text("Not counted: answer the question first.")).to_be_visible()
    surface.press("y")
    expect(page.get_by_text("6 of your last 10 labels contradict")).to_be_hidden()
    surface.press("2")
    surface.counts(1, 2)
    surface.last("live in fast-1")
    assert len(apis.queues.answered) == 1
    assert set_labels(images) == [["grass"], [], []]


def test_a_vote_is_cast_and_taken_back_without_the_answer_of_a_model(page: Page, apis: FakeApis) -> None:
    apis.queues.voting = True
    surface, images = review(page, apis, 3)
    expect(page.get_by_role("heading", name="What is it?")).to_be_visible()
    expect(page.get_by_text("Your answer is kept as a vote.")).to_be_visible()
    expect(page.get_by_text("The model says")).to_be_hidden()
    expect(page.get_by_label("Queue").locator("option", has_text="To vote")).to_have_count(1)
    surface.press("2", "1")
    surface.last("kept as your vote", "kept as your vote")
    surface.press("u")
    surface.shows(images[1])
    surface.last("vote taken back", "kept as your vote")
    surface.press("2")
    surface.shows(images[2])
    surface.last("kept as your vote")
    assert set_labels(images) == [[], [], []]
    assert {each["label"] for each in apis.queues.votes.values()} == {"grass"}
