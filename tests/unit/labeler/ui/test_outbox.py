"""The moves of a review, sent to the labeler beside the page."""

import pytest

from services.labeler.ui.api_clients import LabelerClient
from services.labeler.ui.review.outbox import Outbox
from services.labeler.ui.sessions.tab import Clients
from shared.testing.waiting import eventually

from .fake_apis import TOKEN, FakeApis, session
from .review_moves import Tab


@pytest.fixture
def labeler(clients: Clients) -> LabelerClient:
    """The labeler as anna uses it."""
    clients.labeler.resume(session())
    return clients.labeler


def opened(labeler: LabelerClient) -> Outbox:
    outbox = Outbox()
    outbox.use(labeler, "the first login")
    return outbox


def send_until_idle(outbox: Outbox) -> None:
    while outbox.step() == "sent":
        pass


def states(outbox: Outbox) -> list[str]:
    return [outcome.state for outcome in outbox.ledger.outcomes.values()]


def test_labels_undo_and_redo_reach_the_labeler_in_order(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab, outbox = apis.add(label="dandelion"), Tab(), opened(labeler)
    undo = tab.undo(tab.label(image.image_id, "grass", reason="two leaves"))
    tab.label(image.image_id, "grass", after=undo)
    outbox.take(tab.listed())
    send_until_idle(outbox)

    said = [(sent["label"], sent["no_label"], sent["revision"], sent["reason"]) for sent in apis.published]
    assert said == [("grass", None, 0, "two leaves"), (None, "withdrawn", 1, ""), ("grass", None, 2, "")]
    assert (image.label, image.revision, states(outbox)) == ("grass", 3, ["applied"] * 3)


def test_a_log_that_is_away_loses_nothing(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab, outbox = apis.add(), Tab(), opened(labeler)
    key = tab.label(image.image_id, "grass")
    apis.log_down = True
    outbox.take(tab.listed())
    assert (outbox.step(), outbox.step()) == ("wait", "wait")
    assert states(outbox) == ["unsent"]
    apis.log_down = False
    send_until_idle(outbox)
    assert (image.label, apis.keys) == ("grass", [key])


def test_the_end_of_the_login_keeps_what_is_unsent(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab, outbox = apis.add(), Tab(), opened(labeler)
    tab.label(image.image_id, "grass")
    apis.logged_out = True
    outbox.take(tab.listed())
    assert outbox.step() == "wait"
    assert outbox.logged_out
    apis.logged_out = False
    outbox.use(labeler.under(session(token=f"{TOKEN} again")), "the next login")
    send_until_idle(outbox)
    assert (image.label, outbox.logged_out) == ("grass", False)


def test_an_accepted_label_is_undone_once_its_revision_is_known(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab, outbox = apis.add(label="dandelion"), Tab(), opened(labeler)
    apis.slow = True
    tab.undo(tab.label(image.image_id, "grass"))
    outbox.take(tab.listed())
    outbox.step()
    apis.failing = "history"
    assert outbox.step() == "wait"
    apis.failing, apis.slow = "", False
    send_until_idle(outbox)
    assert (image.label, image.revision) == ("dandelion", 2)


def test_a_refused_label_is_said_and_not_sent_again(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab, outbox = apis.add(), Tab(), opened(labeler)
    key = tab.label(image.image_id, "grass")
    apis.failing = "label"
    outbox.take(tab.listed())
    send_until_idle(outbox)
    outcome = outbox.outcome(key)
    assert outcome is not None
    assert (outcome.state, outcome.detail) == ("declined", "Something is wrong in the labeler.")
    assert outbox.step() == "idle"


async def test_moves_are_sent_beside_the_page_until_all_are_done(apis: FakeApis, labeler: LabelerClient) -> None:
    tab, outbox = Tab(), opened(labeler)
    images = [apis.add() for _ in range(5)]
    for image in images:
        tab.label(image.image_id, "grass")
        outbox.take(tab.listed())
        outbox.wake()
    await eventually(lambda: not outbox.ledger.unfinished())
    assert [image.label for image in images] == ["grass"] * 5
    assert len(apis.keys) == 5


def test_two_outboxes_with_the_same_moves_label_once(apis: FakeApis, labeler: LabelerClient) -> None:
    image, tab = apis.add(), Tab()  # as after a reload that comes before the old tab is known to be gone
    tab.label(image.image_id, "grass")
    for outbox in (opened(labeler), opened(labeler)):
        outbox.take(tab.listed())
        send_until_idle(outbox)
        assert states(outbox) == ["applied"]
    assert len(image.history) == 1
