"""The page of one image: the picture, its label, and everything that led to it."""

from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.sessions.tab import Clients
from shared.testing.events import NOON

from .fake_apis import FakeApis, session
from .fake_images import Image
from .page_driver import buttons, press, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page


def image_script() -> None:
    """Show the page of an image alone."""
    from services.labeler.ui.pages import app, image
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(image.page)


@pytest.fixture
def page(clients: Clients) -> AppTest:
    """The page of an image with anna logged in."""
    page = AppTest.from_function(image_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session()
    return page


def opened(page: AppTest, image: Image) -> AppTest:
    """Open the page of an image."""
    page.query_params["id"] = str(image.image_id)
    return page.run()


def links(page: AppTest) -> list[tuple[str, str]]:
    """Return text and query of all links between pages."""
    return [(each.proto.label, each.proto.query_string) for each in page.get("page_link")]


def test_it_shows_the_picture_its_label_and_the_answer(page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="grass", trust="seed", facts={"name": "IMG_7.jpg"})
    opened(page, image)

    assert "**grass**, from the data set." in shown_text(page)
    assert "`full-1` says **dandelion** (80%)" in shown_text(page)
    assert len(page.get("image")) == 1
    assert "**IMG\\_7.jpg** · Uploaded by anna" in shown_text(page)


def test_a_label_set_here_is_told_with_its_effect(page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    opened(page, image)
    press(page, "grass")
    page.run()

    assert [(each["label"], each["shown_label"]) for each in apis.published] == [("grass", "dandelion")]
    assert "**anna** said **grass** instead of dandelion" in shown_text(page)
    assert "Live in `fast-1` after 0.00 s." in shown_text(page)
    assert ("See the model", "version=fast-1") in links(page)


def test_the_last_label_is_taken_back(page: AppTest, apis: FakeApis) -> None:
    image = apis.add(label="dandelion", facts={"decided_in": 1})
    opened(page, image)
    press(page, "grass")
    press(page, "Take the last label back")

    assert [each["no_label"] for each in apis.published] == [None, "withdrawn"]
    assert image.label == "dandelion"
    assert "**anna** took the last label back" in shown_text(page)


@pytest.mark.parametrize(
    ("button", "why"), [("None of these", "none_of_these"), ("Unsure", "unsure"), ("Unusable", "unusable")]
)
def test_an_image_can_have_no_label(page: AppTest, apis: FakeApis, button: str, why: str) -> None:
    opened(page, apis.add(label="grass"))
    press(page, button)

    assert [(each["label"], each["no_label"]) for each in apis.published] == [(None, why)]


def test_a_label_that_cannot_be_sent_is_kept(page: AppTest, apis: FakeApis) -> None:
    opened(page, apis.add(label="dandelion"))
    apis.log_down = True
    press(page, "grass")
    assert "Your label **grass** is not saved yet." in shown_text(page)

    apis.log_down = False
    press(page, "Try again")
    assert [each["label"] for each in apis.published] == ["grass"]
    assert len(set(apis.keys)) == 1


def test_another_person_who_was_first_is_named(page: AppTest, apis: FakeApis) -> None:
    image = opened_image = apis.add(label="dandelion")
    opened(page, opened_image)
    image.revision = 1
    press(page, "grass")

    assert "berta was first" in shown_text(page)
    assert apis.published == []


def test_of_forty_classes_the_likeliest_have_buttons(page: AppTest, apis: FakeApis) -> None:
    apis.labels = tuple(f"class {number:02}" for number in range(40))
    opened(page, apis.add())
    assert [each for each in buttons(page) if each.startswith("class")] == [f"class {n:02}" for n in range(9)]

    page.selectbox[0].select("class 31").run()
    assert [each["label"] for each in apis.published] == ["class 31"]


def test_without_a_model_a_label_can_be_set(page: AppTest, apis: FakeApis) -> None:
    apis.version = ""
    opened(page, apis.add())
    assert "No model answers right now." in shown_text(page)

    press(page, "grass")
    assert [each["shown_label"] for each in apis.published] == [None]


def test_the_corrections_behind_the_answer_lead_to_their_images(page: AppTest, apis: FakeApis) -> None:
    apis.behind, apis.near = apis.add().image_id, [apis.add().image_id]
    opened(page, apis.add())

    assert ("50%", f"id={apis.behind}") in links(page)
    assert ("near-duplicate", f"id={apis.near[0]}") in links(page)


def test_a_quarantined_image_shows_what_it_resembles(page: AppTest, apis: FakeApis) -> None:
    image = apis.quarantine("train", "test")
    opened(page, image)

    assert "**Quarantined**" in shown_text(page)
    assert {text for text, _ in links(page)} >= {"train", "test"}


def test_similar_images_are_asked_for_once_they_are_opened(page: AppTest, apis: FakeApis) -> None:
    image, other = apis.add(), apis.add(label="moss")
    apis.similar = [other.image_id]
    opened(page, image)
    assert apis.asked_similar == []

    page.session_state[f"similar-on-page-{image.image_id}"] = True
    page.run()
    assert ("moss · 0.80", f"id={other.image_id}") in links(page)


def test_only_an_operator_withdraws_the_image(page: AppTest, apis: FakeApis) -> None:
    image = apis.add()
    opened(page, image)
    assert "Withdraw this image …" not in buttons(page)

    page.session_state["session"] = session("olga")
    page.run()
    press(page, "Withdraw this image …")
    page.text_input(key="withdrawal-reason").input("The owner asks.")
    press(page, "Withdraw it for good")
    assert image.state == "withdrawn"
    assert "The image is withdrawn, and its bytes are deleted." in shown_text(page)


def test_a_withdrawn_image_says_who_took_it_back(page: AppTest, apis: FakeApis) -> None:
    gone = {"withdrawn_by": "olga", "reason": "The owner asks.", "withdrawn_at": NOON.isoformat()}
    opened(page, apis.add(state="withdrawn", facts={"withdrawal": gone}))

    assert "olga withdrew this image on 4 May 2026, 12:00 UTC: The owner asks." in shown_text(page)
    assert ("full-1", "version=full-1") in links(page)
    assert buttons(page) == []


def test_a_refused_image_says_why_and_leads_to_the_other(page: AppTest, apis: FakeApis) -> None:
    other = uuid4()
    rejection = {"reason": "duplicate", "detail": "The same bytes are stored.", "retryable": False, "attempt": 1}
    opened(page, apis.add(state="rejected", facts={"rejection": rejection, "duplicate_of": str(other)}))

    assert "The image was refused: The same bytes are stored." in shown_text(page)
    assert ("Open the image with the same bytes", f"id={other}") in links(page)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "The address names no image."),
        ("rose", "rose is no image id"),
        ("1f0c7a52-91d4-5e0b-8c11-7a3b5d0e6f20", "There is no image `1f0c7a52"),
    ],
)
def test_an_address_without_an_image_says_so(page: AppTest, apis: FakeApis, address: str, said: str) -> None:
    page.query_params["id"] = address
    page.run()
    assert said in shown_text(page)

    image = apis.add(label="grass", trust="seed")
    page.text_input[0].input(str(image.image_id)).run()
    assert "**grass**, from the data set." in shown_text(page)


def test_an_uploader_looks_and_decides_nothing(page: AppTest, apis: FakeApis) -> None:
    page.session_state["session"] = session(role="uploader")
    opened(page, apis.add(label="grass"))

    assert "people with the role labeler decide labels" in shown_text(page)
    assert not set(apis.labels) & set(buttons(page))
