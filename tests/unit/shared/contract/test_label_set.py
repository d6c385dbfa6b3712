"""How label_set.changed is folded: every reader comes to the same classes."""

from itertools import permutations

from shared.contract.label_set import LabelClass, LabelSet, configured, with_configured
from shared.testing import label_set_changed

FIRST = configured(("dandelion", "grass"))
ADDED = label_set_changed(revision=1, names={"dandelion": "dandelion", "grass": "grass", "moss": "moss"})
RENAMED = label_set_changed(revision=2, names={"dandelion": "dandelion", "grass": "lawn", "moss": "moss"})
SECOND = label_set_changed(revision=2, names={"dandelion": "dandelion", "grass": "grass", "moss": "lichen"})


def fold(*events: object) -> LabelSet:
    found = FIRST
    for event in events:
        found = found.after(event)  # type: ignore[arg-type]
    return found


def test_repetitions_and_the_second_of_two_change_nothing() -> None:
    assert fold(ADDED, ADDED, RENAMED, SECOND, ADDED, RENAMED) == fold(ADDED, RENAMED)
    assert fold(ADDED, SECOND, RENAMED) == fold(ADDED, SECOND)
    assert fold(ADDED, RENAMED).names == {"dandelion": "dandelion", "grass": "lawn", "moss": "moss"}


def test_a_change_does_not_count_before_the_one_it_stands_on() -> None:
    for order in permutations((ADDED, RENAMED, RENAMED, ADDED)):
        assert fold(*order).revision in (1, 2)
    assert fold(RENAMED) == FIRST


def test_a_label_configured_later_is_added_unless_a_class_is_called_so() -> None:
    changed = LabelSet((LabelClass(id="dandelion", name="dandelion"), LabelClass(id="grass", name="lawn")), 3)
    found = with_configured(changed, ("dandelion", "grass", "lawn", "moss"))
    assert (found.labels, found.revision) == (("dandelion", "grass", "moss"), 3)
    assert with_configured(None, ("a", "b")) == configured(("a", "b"))


def test_what_is_no_class_is_called_as_it_is() -> None:
    assert fold(ADDED, RENAMED).name_of("rose") == "rose"
    assert fold(ADDED, RENAMED).label_of("rose") is None
