"""The review: taking moves back, meeting others, and images nobody can see."""

import pytest
from streamlit.testing.v1 import AppTest

from .fake_streamlit import Image, Played
from .page_driver import buttons, press, progress, said


def label_elsewhere(image: Image, label: str) -> None:
    """Berta labels it meanwhile."""
    image.label, image.revision = label, image.revision + 1


def test_undo_after_a_skip_brings_the_skipped_image_back(desk: AppTest, played: Played) -> None:
    first, second, third = played.add(label="dandelion"), played.add(label="grass"), played.add()
    desk.run()
    press(desk, "grass")
    press(desk, "Skip")
    assert "It has no label yet." in said(desk)
    press(desk, "Undo")

    assert (first.label, first.revision) == ("grass", 1)
    assert [item.image_id for item in desk.session_state["desk"].queue] == [second.image_id, third.image_id]
    press(desk, "dandelion")
    assert (second.label, third.label) == ("dandelion", None)


def test_undo_of_a_skip_works_when_nothing_else_is_left(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    desk.run()
    press(desk, "Skip")
    press(desk, "Undo the last one")
    press(desk, "grass")

    assert image.label == "grass"
    assert "1 done in this session · 0 to go" in progress(desk)


def test_looking_again_leaves_no_skip_to_undo(desk: AppTest, played: Played) -> None:
    played.add()
    desk.run()
    press(desk, "Skip")
    press(desk, "Look again")

    [undo] = [each for each in desk.button if each.label == "Undo"]
    assert undo.disabled


def test_an_undo_that_somebody_overtook_names_them_and_claims_nothing(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.add()
    desk.run()
    press(desk, "grass")
    label_elsewhere(image, "grass")
    press(desk, "Undo")

    assert "berta was first" in said(desk)
    assert "You took your last label back." not in said(desk)
    assert (image.label, image.revision) == ("grass", 2)


def test_an_undo_that_could_not_be_sent_is_sent_again_with_the_same_key(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.add()
    desk.run()
    press(desk, "grass")
    played.log_away = True
    press(desk, "Undo")
    assert "It could not be taken back yet. Press Undo again." in said(desk)
    key = desk.session_state["desk"].undo.key

    played.log_away = False
    press(desk, "Undo")
    assert (image.label, played.keys[-1]) == ("dandelion", key)


def test_an_undo_that_was_only_accepted_is_not_called_undone(desk: AppTest, played: Played) -> None:
    played.add(label="dandelion")
    played.add()
    desk.run()
    press(desk, "grass")
    played.slow = True
    press(desk, "Undo")

    assert "It is being taken back." in said(desk)
    assert "Not undone" not in said(desk)


def test_two_people_who_choose_the_same_label_need_not_look_twice(desk: AppTest, played: Played) -> None:
    image, following = played.add(), played.add(label="dandelion")
    desk.run()
    label_elsewhere(image, "grass")
    press(desk, "grass")

    assert "Somebody had already chosen grass. Nothing to do." in said(desk)
    assert "0 done in this session · 1 to go" in progress(desk)
    press(desk, "grass")
    assert (image.revision, following.label) == (1, "grass")


def test_two_people_who_disagree_are_told_how_to_leave_it_so(desk: AppTest, played: Played) -> None:
    image = played.add()
    desk.run()
    label_elsewhere(image, "dandelion")
    press(desk, "grass")

    assert "berta was first" in said(desk)
    assert "Press Skip to leave it so." in said(desk)


def test_an_image_that_cannot_be_shown_cannot_be_labelled(desk: AppTest, played: Played) -> None:
    played.add(label="dandelion")
    played.no_content = True
    desk.run()
    assert buttons(desk) == ["Skip", "Try again", "Undo"]

    played.no_content = False
    press(desk, "Try again")
    assert "grass" in buttons(desk)


def test_before_an_image_that_cannot_be_shown_the_last_label_can_be_taken_back(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.add()
    desk.run()
    played.no_content = True
    press(desk, "grass")
    press(desk, "Undo")
    assert image.label == "dandelion"


def test_when_nothing_waits_the_page_says_so(desk: AppTest, played: Played) -> None:
    desk.run()

    assert "Nothing waits for you." in said(desk)


@pytest.mark.parametrize("path", ["review", "labels"])
def test_what_the_labeler_declines_is_told_in_its_words(desk: AppTest, played: Played, path: str) -> None:
    played.add()
    played.failing = path
    desk.run()
    assert not desk.exception
    assert "Something is wrong in the labeler." in said(desk)

    played.failing = ""
    press(desk, "Try again")
    assert "grass" in buttons(desk)


def test_a_history_that_is_declined_stops_neither_the_review_nor_undo(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.add()
    played.slow, played.failing = True, "history"
    desk.run()
    press(desk, "grass")
    assert not desk.exception
    assert "Cannot see its effect right now: Something is wrong in the labeler." in said(desk)
    assert "Accepted. It is being saved …" in said(desk)

    press(desk, "Undo")
    assert not desk.exception
    assert "Not undone. Something is wrong in the labeler." in said(desk)
    assert image.revision == 1
