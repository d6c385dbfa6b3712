"""The Quarantine page: which images are in neither training nor tests, and why."""

import pytest
from streamlit.testing.v1 import AppTest

from .fake_apis import FakeApis, session
from .page_driver import buttons, press, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page

WITHDRAW, CONFIRM = "Withdraw this image …", "Withdraw it for good"


def test_it_shows_each_image_with_what_it_resembles(quarantine_page: AppTest, apis: FakeApis) -> None:
    image = apis.quarantine("train", "test")
    quarantine_page.run()

    assert {"1 training image", "1 test image"} <= set(shown_text(quarantine_page).splitlines())
    [link] = quarantine_page.get("page_link")
    assert link.proto.query_string == f"id={image.image_id}"


def test_an_operator_withdraws_one_of_several(quarantine_page: AppTest, apis: FakeApis) -> None:
    first, second = apis.quarantine("train", "test"), apis.quarantine("test", "train")
    quarantine_page.run()
    quarantine_page.button[1].click()
    quarantine_page.run()
    quarantine_page.text_input(key="withdrawal-reason").input("It is a screenshot.")
    press(quarantine_page, CONFIRM)

    assert (first.state, second.state) == ("stored", "withdrawn")
    assert "The image is withdrawn" in shown_text(quarantine_page)
    assert buttons(quarantine_page) == [WITHDRAW]


def test_a_labeler_reads_who_can_withdraw(quarantine_page: AppTest, apis: FakeApis) -> None:
    apis.quarantine("train", "test")
    quarantine_page.session_state["session"] = session("anna")
    quarantine_page.run()

    assert "an operator can withdraw it" in shown_text(quarantine_page)
    assert buttons(quarantine_page) == []


def test_without_any_it_says_so(quarantine_page: AppTest) -> None:
    assert "No image is quarantined" in shown_text(quarantine_page.run())
