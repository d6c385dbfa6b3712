"""Which promotions count."""

from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.decisions.promotions import REMEMBERED, Promotions, fold
from shared.contract.events import ModelPromoted
from tests.unit.predictor.promotions import promotion

sequences = st.lists(st.tuples(st.integers(1, 12), st.sampled_from("abc")), max_size=60)


def fold_all(events: list[ModelPromoted]) -> Promotions:
    return reduce(fold, events, Promotions())


def events_of(pairs: list[tuple[int, str]]) -> list[ModelPromoted]:
    return [promotion(sequence, version=f"{name}-{sequence}", cause=name) for sequence, name in pairs]


def test_nothing_is_wanted_before_the_first_promotion() -> None:
    assert Promotions().wanted is None
    assert Promotions().sequence == 0


def test_a_promotion_out_of_sequence_is_ignored() -> None:
    wanted = fold_all([promotion(1), promotion(3), promotion(2), promotion(2, version="late")]).wanted
    assert wanted is not None
    assert wanted.version == "fast-2"


@settings(deadline=None)
@given(sequences)
def test_for_any_log_what_counts_is_the_first_of_each_next_sequence(pairs: list[tuple[int, str]]) -> None:
    events = events_of(pairs)
    counting, last = [], 0
    for event in events:
        if event.sequence == last + 1:
            counting.append(event)
            last = event.sequence
    assert list(fold_all(events).counting) == counting[-REMEMBERED:]


@settings(deadline=None)
@given(sequences)
def test_for_any_log_a_repetition_of_what_counted_changes_nothing(pairs: list[tuple[int, str]]) -> None:
    state = fold_all(events_of(pairs))
    for event in state.counting:
        assert fold(state, event) is state


@settings(deadline=None)
@given(st.integers(1, 15), st.data())
def test_duplicates_anywhere_after_their_first_do_not_matter(count: int, data: st.DataObject) -> None:
    in_order = [promotion(number) for number in range(1, count + 1)]
    with_duplicates: list[ModelPromoted] = []
    for index, event in enumerate(in_order):
        with_duplicates += [event, *data.draw(st.lists(st.sampled_from(in_order[: index + 1]), max_size=3))]
    assert fold_all(with_duplicates) == fold_all(in_order)


def test_a_promotion_that_does_not_count_leaves_the_very_same_state() -> None:
    state = fold_all([promotion(1)])
    assert fold(state, promotion(1)) is state
    assert fold(state, promotion(9)) is state


def test_fallbacks_are_earlier_artefacts_newest_first_each_once() -> None:
    same = b"same artefact"
    state = fold_all([promotion(1, b"first"), promotion(2, same), promotion(3, b"third"), promotion(4, same)])
    assert [each.sequence for each in state.fallbacks()] == [3, 1]


def test_only_the_newest_promotions_are_remembered() -> None:
    state = fold_all([promotion(n) for n in range(1, REMEMBERED + 6)])
    assert len(state.counting) == REMEMBERED
    assert state.sequence == REMEMBERED + 5
