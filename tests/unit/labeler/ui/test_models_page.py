"""The Models page: what is in service, how it came there, and what operators may do about it."""

from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.sessions.tab import Addresses, Clients

from .fake_apis import FakeApis, session
from .fake_models import WAITS_FOR, FakeModels, curve_of, evidence_of, model, promotion, some_models
from .page_driver import buttons, press, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page


def models_script() -> None:
    """Show the models page alone."""
    from services.labeler.ui.pages import app, models
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(models.page)


@pytest.fixture
def models(apis: FakeApis) -> FakeModels:
    """A few models."""
    apis.models = FakeModels(some_models())
    return apis.models


@pytest.fixture
def page(clients: Clients, models: FakeModels) -> AppTest:
    """The models page with olga, an operator, logged in."""
    page = AppTest.from_function(models_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session("olga")
    page.session_state["addresses"] = Addresses()
    return page


def links(page: AppTest) -> list[tuple[str, str]]:
    """Return text and query of all links between pages."""
    return [(each.proto.label, each.proto.query_string) for each in page.get("page_link")]


def opened(page: AppTest, version: str, against: str = "") -> AppTest:
    """Open the page of one model."""
    page.query_params["version"] = version
    if against:
        page.query_params["against"] = against
    return page.run()


def confirm(page: AppTest, button: str, reason: str = "It rains.") -> AppTest:
    """Fill in the dialog and confirm it."""
    page.text_input(key="command-reason").input(reason)
    return press(page, button)


def test_it_shows_who_serves_and_how_good_it_is(page: AppTest) -> None:
    page.run()

    assert "v3 is in service" in shown_text(page)
    assert [(each.label, each.value) for each in page.metric] == [
        ("Accuracy", "95.0%"),
        ("Live accuracy", "95.0%"),
        ("Corrections", "2"),
    ]
    assert page.metric[0].delta == "57 of 60 test images"
    assert "`fast-2`" in shown_text(page)


def test_the_history_has_one_line_for_each_full_model(page: AppTest) -> None:
    page.run()

    assert [each.label for each in page.expander] == [
        "**full-2, rejected** · 4 May 2026, 13:39 UTC · 80.0%",
        "**full v1** · 4 May 2026, 12:01 UTC · 90.0% · + 2 corrections",
    ]
    assert "Rejected: it has 3 test images less right" in shown_text(page)


def test_a_line_opens_to_the_versions_that_stand_on_it(page: AppTest) -> None:
    page.session_state["full-full-1"] = True
    page.run()

    assert {("v3", "version=fast-2"), ("v2", "version=fast-1")} <= set(links(page))
    assert "2 versions with corrections: 2 served." in shown_text(page)


def test_it_says_what_the_last_labels_brought(page: AppTest, models: FakeModels) -> None:
    page.run()
    assert "The last 120 labels brought between −1.1 and +3.2 points of accuracy.**" in shown_text(page)
    assert "Since full-1, of 240 test images 3 became right and 1 wrong." in shown_text(page)

    models.curve = curve_of(240, 300, verdict="helped", low=0.00001, high=0.05)
    page.run()
    assert "between 0.0 and +5.0 points of accuracy.** They helped" in shown_text(page)

    models.curve = curve_of(240)
    page.run()
    assert "From 20 new labels on, what they brought is shown here." in shown_text(page)


def test_without_a_model_it_says_what_the_first_one_waits_for(page: AppTest, models: FakeModels) -> None:
    models.models = []
    page.run()

    assert WAITS_FOR in shown_text(page)
    assert buttons(page) == ["Train in full …"]


def test_a_labeler_sees_everything_but_the_actions(page: AppTest) -> None:
    page.session_state["session"] = session("anna")
    page.run()
    assert "v3 is in service" in shown_text(page)
    assert buttons(page) == []

    opened(page, "full-1")
    assert buttons(page) == []


def test_a_freeze_is_shown_and_can_be_lifted(page: AppTest, models: FakeModels) -> None:
    models.frozen = promotion(4, "freeze", summary="olga froze promotions: a new camera", frozen=True)
    page.run()

    assert "Promotions are frozen" in shown_text(page)
    assert "Lift the freeze …" in buttons(page)
    assert "Freeze …" not in buttons(page)


def test_a_rollback_needs_a_reason_and_says_what_the_gate_did(page: AppTest, models: FakeModels) -> None:
    opened(page, "full-1")
    press(page, "Roll back to it …")
    confirm(page, "Roll back", "  ")
    assert "Say why" in shown_text(page)
    assert models.asked == []

    confirm(page, "Roll back")
    assert models.asked == [{"action": "rollback", "version": "full-1", "reason": "It rains."}]
    assert "olga did rollback: It rains." in shown_text(page)
    assert "Roll back" not in buttons(page)


def test_a_request_that_is_not_answered_counts_once(page: AppTest, models: FakeModels) -> None:
    models.silent = True
    page.run()
    press(page, "Freeze …")
    confirm(page, "Freeze")
    assert "the gate has not answered yet" in shown_text(page)

    models.silent = False
    confirm(page, "Freeze")
    assert len(models.asked) == 1
    assert "olga did freeze" in shown_text(page)


def test_a_request_that_cannot_be_sent_stays_open(page: AppTest, models: FakeModels) -> None:
    models.down = True
    page.run()
    press(page, "Train in full …")
    confirm(page, "Train")
    assert "nothing has changed. Press the button again" in shown_text(page)

    models.down = False
    confirm(page, "Train")
    assert "A full training is requested." in shown_text(page)
    assert len(set(models.keys)) == 1


def test_a_refusal_of_the_gate_is_said_in_place(page: AppTest, models: FakeModels) -> None:
    models.rejecting = "The artefact of full-2 is gone."
    opened(page, "full-2")
    press(page, "Override the gate …")
    confirm(page, "Override")
    assert models.rejecting in shown_text(page)
    assert "Override" in buttons(page)

    models.rejecting = ""
    confirm(page, "Override")
    assert len(set(models.keys)) == 2
    assert "olga did override" in shown_text(page)


def test_a_model_that_waits_for_approval_is_asked_about_first(page: AppTest, models: FakeModels) -> None:
    waiting = model("full-3", state="rejected", waits_for_approval=True, summary="An operator has to approve it.")
    models.models = [waiting, *models.models]
    page.run()
    assert "**full-3 waits for an operator.** An operator has to approve it." in shown_text(page)

    press(page, "Approve …")
    confirm(page, "Approve")
    assert models.asked == [{"action": "approve", "version": "full-3", "reason": "It rains."}]


def test_one_model_shows_what_it_fixed_and_broke(page: AppTest, apis: FakeApis, models: FakeModels) -> None:
    models.gained, models.lost = [apis.add().image_id, apis.add().image_id], [apis.add().image_id]
    opened(page, "fast-2")

    assert "Compared with v2, it has 2 more test images right, and 1 that were right are wrong." in shown_text(page)
    assert [query for text, query in links(page) if text == "grass"] == [f"id={each}" for each in models.gained]
    assert "✓ **accuracy** · 95% of 60 test images are right" in shown_text(page)
    assert "accuracy 0.95 · images 60" in shown_text(page)
    assert "– **anchor** · There are few test images." in shown_text(page)


def test_any_two_versions_are_compared(page: AppTest) -> None:
    opened(page, "fast-2", against="full-1")
    assert "It answers the same test images right as v1." in shown_text(page)

    page.selectbox(key="models-against").select("fast-1").run()
    assert page.query_params["against"] == "fast-1"
    assert "It answers the same test images right as v2." in shown_text(page)


def test_a_number_of_the_matrix_opens_its_images(page: AppTest) -> None:
    opened(page, "full-1")

    [matrix] = [each.proto.body for each in page.get("html") if "<table>" in each.proto.body]
    assert 'href="browse?label=dandelion&amp;predicted=grass&amp;split=test"' in matrix
    assert matrix.count("<a ") == 3


def test_forty_classes_show_the_most_frequent_mistakes(page: AppTest, models: FakeModels) -> None:
    labels = tuple(f"class {number:02}" for number in range(40))
    models.models[-1] = models.models[-1].model_copy(update={"evidence": evidence_of(labels)})
    opened(page, "full-1")

    assert "**Most frequent mistakes**" in shown_text(page)
    assert any("class 00 answered as class 01: 2" in each.proto.body for each in page.get("html"))
    assert "All answers, class by class" in [each.label for each in page.expander]


def test_a_rejected_candidate_says_why_and_what_it_broke(page: AppTest, models: FakeModels, apis: FakeApis) -> None:
    models.lost = [apis.add().image_id]
    opened(page, "full-2")

    assert "Rejected: it has 3 test images less right than the champion." in shown_text(page)
    assert "Compared with v3, it has 0 more test images right, and 1 that were right are wrong." in shown_text(page)


def test_all_promotions_of_a_model_are_shown(page: AppTest, models: FakeModels) -> None:
    again = promotion(7, "rollback", summary="olga rolled back to full-1: rain", requested_by="olga")
    models.models[-1] = model("full-1", 1, 7, promotions=[promotion(1), again])
    opened(page, "full-1")

    assert page.title[0].value == "v7"
    assert "- **v1** · 4 May 2026, 12:01 UTC · Promoted: it is no worse" in shown_text(page)
    assert "- **v7** · 4 May 2026, 12:07 UTC · Rollback: olga rolled back to full-1: rain" in shown_text(page)


def test_the_difference_of_the_data_is_shown_once_it_is_opened(page: AppTest, models: FakeModels) -> None:
    models.changed = [UUID(int=7)]
    page.session_state["data-fast-2-fast-1"] = True
    opened(page, "fast-2")

    assert "Compared with v2: 1 image with another label." in shown_text(page)
    assert ("dandelion → grass", f"id={UUID(int=7)}") in links(page)


def test_an_unknown_version_says_so_and_leads_back(page: AppTest) -> None:
    opened(page, "full-9")

    assert "There is no model full-9." in shown_text(page)
    assert ("All models", "") in links(page)


def test_links_to_other_tools_need_their_addresses(page: AppTest) -> None:
    opened(page, "fast-2")
    assert page.get("link_button") == []

    page.session_state["addresses"] = Addresses("http://mlflow:5000", "http://jaeger:16686")
    page.run()
    addresses = [each.proto.url for each in page.get("link_button")]
    assert addresses[0] == "http://mlflow:5000/#/models/plants"
    assert addresses[1].startswith("http://jaeger:16686/search?service=trainer-gate")
    assert "fast-2" in addresses[1]
