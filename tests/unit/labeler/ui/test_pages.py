"""The pages, run without a browser against APIs that are played."""

from streamlit.testing.v1 import AppTest

from .fake_streamlit import Played
from .page_driver import log_in, press, said, upload


def test_nobody_gets_in_without_the_right_password(stranger: AppTest) -> None:
    stranger.run()
    stranger.text_input(key="login-name").input("anna")
    stranger.text_input(key="login-password").input("wrong")
    press(stranger, "Log in")
    assert "The name or the password is wrong." in said(stranger)

    stranger.text_input(key="login-password").input("right")
    press(stranger, "Log in")
    assert stranger.title[0].value == "Upload"


def test_an_upload_shows_the_answer_and_its_probabilities(anna: AppTest) -> None:
    upload(anna)

    assert "The model says dandelion" in said(anna)
    assert "full-1 · 3.0 ms" in said(anna)
    assert [each.label for each in anna.button if each.label in ("dandelion", "grass")] == ["dandelion", "grass"]


def test_one_press_corrects_and_tells_what_it_did(anna: AppTest, played: Played) -> None:
    upload(anna)
    played.share = 0.02
    press(anna, "grass")
    anna.run()

    assert "Your correction to **grass** is revision 1; live in `fast-1` after 0.00 s." in said(anna)
    assert "The model said dandelion (80%); now it says **grass** (98%)." in said(anna)
    [wish] = played.published
    assert (wish["label"], wish["revision"], wish["shown_label"]) == ("grass", 0, "dandelion")
    assert wish["shown_model_version"] == "full-1"


def test_interactions_do_not_upload_the_same_picture_again(anna: AppTest, played: Played) -> None:
    upload(anna)
    anna.run()
    anna.run()

    assert len(played.images) == 1


def test_without_a_model_labels_can_be_set_all_the_same(anna: AppTest, played: Played) -> None:
    played.version, played.live_in = "", None
    upload(anna)
    press(anna, "grass")

    assert "No model is in service yet; labels can be set without it." in said(anna)
    assert "is revision 1. The model is learning it" in said(anna)


def test_while_the_log_is_away_the_upload_is_kept_and_sent_again(anna: AppTest, played: Played) -> None:
    played.log_away = True
    upload(anna)
    assert "Not stored yet. The image could not be saved yet. Press Try again." in said(anna)

    played.log_away = False
    press(anna, "Try again")
    assert "What is it really?" in said(anna)
    assert len(played.keys) == 1


def test_while_the_log_is_away_the_correction_is_kept_and_sent_again(anna: AppTest, played: Played) -> None:
    upload(anna)
    played.log_away = True
    press(anna, "grass")
    assert "**grass** is kept here, not confirmed yet. The label could not be saved yet. Press Try again." in said(anna)

    played.log_away = False
    press(anna, "Try again")
    assert [wish["label"] for wish in played.published] == ["grass"]


def test_a_picture_that_cannot_be_used_says_why(anna: AppTest, played: Played) -> None:
    played.refusing_uploads = "These bytes are no image."
    upload(anna)

    assert "This image cannot be used. These bytes are no image." in said(anna)
    assert not [each for each in anna.button if each.label == "grass"]


def test_an_upload_on_its_way_is_awaited(anna: AppTest, played: Played) -> None:
    played.slow = True
    upload(anna)
    assert "on its way" in said(anna)

    next(iter(played.images.values())).state = "stored"
    anna.run()
    assert "What is it really?" in said(anna)


def test_a_session_that_ends_in_the_middle_keeps_the_work(anna: AppTest, played: Played) -> None:
    upload(anna)
    played.logged_out = True
    press(anna, "grass")
    assert "Your correction is kept." in said(anna)

    log_in(anna)
    assert "**grass** is kept here, not confirmed yet." in said(anna)
    press(anna, "Try again")
    assert [wish["label"] for wish in played.published] == ["grass"]
    assert "Your correction to **grass** is revision 1" in said(anna)


def test_somebody_who_was_first_is_named_and_their_label_shown(anna: AppTest, played: Played) -> None:
    upload(anna)
    image = next(iter(played.images.values()))
    image.label, image.revision = "dandelion", 1
    press(anna, "grass")
    assert "berta was first" in said(anna)
    assert "It is labelled dandelion." in said(anna)

    press(anna, "grass")
    assert played.published[-1]["revision"] == 1


def test_review_goes_on_to_the_next_image_with_one_press(desk: AppTest, played: Played) -> None:
    first, second = played.add(label="dandelion"), played.add()
    desk.run()
    assert "Labelled **dandelion**: the uploader's word." in said(desk)

    press(desk, "grass")
    assert (first.label, second.label) == ("grass", None)
    assert "1 done in this session · 1 to go" in [each.proto.text for each in desk.get("progress")]
    assert "It has no label yet." in said(desk)


def test_undo_is_a_correction_back_and_shows_the_image_again(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.add()
    desk.run()
    press(desk, "grass")
    press(desk, "Undo")

    assert (image.label, image.revision) == ("dandelion", 2)
    reason = "You took your last label back. Until you choose again, it counts as dandelion, decided by you."
    assert reason in said(desk)
    press(desk, "grass")
    assert (image.label, image.revision) == ("grass", 3)


def test_undoing_the_first_label_asks_for_another_since_there_is_none_to_go_back_to(
    desk: AppTest, played: Played
) -> None:
    image = played.add()
    desk.run()
    press(desk, "grass")
    press(desk, "Undo the last one")

    assert image.revision == 1
    assert "no label to go back to" in said(desk)
    assert "You took your last label back." not in said(desk)
    press(desk, "dandelion")
    assert (image.label, image.revision) == ("dandelion", 2)


def test_a_correction_that_was_only_accepted_can_be_undone_once_it_is_known(desk: AppTest, played: Played) -> None:
    image = played.add(label="dandelion")
    played.slow = True
    desk.run()
    press(desk, "grass")
    played.slow = False
    press(desk, "Undo the last one")

    assert (image.label, image.revision) == ("dandelion", 2)


def test_a_skipped_image_comes_back_only_when_asked_for(desk: AppTest, played: Played) -> None:
    played.add()
    desk.run()
    press(desk, "Skip")
    assert "Only images you skipped, or that are still being saved, are left." in said(desk)
    assert "Nothing waits for you." not in said(desk)

    press(desk, "Look again")
    assert "What is it?" in said(desk) or "The model says" in said(desk)


def test_review_keeps_what_could_not_be_sent(desk: AppTest, played: Played) -> None:
    image = played.add()
    desk.run()
    played.log_away = True
    press(desk, "grass")
    assert "**grass** is kept here, not confirmed yet." in said(desk)
    assert image.label is None

    played.log_away = False
    press(desk, "Try again")
    assert image.label == "grass"


def test_review_names_who_was_first_and_lets_the_person_decide_again(desk: AppTest, played: Played) -> None:
    image = played.add()
    desk.run()
    image.label, image.revision = "dandelion", 1
    press(desk, "grass")
    assert "berta was first" in said(desk)
    assert "Labelled **dandelion**: a reviewer's decision." in said(desk)

    press(desk, "grass")
    assert (image.label, image.revision) == ("grass", 2)


def test_the_end_of_a_session_leads_to_the_login(desk: AppTest, played: Played) -> None:
    played.logged_out = True
    desk.run()

    assert not desk.exception
    assert desk.title[0].value == "Pappus"
    assert "The session has ended. Log in again." in said(desk)
