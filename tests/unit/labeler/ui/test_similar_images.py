"""The row of similar images in Review: nothing is asked for until a person opens it."""

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.components.similar_images import similar_key

from .fake_apis import FakeApis
from .page_driver import say, shown_text, told
from .review_moves import Tab

pytestmark = pytest.mark.slow  # each test runs a whole page


def open_row(page: AppTest, apis: FakeApis) -> AppTest:
    """Open the row of the first image in the queue."""
    page.session_state[similar_key(apis.queue[0])] = True
    return say(page, Tab(), apis.queue[0])


def test_it_is_asked_for_only_when_the_row_is_open(review_page: AppTest, apis: FakeApis) -> None:
    first, second = apis.add(), apis.add()
    apis.similar = [apis.add(label="moss").image_id, apis.add().image_id]
    say(review_page, Tab(), first.image_id)
    assert "Similar images" in [each.label for each in review_page.expander]
    assert apis.asked_similar == []

    open_row(review_page, apis)
    assert apis.asked_similar == [first.image_id]
    assert {"moss", "no label"} <= set(shown_text(review_page).splitlines())

    say(review_page, Tab(), second.image_id)
    assert apis.asked_similar == [first.image_id]
    assert "moss" not in shown_text(review_page).splitlines()


def test_without_any_it_says_why(review_page: AppTest, apis: FakeApis) -> None:
    apis.add()
    assert "There is none." in shown_text(open_row(review_page, apis))


def test_an_api_that_fails_leaves_the_page_usable(review_page: AppTest, apis: FakeApis) -> None:
    apis.add()
    apis.failing = "similar"
    assert "Something is wrong in the labeler" in shown_text(open_row(review_page, apis))
    assert not review_page.exception
    assert len(told(review_page)["items"]) == 1
