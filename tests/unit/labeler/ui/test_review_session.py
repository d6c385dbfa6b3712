"""What a tab knows in Review: which images come next, how many wait, and what became of the moves."""

from typing import Any
from uuid import uuid4

import pytest

from services.labeler.ui.api_clients import LoggedOut
from services.labeler.ui.messages import QUARANTINED
from services.labeler.ui.review.moves import Ledger, read_moves
from services.labeler.ui.review.session import ReviewSession
from services.labeler.ui.review.surface import item_data
from services.labeler.ui.sessions.corrections import PendingCorrection
from services.labeler.ui.sessions.tab import Clients

from .fake_apis import FakeApis, session
from .fake_images import Image
from .review_moves import Tab


@pytest.fixture
def review(clients: Clients, apis: FakeApis) -> ReviewSession:
    """A review of three images."""
    for label in ("dandelion", None, "grass"):
        apis.add(label=label)
    review = ReviewSession()
    review.open(clients, session())
    return review


def carry_out(review: ReviewSession, tab: Tab) -> list[dict[str, Any]]:
    """Hand over the moves and do at once what is done beside the page. Return what the browser is told of them."""
    review.take(tab.says())
    while review.outbox.step() == "sent":
        pass
    review.outcomes()
    review.read_once()
    return list(review.outcomes().values())


def images(apis: FakeApis) -> list[Image]:
    return list(apis.images.values())


def test_labelled_images_leave_the_queue_before_they_are_saved(review: ReviewSession, apis: FakeApis) -> None:
    tab, (first, second, third) = Tab(), images(apis)
    tab.label(first.image_id, "grass")
    tab.add("later", second.image_id)
    review.outbox.ledger.take(tab.listed())
    assert [item.image_id for item in review.shown()] == [third.image_id]
    assert review.left() == 2


def test_a_refill_counts_nothing_twice(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab, (first, second, third) = Tab(), images(apis)
    undo = tab.undo(tab.label(first.image_id, "grass"))
    tab.label(second.image_id, "grass")
    carry_out(review, tab)
    review._refill(clients.labeler.under(session()))
    assert [item.image_id for item in review.shown()] == [first.image_id, third.image_id]
    assert review.left() == 2
    tab.label(first.image_id, "grass", after=undo)
    carry_out(review, tab)
    assert review.left() == 1


def test_what_was_left_for_later_comes_again_when_it_is_undone(review: ReviewSession, apis: FakeApis) -> None:
    tab = Tab()
    later = tab.add("later", images(apis)[0].image_id)
    review.outbox.ledger.take(tab.listed())
    assert len(review.shown()) == 2
    tab.undo(later)
    review.outbox.ledger.take(tab.listed())
    assert len(review.shown()) == 3


def test_a_label_is_told_until_it_is_live(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab = Tab()
    apis.live_in = None
    tab.label(images(apis)[0].image_id, "grass")
    [told] = carry_out(review, tab)
    assert told["text"] == "saved (revision 1); the model is learning it …"
    assert (told["final"], told["settled"], told["revision"]) == (True, False, 1)

    images(apis)[0].history[0] |= {"live_in": "fast-1", "live_at": images(apis)[0].history[0]["occurred_at"]}
    [told] = carry_out(review, tab)
    assert (told["text"], told["live"], told["settled"]) == ("live in fast-1 after 0.00 s", True, True)


def test_frozen_promotions_are_said_and_waited_for(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab, apis.live_in, review.frozen = Tab(), None, True
    tab.label(images(apis)[0].image_id, "grass")
    [told] = carry_out(review, tab)
    assert "the model follows when promotions are no longer frozen" in told["text"]
    assert not told["settled"]


def test_who_was_first_is_named(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab, (first, second, _) = Tab(), images(apis)
    first.label, first.revision = "dandelion", 1
    second.label, second.revision = "grass", 1
    tab.label(first.image_id, "grass")
    tab.label(second.image_id, "grass")
    other, same = carry_out(review, tab)
    assert "berta was first" in other["text"]
    assert (other["label"], other["revision"], other["state"]) == ("dandelion", 1, "superseded")
    assert same["text"] == "Another person had already chosen grass, so there is nothing left to do here."
    assert [item.image_id for item in review.shown()] == [first.image_id, images(apis)[2].image_id]


def test_an_accepted_undo_is_not_called_undone(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab, apis.slow = Tab(), True
    tab.add("undo", images(apis)[0].image_id, of="unknown", after=None, revision=0)
    images(apis)[0].before.append(None)
    apis.failing = "history"
    [told] = carry_out(review, tab)
    assert told["text"] == "in the log, being saved …"


def test_a_declined_history_is_said_and_stops_nothing(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab, apis.failing = Tab(), "history"
    tab.label(images(apis)[0].image_id, "grass")
    [told] = carry_out(review, tab)
    assert told["text"] == "saved (revision 1)"
    assert review.problem == "Something is wrong in the labeler."
    apis.failing = ""
    carry_out(review, tab)
    assert review.problem == ""


def test_models_are_asked_about_the_next_images(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    assert review.reading_ahead()
    apis.version = ""
    review.read_once()
    assert [review.prediction(item) for item in review.shown()] == [None] * 3
    assert not review.reading_ahead()
    apis.version = "full-1"
    review._refill(clients.labeler.under(session()))  # later it is asked again
    review.read_once()
    answers = [review.prediction(item) for item in review.shown()]
    assert [answer.label for answer in answers if answer] == ["dandelion"] * 3


def test_the_end_of_the_login_while_reading_is_noticed(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    apis.logged_out = True
    review.read_once()
    assert review.outbox.logged_out
    with pytest.raises(LoggedOut):
        ReviewSession().open(clients, session())


def test_an_image_is_told_with_its_likeliest_labels_first(apis: FakeApis, clients: Clients) -> None:
    names = tuple(f"class {number}" for number in range(40))
    apis.labels = names
    apis.add(label="class 3", answer={name: number / 780 for number, name in enumerate(names)}, trust="seed")
    review = ReviewSession()
    review.open(clients, session())
    [item] = review.shown()
    told = item_data(item, review.prediction(item))
    assert [label for label, _ in told["answer"]["top"]] == [f"class {number}" for number in range(39, 30, -1)]
    assert (told["answer"]["others"], told["answer"]["label"]) == (31, "class 39")
    assert told["why"] == ["Label: class 3, from the data set; the model contradicts it."]


def test_a_quarantined_image_is_called_so(apis: FakeApis, clients: Clients) -> None:
    apis.quarantine("train", "test")
    review = ReviewSession()
    review.open(clients, session())
    assert QUARANTINED in item_data(review.shown()[0], None)["why"]
    assert QUARANTINED not in item_data(review.shown()[1], None)["why"]


def test_moves_go_under_the_login_they_were_made_in(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    tab = Tab()
    tab.label(images(apis)[0].image_id, "grass")
    clients.labeler.resume(session("berta", "berta's token"))  # she logs in in the same tab
    carry_out(review, tab)
    assert images(apis)[0].label == "grass"  # the fake knows anna's tokens only


def test_a_vote_needs_no_answer_of_a_model_and_can_be_taken_back(review: ReviewSession, apis: FakeApis) -> None:
    apis.queues.voting = True
    tab, (first, second, third) = Tab(), images(apis)
    review._read_at = None
    review.read_once()
    shown = [(item_data(item, review.prediction(item))["answer"], item.reason) for item in review.shown()]
    voted = tab.label(first.image_id, "grass")
    [kept] = carry_out(review, tab)
    tab.undo(voted)
    told = carry_out(review, tab)

    assert [answer for answer, _ in shown] == [None, None, None]
    assert not review.reading_ahead()
    assert (kept["state"], kept["text"], kept["revision"], kept["settled"]) == ("voted", "kept as your vote", 0, True)
    assert [each["text"] for each in told] == ["kept as your vote", "vote taken back"]
    assert apis.queues.votes == {}
    assert review.item(second.image_id) is not None
    assert third.history == []


def test_where_people_disagree_a_person_settles_it() -> None:
    tab, image_id = Tab(), uuid4()
    tab.label(image_id, "grass")
    [move] = read_moves(tab.listed())
    ledgers = [Ledger(), Ledger()]
    for ledger, queue in zip(ledgers, ("doubtful", "people_disagree"), strict=True):
        ledger.take([move.model_copy(update={"queue": queue})])
    sent = [ledger.next() for ledger in ledgers]
    assert [one[1].vote for one in sent if isinstance(one, tuple) and isinstance(one[1], PendingCorrection)] == [
        True,
        False,
    ]
