"""The review: undo, corrections of other people, and images that cannot be shown."""

import pytest
from streamlit.testing.v1 import AppTest

from .fake_apis import FakeApis, Image
from .page_driver import buttons, press, progress, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page


def label_elsewhere(image: Image, label: str) -> None:
    """Let berta label it meanwhile."""
    image.label, image.revision = label, image.revision + 1


def test_undo_after_a_skip_shows_the_skipped_image_again(review_page: AppTest, apis: FakeApis) -> None:
    first, second, third = apis.add(label="dandelion"), apis.add(label="grass"), apis.add()
    review_page.run()
    press(review_page, "grass")
    press(review_page, "Skip")
    assert "It has no label yet." in shown_text(review_page)
    press(review_page, "Undo")

    assert (first.label, first.revision) == ("grass", 1)
    assert [item.image_id for item in review_page.session_state["review_session"].queue] == [
        second.image_id,
        third.image_id,
    ]
    press(review_page, "dandelion")
    assert (second.label, third.label) == ("dandelion", None)


def test_undo_of_a_skip_works_when_nothing_else_is_left(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    review_page.run()
    press(review_page, "Skip")
    press(review_page, "Undo")
    press(review_page, "grass")

    assert image.label == "grass"
    assert "1 done in this session · 0 to go" in progress(review_page)


def test_look_again_leaves_no_skip_to_undo(review_page: AppTest, apis: FakeApis) -> None:
    apis.add()
    review_page.run()
    press(review_page, "Skip")
    press(review_page, "Look again")

    [undo] = [each for each in review_page.button if each.label == "Undo"]
    assert undo.disabled


def test_a_superseded_undo_names_who_was_first(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    apis.add()
    review_page.run()
    press(review_page, "grass")
    label_elsewhere(image, "grass")
    press(review_page, "Undo")

    assert "berta was first" in shown_text(review_page)
    assert "Your last label is undone." not in shown_text(review_page)
    assert (image.label, image.revision) == ("grass", 2)


def test_an_unsent_undo_is_sent_again_with_the_same_key(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    apis.add()
    review_page.run()
    press(review_page, "grass")
    apis.log_down = True
    press(review_page, "Undo")
    assert "The undo could not be saved yet. Press Undo again." in shown_text(review_page)
    key = review_page.session_state["review_session"].undo.key

    apis.log_down = False
    press(review_page, "Undo")
    assert (image.label, apis.keys[-1]) == ("dandelion", key)


def test_an_accepted_undo_is_not_called_undone(review_page: AppTest, apis: FakeApis) -> None:
    apis.add(label="dandelion")
    apis.add()
    review_page.run()
    press(review_page, "grass")
    apis.slow = True
    press(review_page, "Undo")

    assert "The undo is being saved." in shown_text(review_page)
    assert "Not undone" not in shown_text(review_page)


def test_two_people_who_choose_the_same_label_look_once(review_page: AppTest, apis: FakeApis) -> None:
    image, following = apis.add(), apis.add(label="dandelion")
    review_page.run()
    label_elsewhere(image, "grass")
    press(review_page, "grass")

    assert "Another person had already chosen grass, so there is nothing left to do here." in shown_text(review_page)
    assert "0 done in this session · 1 to go" in progress(review_page)
    press(review_page, "grass")
    assert (image.revision, following.label) == (1, "grass")


def test_a_person_who_disagrees_learns_how_to_keep_the_other_label(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add()
    review_page.run()
    label_elsewhere(image, "dandelion")
    press(review_page, "grass")

    assert "berta was first" in shown_text(review_page)
    assert "Press Skip to keep that label." in shown_text(review_page)


def test_an_image_that_cannot_be_shown_cannot_be_labelled(review_page: AppTest, apis: FakeApis) -> None:
    apis.add(label="dandelion")
    apis.no_content = True
    review_page.run()
    assert buttons(review_page) == ["Skip", "Try again", "Undo"]

    apis.no_content = False
    press(review_page, "Try again")
    assert "grass" in buttons(review_page)


def test_undo_works_on_an_image_that_cannot_be_shown(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    apis.add()
    review_page.run()
    apis.no_content = True
    press(review_page, "grass")
    press(review_page, "Undo")
    assert image.label == "dandelion"


def test_an_empty_queue_says_that_every_image_is_reviewed(review_page: AppTest, apis: FakeApis) -> None:
    review_page.run()

    assert "Every image is reviewed." in shown_text(review_page)


@pytest.mark.parametrize("path", ["review", "labels"])
def test_a_declined_request_is_shown_in_the_words_of_the_labeler(
    review_page: AppTest, apis: FakeApis, path: str
) -> None:
    apis.add()
    apis.failing = path
    review_page.run()
    assert not review_page.exception
    assert "Something is wrong in the labeler." in shown_text(review_page)

    apis.failing = ""
    press(review_page, "Try again")
    assert "grass" in buttons(review_page)


def test_a_declined_history_stops_neither_the_review_nor_undo(review_page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    apis.add()
    apis.slow, apis.failing = True, "history"
    review_page.run()
    press(review_page, "grass")
    assert not review_page.exception
    assert "The effect cannot be shown right now: Something is wrong in the labeler." in shown_text(review_page)
    assert "Your label is being saved …" in shown_text(review_page)

    press(review_page, "Undo")
    assert not review_page.exception
    assert "Not undone. Something is wrong in the labeler." in shown_text(review_page)
    assert image.revision == 1
