"""An operator takes an image back on a page, and is asked before it is done."""

import pytest
from streamlit.testing.v1 import AppTest

from .fake_apis import FakeApis, session
from .page_driver import buttons, press, say, shown_text, told, upload
from .review_moves import Tab

pytestmark = pytest.mark.slow  # each test runs a whole page

WITHDRAW, CONFIRM, KEEP = "Withdraw this image …", "Withdraw it for good", "Keep it"


@pytest.fixture
def olga(review_page: AppTest) -> AppTest:
    """The review page of an operator."""
    review_page.session_state["session"] = session("olga")
    return review_page


def test_it_is_asked_about_and_the_next_image_comes(olga: AppTest, apis: FakeApis) -> None:
    first, second = apis.add(), apis.add()
    say(olga, Tab(), first.image_id)
    press(olga, WITHDRAW)
    assert "This cannot be undone." in shown_text(olga)
    assert told(olga)["paused"] == "Answer the question below first."
    press(olga, CONFIRM)
    assert (apis.published, "Say why" in shown_text(olga)) == ([], True)
    olga.text_input(key="withdrawal-reason").input("The owner asks for it.")
    press(olga, CONFIRM)
    assert apis.published == [{"withdrawn": str(first.image_id), "reason": "The owner asks for it."}]
    assert "1 model saw it: full-1." in shown_text(olga)
    assert (told(olga)["dropped"], told(olga)["paused"]) == ([str(first.image_id)], "")
    assert [item["id"] for item in told(olga)["items"]] == [str(second.image_id)]
    say(olga, Tab(), second.image_id)
    assert WITHDRAW in buttons(olga)


def test_the_question_stays_with_its_image(olga: AppTest, apis: FakeApis) -> None:
    first, second = apis.add(), apis.add()
    say(olga, Tab(), first.image_id)
    press(olga, WITHDRAW)
    say(olga, Tab(), second.image_id)  # it was on its way
    olga.text_input(key="withdrawal-reason").input("The owner asks for it.")
    press(olga, CONFIRM)
    assert [each["withdrawn"] for each in apis.published] == [str(first.image_id)]


def test_an_image_that_is_kept_stays(olga: AppTest, apis: FakeApis) -> None:
    image = apis.add()
    say(olga, Tab(), image.image_id)
    press(olga, WITHDRAW)
    press(olga, KEEP)
    assert apis.published == []
    assert (told(olga)["paused"], told(olga)["dropped"]) == ("", [])


def test_a_log_that_is_away_leaves_the_question_open(olga: AppTest, apis: FakeApis) -> None:
    say(olga, Tab(), apis.add().image_id)
    press(olga, WITHDRAW)
    olga.text_input(key="withdrawal-reason").input("The owner asks for it.")
    apis.log_down = True
    press(olga, CONFIRM)
    assert "could not be withdrawn yet" in shown_text(olga)
    apis.log_down = False
    press(olga, CONFIRM)
    assert len(apis.published) == 1


def test_a_labeler_has_no_such_button(review_page: AppTest, apis: FakeApis) -> None:
    say(review_page, Tab(), apis.add().image_id)
    assert "Similar images" in [each.label for each in review_page.expander]
    assert WITHDRAW not in buttons(review_page)


def test_an_upload_can_be_withdrawn_at_once(anna: AppTest, apis: FakeApis) -> None:
    anna.session_state["session"] = session("olga")
    upload(anna)
    press(anna, WITHDRAW)
    anna.text_input(key="withdrawal-reason").input("It shows a person.")
    press(anna, CONFIRM)
    assert "The image is withdrawn" in shown_text(anna)
    assert [each["reason"] for each in apis.published] == ["It shows a person."]
