"""What the moves of a browser become: each is sent once, on the right revision, in any order of arrival."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.ui.review.moves import LOST, Ledger, Look, Move, Outcome, PendingSkip, read_moves
from services.labeler.ui.sessions.corrections import PendingCorrection, SentCorrection
from shared.contract.labels import NoLabel

from .review_moves import Tab

IMAGES = [uuid4() for _ in range(4)]
Said = tuple[UUID, str | None, NoLabel | None, int]


def send_all(ledger: Ledger, held: dict[UUID, int] | None = None) -> list[Said]:
    """Send what is due, and answer as a labeler without other people; `held` are the revisions that it has."""
    sent: list[Said] = []
    revisions = {} if held is None else held
    while isinstance(due := ledger.next(), tuple):
        move, command = due
        if isinstance(command, PendingSkip):
            ledger.keep(move, Outcome("left"))
            continue
        assert command.revision == revisions.get(command.image_id, 0)
        revisions[command.image_id] = command.revision + 1
        sent.append((command.image_id, command.label, command.no_label, command.revision))
        ledger.record(move, applied(command))
    return sent


def due_in(ledger: Ledger) -> tuple[Move, PendingCorrection]:
    """Return the label that is due."""
    due = ledger.next()
    assert isinstance(due, tuple)
    move, command = due
    assert isinstance(command, PendingCorrection)
    return move, command


def applied(command: PendingCorrection) -> SentCorrection:
    return SentCorrection(command, "applied", "", uuid4(), command.label, command.revision + 1)


def test_a_list_that_is_delivered_twice_is_carried_out_once() -> None:
    tab, ledger = Tab(), Ledger()
    tab.label(IMAGES[0], "grass")
    tab.label(IMAGES[1], "dandelion")
    assert [move.number for move in ledger.take(tab.listed())] == [1, 2]
    assert ledger.take(tab.listed()) == []
    assert send_all(ledger) == [(IMAGES[0], "grass", None, 0), (IMAGES[1], "dandelion", None, 0)]
    assert ledger.take(tab.listed()) == []
    assert send_all(ledger) == []


@given(st.lists(st.sets(st.integers(1, 6)), max_size=8), st.randoms())
def test_lists_in_any_order_end_in_the_same_labels(parts: list[set[int]], random: st.DataObject) -> None:
    tab, ledger, held = Tab(), Ledger(), dict[UUID, int]()
    first = tab.label(IMAGES[0], "grass")
    undo = tab.undo(first)
    tab.label(IMAGES[0], "moss", after=undo)
    tab.label(IMAGES[1], "grass")
    tab.add("later", IMAGES[2])
    tab.add("no_label", IMAGES[3], no_label="unusable")
    sent: list[Said] = []
    for part in [*parts, {1, 2, 3, 4, 5, 6}]:
        up_to = max(part, default=0)  # a browser lists all that is not confirmed, so never a move without those before
        ledger.take(tab.listed(range(1, up_to + 1)))
        sent += send_all(ledger, held)

    assert sorted(sent, key=lambda one: (IMAGES.index(one[0]), one[3])) == [
        (IMAGES[0], "grass", None, 0),
        (IMAGES[0], None, "withdrawn", 1),
        (IMAGES[0], "moss", None, 2),
        (IMAGES[1], "grass", None, 0),
        (IMAGES[3], None, "unusable", 0),
    ]
    assert ledger.unfinished() == []


def test_two_tabs_number_alike_and_lose_nothing() -> None:
    one, two, ledger = Tab("one"), Tab("two"), Ledger()
    one.label(IMAGES[0], "grass")
    two.label(IMAGES[1], "moss")
    ledger.take(one.listed())
    ledger.take(two.listed())
    assert send_all(ledger) == [(IMAGES[0], "grass", None, 0), (IMAGES[1], "moss", None, 0)]


def test_what_could_not_be_sent_is_sent_again_with_the_same_key() -> None:
    tab, ledger = Tab(), Ledger()
    key = tab.label(IMAGES[0], "grass")
    ledger.take(tab.listed())
    for _ in range(3):
        move, command = due_in(ledger)
        assert command.key == key
        assert not ledger.record(move, SentCorrection(command, "unsent", "away")).final
    assert [move.key for move in ledger.unfinished()] == [key]
    assert send_all(ledger) == [(IMAGES[0], "grass", None, 0)]


def test_a_reload_that_meets_new_pages_sends_on_known_revisions() -> None:
    tab, ledger = Tab(), Ledger()
    first = tab.label(IMAGES[0], "grass")
    tab.add("undo", IMAGES[0], of=first, after=first, revision=1)  # the browser knew it when the key was pressed
    ledger.take(tab.listed([2]))
    assert send_all(ledger, {IMAGES[0]: 1}) == [(IMAGES[0], None, "withdrawn", 1)]


def test_a_move_whose_ground_is_unknown_is_declined() -> None:
    tab, ledger = Tab(), Ledger()
    tab.undo(tab.label(IMAGES[0], "grass"))
    ledger.take(tab.listed([2]))
    assert ledger.next() is None
    assert ledger.outcomes[tab.moves[1]["key"]] == Outcome("declined", LOST)


def test_an_undo_waits_for_the_revision_and_holds_up_no_other_image() -> None:
    tab, ledger = Tab(), Ledger()
    first = tab.label(IMAGES[0], "grass")
    tab.undo(first)
    tab.label(IMAGES[1], "moss")
    ledger.take(tab.listed())
    move, command = due_in(ledger)
    ledger.record(move, SentCorrection(command, "accepted", "", uuid4(), "grass"))
    assert send_all(ledger) == [(IMAGES[1], "moss", None, 0)]
    look = ledger.next()
    assert isinstance(look, Look)
    assert look.move.key == first
    ledger.outcomes[first] = Outcome("applied", revision=1)
    assert send_all(ledger, {IMAGES[0]: 1}) == [(IMAGES[0], None, "withdrawn", 1)]


def test_an_undo_of_what_another_person_overtook_is_not_sent() -> None:
    tab, ledger = Tab(), Ledger()
    tab.label(IMAGES[0], "moss", after=tab.undo(tab.label(IMAGES[0], "grass")))
    ledger.take(tab.listed())
    move, command = due_in(ledger)
    ledger.record(move, SentCorrection(command, "superseded", "berta was first", label="fern", revision=1))
    assert ledger.next() is None
    assert {outcome.state for outcome in ledger.outcomes.values()} == {"superseded"}
    assert [outcome.revision for outcome in ledger.outcomes.values()] == [1, 1, 1]
    assert IMAGES[0] not in ledger.standing()


def test_an_image_stands_while_its_last_move_does() -> None:
    tab, ledger = Tab(), Ledger()
    later = tab.add("later", IMAGES[0])
    ledger.take(tab.listed())
    assert set(ledger.standing()) == {IMAGES[0]}
    tab.undo(later)
    ledger.take(tab.listed())
    assert ledger.standing() == {}
    assert send_all(ledger) == []
    assert ledger.unfinished() == []


def test_another_person_who_chose_the_same_label_settles_the_image() -> None:
    tab, ledger = Tab(), Ledger()
    tab.label(IMAGES[0], "grass")
    ledger.take(tab.listed())
    move, command = due_in(ledger)
    ledger.record(move, SentCorrection(command, "superseded", "berta was first", label="grass", revision=1))
    assert set(ledger.standing()) == {IMAGES[0]}


def test_later_is_kept_at_the_revision_that_was_seen() -> None:
    tab, ledger = Tab(), Ledger()
    undo = tab.undo(tab.label(IMAGES[0], "grass"))
    tab.add("later", IMAGES[0], after=undo)
    tab.add("later", IMAGES[1], revision=3)
    ledger.take(tab.listed())
    kept: list[PendingSkip] = []
    while isinstance(due := ledger.next(), tuple):
        move, command = due
        if isinstance(command, PendingSkip):
            kept.append(command)
            ledger.keep(move, Outcome("left"))
        else:
            ledger.record(move, applied(command))
    assert kept == [PendingSkip(IMAGES[0], 2), PendingSkip(IMAGES[1], 3)]


def test_what_was_left_for_later_needs_a_look_in_another_queue() -> None:
    tab, ledger = Tab(), Ledger()
    tab.add("later", IMAGES[0])
    tab.label(IMAGES[1], "grass")
    ledger.take(tab.listed())
    assert set(ledger.standing("doubtful")) == {IMAGES[0], IMAGES[1]}
    assert set(ledger.standing("my_skipped")) == {IMAGES[1]}


@pytest.mark.parametrize("listed", [None, 3, "moves", {}, [None], [{"number": 0}], [{"kind": "label"}]], ids=str)
def test_what_is_no_move_is_left_out(listed: object) -> None:
    assert read_moves(listed) == []
