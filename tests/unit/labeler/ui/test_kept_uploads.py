"""What is not sent yet stays on the Upload page, whatever else the person does."""

from streamlit.testing.v1 import AppTest

from .fake_streamlit import PICTURE, Played
from .page_driver import buttons, log_in, press, said, upload

OTHER = PICTURE + b"another"


def leave_unsent(page: AppTest, played: Played) -> None:
    """A label that could not be sent."""
    upload(page)
    played.log_away = True
    press(page, "grass")
    assert "Do not reload this page: that would lose it." in said(page)


def let_the_uploader_forget(page: AppTest) -> None:
    """As when the person opens the review and comes back."""
    page.file_uploader(key="file").set_value(None)
    page.run()


def test_a_label_that_could_not_be_sent_outlives_the_value_of_the_uploader(anna: AppTest, played: Played) -> None:
    leave_unsent(anna, played)
    let_the_uploader_forget(anna)
    assert "**grass** is kept here, not confirmed yet." in said(anna)

    played.log_away = False
    press(anna, "Try again")
    assert "Your correction to **grass** is revision 1" in said(anna)


def test_after_it_was_sent_the_next_file_takes_its_place(anna: AppTest, played: Played) -> None:
    leave_unsent(anna, played)
    let_the_uploader_forget(anna)
    played.log_away = False
    press(anna, "Try again")
    upload(anna, "leaf.png", OTHER)

    assert anna.session_state["work"].name == "leaf.png"


def test_the_next_file_waits_until_the_label_is_sent_and_its_effect_was_seen(anna: AppTest, played: Played) -> None:
    leave_unsent(anna, played)
    upload(anna, "leaf.png", OTHER)
    assert "First finish flower.png: it is not sent yet." in said(anna)
    assert "**grass** is kept here, not confirmed yet." in said(anna)

    played.log_away = False
    press(anna, "Try again")
    assert "Your correction to **grass** is revision 1" in said(anna)
    assert "First finish" not in said(anna)

    press(anna, "Go on with leaf.png")
    assert anna.session_state["work"].name == "leaf.png"
    assert len(played.images) == 2


def test_an_image_that_could_not_be_stored_outlives_it_too(anna: AppTest, played: Played) -> None:
    played.log_away = True
    upload(anna)
    assert "Do not reload this page: that would lose it." in said(anna)
    let_the_uploader_forget(anna)
    played.log_away = False
    press(anna, "Try again")

    assert "What is it really?" in said(anna)


def test_the_end_of_the_session_before_the_image_is_stored_keeps_it(anna: AppTest, played: Played) -> None:
    played.logged_out = True
    upload(anna)
    log_in(anna)
    assert "Not stored yet. The session had ended." in said(anna)

    press(anna, "Try again")
    assert "What is it really?" in said(anna)


def test_who_logs_in_after_somebody_else_inherits_nothing(anna: AppTest, played: Played) -> None:
    anna.session_state["desk"] = "anna's session"
    leave_unsent(anna, played)
    press(anna, "Log out")
    log_in(anna, "berta")

    assert "grass" not in said(anna)
    assert "work" not in anna.session_state
    assert "desk" not in anna.session_state


def test_who_logs_out_and_in_again_finds_their_own(anna: AppTest, played: Played) -> None:
    leave_unsent(anna, played)
    press(anna, "Log out")
    log_in(anna)

    assert "**grass** is kept here, not confirmed yet." in said(anna)


def test_a_model_that_comes_later_can_be_asked(anna: AppTest, played: Played) -> None:
    version, played.version = played.version, ""
    upload(anna)
    assert "The first needs 20 images of each label." in said(anna)
    assert "readyz" not in said(anna)

    played.version = version
    press(anna, "Ask the model again")
    assert "The model says dandelion" in said(anna)
    assert "Ask the model again" not in buttons(anna)


def test_the_images_behind_an_answer_have_a_description(anna: AppTest, played: Played) -> None:
    played.behind = played.add().image_id
    upload(anna)

    described = [image.alt for each in anna.get("image") for image in each.proto.imgs]
    assert described == ["flower.png", "A corrected image behind this answer"]
