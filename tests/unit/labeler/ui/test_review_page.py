"""The Review page around its surface: what the browser says reaches the labeler, and what became of it the browser."""

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.review.surface import FILES
from shared.testing.waiting import eventually

from .fake_apis import FakeApis
from .page_driver import log_in, press, say, shown_text, told
from .review_moves import Tab

pytestmark = pytest.mark.slow  # each test runs a whole page


async def test_moves_are_sent_once_and_their_outcomes_told(review_page: AppTest, apis: FakeApis) -> None:
    first, second = apis.add(label="dandelion"), apis.add()
    review_page.run()
    shown = [(item["id"], item["label"], item["why"]) for item in told(review_page)["items"]]
    assert shown[0] == (
        str(first.image_id),
        "dandelion",
        ["It has no label yet.", "Label: dandelion, set by the uploader."],
    )
    tab = Tab()
    key = tab.label(first.image_id, "grass")
    say(review_page, tab, second.image_id)
    await eventually(lambda: first.label == "grass")
    await eventually(lambda: told(say(review_page, tab, second.image_id))["outcomes"][key]["final"])

    assert [item["id"] for item in told(review_page)["items"]] == [str(second.image_id)]
    assert (told(review_page)["left"], len(apis.published)) == (1, 1)


async def test_a_login_that_ends_keeps_the_labels_and_sends_them(review_page: AppTest, apis: FakeApis) -> None:
    image, tab = apis.add(), Tab()
    review_page.run()
    tab.label(image.image_id, "grass")
    apis.logged_out = True
    say(review_page, tab, None)
    await eventually(lambda: "Your labels are kept" in shown_text(say(review_page, tab, None)))
    log_in(review_page)
    say(review_page, tab, None)
    await eventually(lambda: image.label == "grass")


def test_the_end_of_a_session_leads_to_the_login(review_page: AppTest, apis: FakeApis) -> None:
    apis.logged_out = True
    review_page.run()

    assert not review_page.exception
    assert review_page.title[0].value == "Pappus"
    assert "The session has ended. Log in again." in shown_text(review_page)


@pytest.mark.parametrize("classes", [2, 3, 10, 40])
def test_all_classes_are_told_and_the_likeliest_nine_first(review_page: AppTest, apis: FakeApis, classes: int) -> None:
    apis.labels = tuple(f"plant {number}" for number in range(classes))
    shares = dict.fromkeys(apis.labels, 1 / classes) | {apis.labels[-1]: 0.9}
    apis.add(answer=shares)
    review_page.run()

    assert told(review_page)["labels"] == list(apis.labels)
    [item] = told(review_page)["items"]
    assert item["answer"]["top"][0] == [apis.labels[-1], 0.9]
    assert (len(item["answer"]["top"]), item["answer"]["others"]) == (min(9, classes), max(0, classes - 9))


def test_an_empty_queue_says_that_every_image_is_reviewed(review_page: AppTest) -> None:
    assert "Every image is reviewed." in told(review_page.run())["end"]


@pytest.mark.parametrize("path", ["lease", "labels"])
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
    assert told(review_page)["labels"] == ["dandelion", "grass"]


def test_the_files_of_the_surface_are_installed_with_it() -> None:
    scripts = {name for name in FILES if name.endswith(".js")}
    imported = {
        line.rpartition('"./')[2].rstrip('";')
        for file in FILES.values()
        for line in file.decode().splitlines()
        if line.startswith("import ")
    }
    assert {"surface.js"} | imported == scripts
    assert "surface.css" in FILES
