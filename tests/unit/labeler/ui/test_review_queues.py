"""The queues of Review in a tab: the one that is chosen, what is left for later, and the question about a habit."""

from typing import Any
from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.review.queue_words import EMPTY, TITLES
from services.labeler.ui.review.queues import ChosenQueue, read_queue
from services.labeler.ui.review.session import ReviewSession
from services.labeler.ui.review.surface import item_data
from services.labeler.ui.sessions.tab import Clients
from shared.clients.browse import ImageFilter
from shared.clients.review import QUEUES, save_filter
from shared.testing.events import NOON

from .fake_apis import FakeApis, session
from .page_driver import told
from .review_moves import Tab

ASKS = {"contradicting": 6, "decisions": 10, "asked_about": NOON.isoformat()}


@pytest.fixture
def review(clients: Clients, apis: FakeApis) -> ReviewSession:
    """A review of three images."""
    for label in ("dandelion", None, "grass"):
        apis.add(label=label)
    return opened(clients)


def opened(clients: Clients) -> ReviewSession:
    """Open a review as another tab or another machine does."""
    review = ReviewSession()
    review.open(clients, session())
    return review


def carry_out(review: ReviewSession, tab: Tab, **said: Any) -> None:
    """Hand over what the browser says and do at once what is done beside the page."""
    review.take(tab.says() | said)
    while review.outbox.step() == "sent":
        pass
    review.read_once()


def choose(review: ReviewSession, queue: str, number: int = 1) -> None:
    carry_out(review, Tab(), chosen={"queue": queue, "number": number})


def images(apis: FakeApis) -> list[UUID]:
    return list(apis.images)


def shown(review: ReviewSession) -> list[UUID]:
    return [item.image_id for item in review.shown()]


def test_another_queue_shows_its_images_and_says_why(review: ReviewSession, apis: FakeApis) -> None:
    first, second, third = images(apis)
    apis.queues.holding["contradicts_data_set"] = [third, first]
    apis.queues.reasons[third] = "Images like it are dandelion."
    choose(review, "contradicts_data_set")

    assert (shown(review), review.left()) == ([third, first], 2)
    item = review.shown()[0]
    assert item_data(item, None, review.chosen.name)["why"][0] == apis.queues.reasons[third]
    choose(review, "doubtful", number=1)  # what was said before counts once
    assert shown(review) == [third, first]
    choose(review, "doubtful", number=2)
    assert shown(review) == [first, second, third]


def test_an_answer_about_the_queue_before_is_not_shown(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    client = clients.labeler.under(session())
    send = client.send

    def choose_meanwhile(request: Any, unavailable: str = "") -> Any:
        answer = send(request, unavailable)
        review.choose(ChosenQueue("people_disagree"))
        return answer

    client.send = choose_meanwhile  # type: ignore[method-assign]
    review._refill(client)
    assert (shown(review), review.loading) == ([], True)


def test_what_is_left_for_later_is_kept_beyond_the_tab(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    first, second, third = images(apis)
    tab = Tab()
    later = tab.add("later", first)
    carry_out(review, tab)

    elsewhere = opened(clients)
    assert (shown(elsewhere), elsewhere.skipped) == ([second, third], 1)
    choose(elsewhere, "my_skipped")
    assert shown(elsewhere) == [first]
    tab.add("undo", first, of=later, undoes="later")
    carry_out(review, tab)
    assert apis.queues.skipped == {}
    assert shown(opened(clients)) == [first, second, third]


def test_what_was_left_for_later_here_is_shown_in_its_own_queue(review: ReviewSession, apis: FakeApis) -> None:
    first, *others = images(apis)
    tab = Tab()
    tab.add("later", first)
    carry_out(review, tab)
    assert shown(review) == others
    choose(review, "my_skipped")
    assert shown(review) == [first]
    again = tab.add("later", first, queue="my_skipped")
    carry_out(review, tab)
    assert shown(review) == []
    tab.add("undo", first, of=again, undoes="later", queue="my_skipped")
    carry_out(review, tab)
    assert (shown(review), apis.queues.skipped) == ([first], {first: 0})


def test_later_is_sent_again_until_it_is_kept(review: ReviewSession, apis: FakeApis) -> None:
    first, *_ = images(apis)
    tab = Tab()
    key = tab.add("later", first)
    apis.logged_out = True
    review.take(tab.says())
    assert review.outbox.step() == "wait"
    assert [move.key for move in review.outbox.ledger.unfinished()] == [key]
    apis.logged_out = False
    assert review.outbox.step() == "sent"
    assert apis.queues.skipped == {first: 0}


def test_an_undone_later_that_new_pages_meet_takes_no_label_back(review: ReviewSession, apis: FakeApis) -> None:
    first, *_ = images(apis)
    apis.queues.skipped[first] = 0
    tab = Tab()
    tab.add("undo", first, of="a key of before", undoes="later")
    carry_out(review, tab)
    assert (apis.queues.skipped, apis.published) == ({}, [])


def test_a_habit_is_asked_about_until_it_is_answered(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    apis.queues.asks = ASKS
    review._refill(clients.labeler.under(session()))
    assert review.double_check is not None
    carry_out(review, Tab(), answered=review.double_check.asked_about.isoformat())
    assert review.double_check is None
    assert len(apis.queues.answered) == 1


def test_the_address_names_the_queue_and_its_filter() -> None:
    for name in QUEUES:
        chosen = ChosenQueue(name, "my filter", ImageFilter(label=["grass"], disagrees=True), "doubtful")
        address = {key: each if isinstance(each, list) else [each] for key, each in chosen.address().items()}
        assert (read_queue(address) or ChosenQueue()).name == name
        if name == "filter":
            assert read_queue(address) == chosen
    assert read_queue({"queue": ["favourites"]}) is None
    assert read_queue({}) is None


def test_a_saved_filter_is_a_queue(review: ReviewSession, apis: FakeApis, clients: Clients) -> None:
    clients.labeler.resume(session())
    clients.labeler.send(save_filter("my filter", ImageFilter(label=["grass"]), "doubtful"))
    apis.queues.holding["filter"] = images(apis)[2:]
    review.open(clients, session())
    review._refill(clients.labeler)
    choices = review.chosen.choices(review.counts, review.filters)
    assert choices[-1] == {"name": "filter:my filter", "title": "my filter", "count": ""}
    choose(review, "filter:my filter")

    assert shown(review) == images(apis)[2:]
    assert apis.queues.leased[-1]["filter"] == {"label": ["grass"]}
    assert review.chosen.address() == {"queue": "filter", "saved": "my filter", "label": ["grass"], "sort": "doubtful"}


def test_each_queue_has_words() -> None:
    assert set(TITLES) == set(EMPTY) == set(QUEUES)


@pytest.mark.slow
def test_the_queue_of_the_address_is_opened(review_page: AppTest, apis: FakeApis) -> None:
    image, _ = apis.add(label="grass"), apis.add()
    apis.queues.holding["people_disagree"] = [image.image_id]
    review_page.query_params["queue"] = "people_disagree"
    surface = told(review_page.run())

    assert [item["id"] for item in surface["items"]] == [str(image.image_id)]
    assert surface["queue"] == "people_disagree"
    known = {each["name"]: each["count"] for each in surface["queues"]}
    assert (known["people_disagree"], known["doubtful"]) == ("1", "2")
    assert "filter" not in known
