"""The page Classes, and how a class is called on the other pages."""

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.sessions.tab import Clients
from shared.clients.classes import add_class, rename_class

from .fake_apis import FakeApis, session
from .page_driver import press, shown_text, told

pytestmark = pytest.mark.slow  # each test runs a whole page


def classes_script() -> None:
    """Show the Classes page alone."""
    from services.labeler.ui.pages import app, classes
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(classes.page)


@pytest.fixture
def page(clients: Clients) -> AppTest:
    found = AppTest.from_function(classes_script, default_timeout=20)
    found.session_state["clients"] = clients
    found.session_state["session"] = session("olga", role="operator")
    return found.run()


def test_an_operator_adds_a_class_and_renames_one(page: AppTest, apis: FakeApis) -> None:
    page.text_input[0].input("wild daisy")
    page.text_input[1].input("They are in the pictures.")
    press(page, "Add")
    assert "Images can be **wild daisy** now." in shown_text(page)
    page.text_input(key="name-grass").input("lawn")
    page.button(key="send-grass").click().run()

    text = shown_text(page)
    assert "grass is called **lawn** now, on every page." in text
    assert "Also known as grass" in text
    assert "**[lawn](browse?label=lawn)** · 3 images; the model has learned it." in text
    assert apis.classes.reasons == ["They are in the pictures.", ""]


def test_a_name_of_another_class_is_refused_with_the_reason(page: AppTest) -> None:
    page.text_input[0].input("Grass")
    press(page, "Add")
    assert "There is a class 'grass'. Choose another name." in shown_text(page)


def test_a_renamed_and_an_added_class_are_on_the_buttons_at_once(
    review_page: AppTest, clients: Clients, apis: FakeApis
) -> None:
    apis.add(label="grass", share=0.2)
    clients.labeler.resume(session())
    clients.labeler.send(rename_class("grass", "lawn"))
    clients.labeler.send(add_class("wild daisy"))
    review_page.run()

    assert told(review_page)["labels"] == ["dandelion", "lawn", "wild daisy"]
    assert [item["label"] for item in told(review_page)["items"]] == ["lawn"]
