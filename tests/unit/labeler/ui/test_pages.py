"""The pages, run without a browser against fake APIs."""

from contextlib import nullcontext
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from services.labeler.settings import UiSettings
from services.labeler.ui.api_clients import Declined, PredictorClient
from services.labeler.ui.sessions.tab import open_predictor
from shared.clients.answers import LiveAccuracy
from shared.clients.predictor import get_serving_model
from shared.testing.events import NOON

from .fake_apis import FakeApis, session
from .fake_drift import drift_view
from .page_driver import buttons, log_in, press, shown_text, upload

pytestmark = pytest.mark.slow  # each test runs a whole page

UNCONFIRMED = "Your label **grass** is not saved yet."


def test_a_login_needs_the_right_password(logged_out: AppTest) -> None:
    logged_out.run()
    logged_out.text_input(key="login-name").input("anna")
    logged_out.text_input(key="login-password").input("wrong")
    press(logged_out, "Log in")
    assert "The name or the password is wrong." in shown_text(logged_out)

    logged_out.text_input(key="login-password").input("right")
    press(logged_out, "Log in")
    assert logged_out.title[0].value == "Add"


def test_an_upload_shows_the_answer_and_its_probabilities(anna: AppTest) -> None:
    upload(anna)

    assert "The model says dandelion" in shown_text(anna)
    assert "full-1 · 3.0 ms" in shown_text(anna)
    assert [each.label for each in anna.button if each.label in ("dandelion", "grass")] == ["dandelion", "grass"]


def test_a_picture_is_uploaded_with_the_label_that_the_person_gave(anna: AppTest, apis: FakeApis) -> None:
    anna.run()
    anna.selectbox(key="claimed").select("grass")
    upload(anna)

    assert apis.uploads == [("flower.png", "grass")]
    assert "It is labelled grass." in shown_text(anna)


def test_one_press_corrects_and_shows_its_effect(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    apis.share = 0.02
    press(anna, "grass")
    anna.run()

    assert "Your label **grass** is saved; live in `fast-1` after 0.00 s." in shown_text(anna)
    assert "The model said dandelion (80%); now it says **grass** (98%)." in shown_text(anna)
    [correction] = apis.published
    assert (correction["label"], correction["revision"], correction["shown_label"]) == ("grass", 0, "dandelion")
    assert correction["shown_model_version"] == "full-1"


def test_an_uploader_sees_the_answer_and_who_decides_labels(anna: AppTest, apis: FakeApis) -> None:
    anna.session_state["session"] = session(role="uploader")
    upload(anna)

    assert "The model says dandelion" in shown_text(anna)
    assert "people with the role labeler decide labels" in shown_text(anna)
    assert not set(apis.labels) & set(buttons(anna))


def test_interactions_do_not_upload_the_same_image_again(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    anna.run()
    anna.run()

    assert len(apis.images) == 1


def test_labels_can_be_set_without_a_model(anna: AppTest, apis: FakeApis) -> None:
    apis.version, apis.live_in = "", None
    upload(anna)
    press(anna, "grass")

    assert "No model is in service yet, but you can set labels." in shown_text(anna)
    assert "is saved. The model is learning it" in shown_text(anna)


def test_an_upload_is_kept_while_the_log_is_down_and_sent_again(anna: AppTest, apis: FakeApis) -> None:
    apis.log_down = True
    upload(anna)
    assert "The image could not be saved yet. Press Try again." in shown_text(anna)

    apis.log_down = False
    press(anna, "Try again")
    assert "What is it really?" in shown_text(anna)
    assert len(apis.keys) == 1


def test_a_correction_is_kept_while_the_log_is_down_and_sent_again(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    apis.log_down = True
    press(anna, "grass")
    assert f"{UNCONFIRMED} The label could not be saved yet. Press Try again." in shown_text(anna)

    apis.log_down = False
    press(anna, "Try again")
    assert [correction["label"] for correction in apis.published] == ["grass"]


def test_an_image_that_cannot_be_used_says_why(anna: AppTest, apis: FakeApis) -> None:
    apis.refusing_uploads = "These bytes are no image."
    upload(anna)

    assert "This image cannot be used. These bytes are no image." in shown_text(anna)
    assert not [each for each in anna.button if each.label == "grass"]


def test_the_page_waits_for_an_upload_that_was_accepted(anna: AppTest, apis: FakeApis) -> None:
    apis.slow = True
    upload(anna)
    assert "The image is being saved" in shown_text(anna)

    next(iter(apis.images.values())).state = "stored"
    anna.run()
    assert "What is it really?" in shown_text(anna)


def test_a_session_that_ends_keeps_the_unsent_correction(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    apis.logged_out = True
    press(anna, "grass")
    assert "Your label is kept" in shown_text(anna)

    log_in(anna)
    assert f"{UNCONFIRMED} The session had ended. Press Try again." in shown_text(anna)
    assert "Log in again" not in shown_text(anna)
    press(anna, "Try again")
    assert [correction["label"] for correction in apis.published] == ["grass"]
    assert "Your label **grass** is saved" in shown_text(anna)


def test_a_superseded_correction_names_who_was_first(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    image = next(iter(apis.images.values()))
    image.label, image.revision = "dandelion", 1
    press(anna, "grass")
    assert "berta was first" in shown_text(anna)
    assert "It is labelled dandelion." in shown_text(anna)

    press(anna, "grass")
    assert apis.published[-1]["revision"] == 1


def test_undo_after_an_upload_takes_the_label_back(anna: AppTest, apis: FakeApis) -> None:
    upload(anna)
    press(anna, "grass")
    press(anna, "Undo")

    [image] = apis.images.values()
    assert (image.label, image.decided) == (None, 0)
    assert "It is labelled grass." not in shown_text(anna)
    assert "Your label is taken back" in shown_text(anna)
    assert "Undo" not in [each.label for each in anna.button]


def test_every_page_says_that_promotions_are_frozen_and_why(anna: AppTest, apis: FakeApis) -> None:
    apis.frozen_by, apis.live_in = "olga froze promotions: the camera is broken", None
    upload(anna)
    assert "olga froze promotions: the camera is broken." in shown_text(anna)

    press(anna, "grass")
    assert "is saved. The model follows when promotions are no longer frozen." in shown_text(anna)
    assert "ask an operator" not in shown_text(anna)


def test_every_page_says_that_pictures_have_changed(anna: AppTest, apis: FakeApis) -> None:
    apis.drifts = [drift_view()]
    upload(anna)
    assert "pictures look different from those the model has learned" in shown_text(anna)


def test_every_page_says_that_people_agree_less(anna: AppTest, apis: FakeApis) -> None:
    apis.drifts = [drift_view(statistic="accuracy", value=0.6, figures={"accuracy_before": 0.94})]
    upload(anna)
    assert "agree with 60% of the answers they are shown; before it was 94%" in shown_text(anna)


def test_every_page_says_how_often_people_agreed(anna: AppTest, apis: FakeApis) -> None:
    apis.drifts = [drift_view()]
    apis.live = LiveAccuracy(answers=40, agreed=36, share=0.9, low=0.77, high=0.96)
    upload(anna)
    assert "People agreed with 90% of 40 answers since the last full training (77% to 96%)." in shown_text(anna)


def test_a_refused_file_has_one_reason_on_its_page(anna: AppTest, apis: FakeApis) -> None:
    apis.refusing_predictions = apis.refusing_uploads = "The picture is cut off."
    upload(anna)
    assert shown_text(anna).count("The picture is cut off.") == 1


def test_a_refused_key_of_the_pages_logs_no_person_out(anna: AppTest, apis: FakeApis) -> None:
    apis.predictor_key = "another key than that of the pages"
    upload(anna)
    assert "PAPPUS_PREDICTOR_KEY" in shown_text(anna).replace("\\", "")
    press(anna, "grass")
    assert [each["label"] for each in apis.published] == ["grass"]


def test_the_pages_send_their_key_to_the_predictor(apis: FakeApis) -> None:
    apis.predictor_key = "pappus_word"
    for key, known in (("pappus_word", True), ("", False)):
        settings = UiSettings(
            labeler_url="http://labeler", predictor_url="http://predictor", predictor_key=SecretStr(key)
        )
        pages = PredictorClient(open_predictor(settings, httpx2.MockTransport(apis.predictor)))
        with nullcontext() if known else pytest.raises(Declined, match="PAPPUS_PREDICTOR_KEY"):
            assert pages.send(get_serving_model()).version == "full-1"


def test_a_label_that_looks_like_markdown_is_shown_as_it_is(anna: AppTest, apis: FakeApis) -> None:
    apis.labels = ("![x](http://evil.example/p.png)", "grass")
    upload(anna)
    shown = shown_text(anna) + "".join(each.label for each in anna.button)
    assert "![x](http:" not in shown


def test_a_label_that_contradicts_another_is_shown(anna: AppTest, apis: FakeApis) -> None:
    values = {"revision": 1, "no_label": None, "decided_at": NOON.isoformat(), "image_id": str(uuid4())}
    earlier, later = {"label": "grass", "decided_by": "anna"}, {"label": "dandelion", "decided_by": "berta"}
    apis.conflicts = [{"counting": {**values, **later}, "overruled": {**values, **earlier}}]
    anna.run()

    assert "instead of your label **grass**" in shown_text(anna)
