"""What an operator may do with the classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.label_sets import MOST_CLASSES, Unfit, add_class, rename_class, with_class
from shared.contract.label_set import LabelClass, LabelSet, configured

FIRST = configured(("dandelion", "grass"))


def renamed(classes: LabelSet, label: str, name: str) -> LabelSet:
    [one] = [each for each in classes.classes if each.id == label]
    return LabelSet(with_class(classes, rename_class(classes, one, name)), classes.revision + 1)


def test_a_class_is_added_after_the_others_and_its_name_is_its_label() -> None:
    added = add_class(FIRST, "  wild daisy ")
    assert added == LabelClass(id="wild daisy", name="wild daisy")
    assert LabelSet(with_class(FIRST, added)).labels == ("dandelion", "grass", "wild daisy")


def test_a_new_name_keeps_the_label_and_what_it_was_called() -> None:
    classes = renamed(renamed(FIRST, "grass", "lawn"), "grass", "turf")
    assert classes.labels == FIRST.labels
    assert classes.names["grass"] == "turf"
    assert [classes.label_of(name) for name in ("grass", "lawn", "turf", "moss")] == ["grass", "grass", "grass", None]


def test_a_class_may_have_its_first_name_again() -> None:
    again = renamed(renamed(FIRST, "grass", "lawn"), "grass", "grass")
    assert again.classes[1] == LabelClass(id="grass", name="grass", former=("lawn",))


@pytest.mark.parametrize("taken", ["dandelion", "Dandelion", "lawn", "grass", "turf"])
def test_no_other_class_gets_a_name_that_one_has_or_had(taken: str) -> None:
    classes = renamed(renamed(FIRST, "grass", "lawn"), "grass", "turf")
    with pytest.raises(Unfit, match="There is a class"):
        add_class(classes, taken)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_has_to_be_one(name: str) -> None:
    with pytest.raises(Unfit, match="no name of a class"):
        add_class(FIRST, name)
    with pytest.raises(Unfit, match="no name of a class"):
        rename_class(FIRST, FIRST.classes[0], name)


def test_there_is_an_end_to_the_number_of_classes() -> None:
    many = configured([f"c{number}" for number in range(MOST_CLASSES)])
    with pytest.raises(Unfit, match="no room"):
        add_class(many, "one more")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=20))
def test_no_history_of_changes_gives_a_name_two_meanings(changes: list[tuple[bool, str, str]]) -> None:
    classes, meant = FIRST, dict[str, str]()
    for adds, name, which in changes:
        try:
            if adds:
                classes = LabelSet(with_class(classes, add_class(classes, name)), classes.revision + 1)
            elif (label := classes.label_of(which)) is not None:
                classes = renamed(classes, label, name)
        except Unfit:
            continue
        now = {called: one.id for one in classes.classes for called in one.called}
        assert all(classes.label_of(called) == label for called, label in now.items())
        assert meant.items() <= now.items()
        meant = now
