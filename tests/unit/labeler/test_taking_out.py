"""What holds for an image without one of the people who decided about it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.taking_out import Revision, decision_without, fate, held_label, still_holds
from shared.contract.events import NoLabel

PEOPLE, LABELS = ("anna", "bob", "carl"), ("dandelion", "grass")


def history(*said: tuple[str, str]) -> list[Revision]:
    """Return revisions of people who said something each: a label, or "back" for a withdrawal of what holds."""
    revisions: list[Revision] = []
    for number, (by, what) in enumerate(said, 1):
        label = None if what == "back" else what
        held = number
        if what == "back":
            holds = revisions[-1].held_revision if revisions else 0
            held = revisions[holds - 2].held_revision if holds > 1 else 0
        no_label: NoLabel | None = "withdrawn" if what == "back" else None
        revisions.append(Revision(UUID(int=number), number, by, held, label, no_label))
    return revisions


@pytest.mark.parametrize(
    ("said", "without_bob"),
    [
        ([("bob", "grass")], 0),
        ([("anna", "dandelion"), ("bob", "grass")], 1),
        ([("anna", "dandelion"), ("bob", "grass"), ("bob", "dandelion")], 1),
        ([("anna", "dandelion"), ("bob", "back")], 1),
        ([("bob", "grass"), ("anna", "dandelion")], 2),
        ([("bob", "grass"), ("anna", "dandelion"), ("carl", "back")], 0),
        ([("anna", "dandelion"), ("bob", "grass"), ("carl", "back")], 1),
        ([("anna", "dandelion"), ("anna", "back"), ("bob", "grass")], 0),
        ([], 0),
    ],
)
def test_what_held_before_a_person_holds_without_them(said: list[tuple[str, str]], without_bob: int) -> None:
    assert decision_without("bob", history(*said)) == without_bob


SAID = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from((*LABELS, "back"))), max_size=8)


@given(SAID)
def test_what_holds_without_a_person_is_never_theirs(said: list[tuple[str, str]]) -> None:
    revisions = history(*said)
    held = decision_without("bob", revisions)
    assert held == 0 or revisions[held - 1].by != "bob"


@given(SAID)
def test_taking_out_leaves_nothing_to_take_out(said: list[tuple[str, str]]) -> None:
    revisions = history(*said)
    if not still_holds("bob", revisions):
        return
    restored = decision_without("bob", revisions)
    for operator in ("olga", "bob"):
        taken = Revision(UUID(int=99), len(revisions) + 1, operator, restored, None, "withdrawn")
        assert not still_holds("bob", [*revisions, taken])


@given(SAID)
def test_who_said_nothing_changes_nothing(said: list[tuple[str, str]]) -> None:
    revisions = history(*[each for each in said if each[0] != "bob"])
    assert not still_holds("bob", revisions)


def test_the_restored_decision_says_what_was_decided() -> None:
    restored = held_label(history(("anna", "dandelion"), ("bob", "grass")), 1)
    assert restored is not None
    assert (restored.revision, restored.label) == (1, "dandelion")
    assert held_label([], 0) is None


@pytest.mark.parametrize(
    ("later", "became"),
    [
        ([], "holds"),
        ([("anna", "grass")], "confirmed"),
        ([("anna", "dandelion")], "overturned"),
        ([("anna", "back")], "overturned"),
        ([("bob", "dandelion"), ("anna", "dandelion")], "changed"),
    ],
)
def test_a_decision_holds_or_what_came_next_tells_its_fate(later: list[tuple[str, str]], became: str) -> None:
    assert fate("bob", history(("bob", "grass"), *later), 1) == became
