"""Unsent work stays on the Upload page until it is sent."""

import pytest
from streamlit.testing.v1 import AppTest

from .fake_apis import FakeApis
from .fake_images import PICTURE
from .page_driver import buttons, log_in, press, shown_text, upload

pytestmark = pytest.mark.slow  # each test runs a whole page

OTHER = PICTURE + b"another"


def leave_unsent(page: AppTest, apis: FakeApis) -> None:
    """Press a label while the log is down."""
    upload(page)
    apis.log_down = True
    press(page, "grass")
    assert "is not saved yet." in shown_text(page)


def clear_uploader(page: AppTest) -> None:
    """Clear the uploader, as opening the review and coming back does."""
    page.file_uploader(key="file").set_value(None)
    page.run()


def test_an_unsent_label_outlives_the_value_of_the_uploader(anna: AppTest, apis: FakeApis) -> None:
    leave_unsent(anna, apis)
    clear_uploader(anna)
    assert "Your label **grass** is not saved yet." in shown_text(anna)

    apis.log_down = False
    press(anna, "Try again")
    assert "Your label **grass** is saved" in shown_text(anna)


def test_the_next_file_takes_the_place_of_a_label_that_was_sent(anna: AppTest, apis: FakeApis) -> None:
    leave_unsent(anna, apis)
    clear_uploader(anna)
    apis.log_down = False
    press(anna, "Try again")
    upload(anna, "leaf.png", OTHER)

    assert anna.session_state["upload_session"].name == "leaf.png"


def test_the_next_file_waits_until_the_label_is_sent_and_its_effect_shown(anna: AppTest, apis: FakeApis) -> None:
    leave_unsent(anna, apis)
    upload(anna, "leaf.png", OTHER)
    assert "Finish flower.png first: it is not saved yet." in shown_text(anna)
    assert "Your label **grass** is not saved yet." in shown_text(anna)

    apis.log_down = False
    press(anna, "Try again")
    assert "Your label **grass** is saved" in shown_text(anna)
    assert "flower.png first" not in shown_text(anna)

    press(anna, "Continue with leaf.png")
    assert anna.session_state["upload_session"].name == "leaf.png"
    assert len(apis.images) == 2


def test_an_unsent_image_outlives_the_value_of_the_uploader(anna: AppTest, apis: FakeApis) -> None:
    apis.log_down = True
    upload(anna)
    assert "could not be saved yet." in shown_text(anna)
    clear_uploader(anna)
    apis.log_down = False
    press(anna, "Try again")

    assert "What is it really?" in shown_text(anna)


def test_an_image_survives_the_end_of_the_session_before_it_is_stored(anna: AppTest, apis: FakeApis) -> None:
    anna.run()
    apis.logged_out = True
    upload(anna)
    log_in(anna)
    assert "The session ended before the image was saved. Press Try again." in shown_text(anna)

    press(anna, "Try again")
    assert "What is it really?" in shown_text(anna)


def test_the_next_user_of_a_tab_inherits_nothing(anna: AppTest, apis: FakeApis) -> None:
    anna.session_state["review_session"] = "anna's session"
    leave_unsent(anna, apis)
    press(anna, "Log out")
    log_in(anna, "berta")

    assert "grass" not in shown_text(anna)
    assert "upload_session" not in anna.session_state
    assert "review_session" not in anna.session_state


def test_a_user_who_logs_in_again_finds_the_unsent_work(anna: AppTest, apis: FakeApis) -> None:
    leave_unsent(anna, apis)
    press(anna, "Log out")
    log_in(anna)

    assert "Your label **grass** is not saved yet." in shown_text(anna)


def test_a_model_that_is_promoted_later_can_be_asked(anna: AppTest, apis: FakeApis) -> None:
    version, apis.version = apis.version, ""
    upload(anna)
    assert "The first model needs 20 images of each label." in shown_text(anna)
    assert "readyz" not in shown_text(anna)

    apis.version = version
    press(anna, "Ask the model again")
    assert "The model says dandelion" in shown_text(anna)
    assert "Ask the model again" not in buttons(anna)


def test_the_images_behind_a_prediction_have_a_description(anna: AppTest, apis: FakeApis) -> None:
    apis.behind = apis.add().image_id
    upload(anna)

    described = [image.alt for each in anna.get("image") for image in each.proto.imgs]
    assert described == ["flower.png", "A corrected image behind this answer"]
