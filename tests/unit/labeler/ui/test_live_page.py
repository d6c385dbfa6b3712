"""The page Live: stories in a line, what does not keep up, dead letters and what a redrive would do."""

from typing import Any

import httpx2
import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.tab import Clients
from shared.clients.api import BlockingApi
from shared.clients.live import ReplicaView
from shared.contract.roles import Role
from shared.testing.events import NOON

from .fake_apis import FakeApis, session
from .fake_live import STOPPED
from .page_driver import buttons, press, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page


def live_script() -> None:
    """Show the Live page alone."""
    from services.labeler.ui.pages import app, live
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(live.page)


def opened(apis: FakeApis, role: Role = "operator") -> AppTest:
    """Return the page of a person with this role."""
    page = AppTest.from_function(live_script, default_timeout=20)
    page.session_state["clients"] = Clients(
        LabelerClient(BlockingApi("http://labeler", 5, httpx2.MockTransport(apis.labeler))),
        PredictorClient(BlockingApi("http://predictor", 5, httpx2.MockTransport(apis.predictor))),
    )
    page.session_state["session"] = session("anna", role=role)
    return page.run()


def test_each_image_has_its_story_in_one_line_with_a_link(apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    page = opened(apis)

    assert [(link.proto.label, link.proto.query_string) for link in page.get("page_link")] == [
        (plain("meadow_*2*.jpg"), f"id={image.image_id}")
    ]
    shown = shown_text(page)
    assert "came from anna · stored after 0.30 s · v6 says **grass** (63%)" in shown
    assert "berta said **dandelion**, live in v7 after 0.80 s" in shown


def test_all_is_well_in_one_sentence_and_what_is_not_is_named(apis: FakeApis) -> None:
    assert "All 1 consumer groups run and nothing waits" in shown_text(opened(apis))
    apis.going_on.waiting = 1200
    assert "**`predictor-worker`** (predictor): 1,200 events wait." in shown_text(opened(apis))
    apis.going_on.stopped = True
    shown = shown_text(opened(apis))
    assert "**`predictor-worker`** (predictor) does not run; 1,200 events wait for it." in shown
    assert "nothing waits" not in shown
    apis.going_on.idle = "It begins with the first model."
    shown = shown_text(opened(apis))
    assert "(predictor) waits: It begins with the first model. 1,200 events wait for it." in shown


def test_the_rest_of_the_page_stands_where_kafka_says_nothing(apis: FakeApis) -> None:
    apis.add()
    apis.going_on.why_unknown = "Kafka did not answer in time."
    apis.failing = "dead-letters"
    shown = shown_text(opened(apis))

    assert "Kafka did not answer in time." in shown
    assert "Something is wrong in the labeler." in shown
    assert "came from anna" in shown


def test_an_operator_sees_what_a_redrive_would_do_and_how(apis: FakeApis) -> None:
    page = press(opened(apis), "What would a redrive do?")

    assert apis.going_on.rehearsals == [{"topic": "image.stored", "group": "predictor-worker"}]
    assert "A redrive would publish 2 messages again. 1 would be left alone." in shown_text(page)
    assert page.code[0].value == "pappus dlq redrive --topic image.stored --group predictor-worker"


def test_a_reviewer_reads_the_dead_letters_as_they_are(apis: FakeApis) -> None:
    page = opened(apis, "labeler")

    assert "could not handle **3 messages** of `image.stored`" in shown_text(page)
    assert "\\[a link\\](http" in shown_text(page)
    assert "What would a redrive do?" not in buttons(page)


def test_an_operator_lets_a_stopped_webhook_go_on(apis: FakeApis) -> None:
    apis.going_on.webhooks = [STOPPED]
    page = opened(apis)
    assert "did not take an event in 12 tries: It answered 500." in shown_text(page)
    page = press(page, "Let it go on")

    assert apis.going_on.resumed == [f"/webhooks/{STOPPED.webhook_id}/resume"]
    assert "Webhook" not in shown_text(page)


def test_an_empty_page_says_what_to_do_next(apis: FakeApis) -> None:
    apis.going_on.letters = []
    shown = shown_text(opened(apis))

    assert "Nothing has happened yet. Add images" in shown
    assert "There are no dead letters" in shown


def replica(name: str, **changes: Any) -> ReplicaView:
    """Return a replica that answers with v2."""
    values = {"version": "fast-1", "sequence": 2, "loaded_at": NOON, "failed": "", "heard_at": NOON, "running": True}
    return ReplicaView.model_validate({"name": name, **values, **changes})


def test_replicas_are_shown_with_their_model(apis: FakeApis) -> None:
    apis.going_on.replicas = [replica("0"), replica("1")]
    shown = shown_text(opened(apis))
    assert "2 replicas answer with v2." in shown
    assert "replica `1`: answers with `fast-1` (v2) since" in shown
    apis.going_on.replicas = [replica("0", failed="fast-1: the hash differs"), replica("1", running=False)]
    shown = shown_text(opened(apis))
    assert "Replica **`0`** could not load fast-1: the hash differs" in shown
    assert "replica `1`: not heard of since" in shown
