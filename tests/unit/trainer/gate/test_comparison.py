"""What the gate compares, and which corrections it sets aside."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import Correction, Retraction
from services.trainer.gate.decisions.comparison import (
    ComparedModel,
    Regressions,
    choose_set_aside,
    count_absorbed,
    count_newly_held,
    count_taken_back,
    find_broken_corrections,
    held_corrections,
    predict_tests,
    select_locked_tests,
)
from services.trainer.model.correction_layer import CorrectionLayer, empty_layer, fit_layer
from services.trainer.model.head import Head
from shared.contract.events import AppliedCorrection, ModelTrained, uuid_of
from shared.testing import FixedClock, model_trained

LABELS = ("dandelion", "grass")
EYE = np.eye(4, dtype=np.float32)


def image(number: int) -> UUID:
    return uuid_of("image", number)


def sample(number: int, label: str, side: str = "test") -> Sample:
    return Sample(image(number), f"sha-{number}", label, 0, "test" if side == "test" else "train")


def correction(number: int, label: str, revision: int = 1) -> Correction:
    event_id = uuid_of("correction", number, revision)
    return Correction(image(number), revision, label, f"sha-{number}", "key", "group", FixedClock()(), event_id)


def head(labels: tuple[str, ...] = LABELS) -> Head:
    """Return a head that answers the first label where feature 0 is large, else the second."""
    weights = np.zeros((4, len(labels)), np.float32)
    weights[0, 0] = weights[1, 1] = weights[2, 1] = 3.0
    return Head(labels, np.zeros(4, np.float32), np.ones(4, np.float32), weights, np.zeros(len(labels), np.float32))


def compared(
    layer: CorrectionLayer | None = None, labels: tuple[str, ...] = LABELS, **changes: object
) -> ComparedModel:
    layer = layer or empty_layer(4, len(labels))
    applied = tuple(AppliedCorrection(image_id=one, revision=revision) for one, revision in layer.entries)
    model: ModelTrained = model_trained(**{"labels": labels, "corrections": applied, "lane": "fast", **changes})
    return ComparedModel(model, head(labels), layer)


def layer_over(vectors: dict[int, np.ndarray[tuple[int], np.dtype[np.float32]]], target: str) -> CorrectionLayer:
    """Return a layer that corrects the images with these features to one label."""
    features = np.stack(list(vectors.values()))
    targets = np.full(len(vectors), LABELS.index(target))
    return fit_layer(features, head().logits(features), targets, [(image(number), 1) for number in vectors])


def test_a_corrected_test_image_is_answered_without_its_correction() -> None:
    vectors = {"sha-1": EYE[0], "sha-2": EYE[0]}
    corrected = compared(layer_over({1: EYE[0]}, "grass"))
    tests = select_locked_tests([sample(1, "grass"), sample(2, "grass")], corrected.trained, None)
    assert predict_tests(corrected, tests, vectors).tolist() == [0, 1]


def test_a_class_the_challenger_forgot_counts_an_unknown_one_does_not() -> None:
    forgetful, champion = compared(), compared(labels=("dandelion", "grass", "fern"))
    samples = [sample(1, "fern"), sample(2, "grass"), sample(3, "moss"), sample(4, "grass", "train")]
    tests = select_locked_tests(samples, forgetful.trained, champion.trained)
    assert tests.labels == ("dandelion", "grass", "fern")
    assert tests.truths.tolist() == [2, 1]
    answers = predict_tests(forgetful, tests, {"sha-1": EYE[1], "sha-2": EYE[1]})
    assert answers.tolist() == [1, 1]


def test_an_answer_with_a_label_that_is_not_in_play_is_wrong() -> None:
    stranger = compared(labels=("grass", "moss"))
    tests = select_locked_tests([sample(1, "grass")], compared().trained, None)
    assert predict_tests(stranger, tests, {"sha-1": EYE[1]}).tolist() == [-1]


def test_a_correction_that_is_not_answered_as_corrected_is_broken() -> None:
    corrections = [correction(1, "grass"), correction(2, "dandelion")]
    fixed = compared(layer_over({1: EYE[0]}, "grass"))
    vectors = {"sha-1": EYE[0], "sha-2": EYE[1]}
    assert find_broken_corrections(fixed, corrections, vectors) == (image(2),)
    assert find_broken_corrections(compared(), corrections, vectors) == (image(1), image(2))
    assert find_broken_corrections(fixed, [], {}) == ()


def test_only_the_current_revision_of_a_correction_is_held() -> None:
    model = compared(layer_over({1: EYE[0]}, "grass")).trained
    assert held_corrections(model, [correction(1, "grass"), correction(2, "grass")]) == [correction(1, "grass")]
    assert held_corrections(model, [correction(1, "dandelion", revision=2)]) == []


def test_newly_held_are_those_the_champion_lacks() -> None:
    corrections = [correction(1, "grass"), correction(2, "dandelion")]
    one = compared(corrections=(corrections[0].applied,)).trained
    both = compared(corrections=tuple(each.applied for each in corrections)).trained
    assert count_newly_held(both, one, corrections) == 1
    assert count_newly_held(both, None, corrections) == 2
    assert count_newly_held(one, both, corrections) == 0


def test_what_moved_from_the_champions_layer_into_the_head_is_absorbed() -> None:
    champion = compared(layer_over({1: EYE[0]}, "grass"))
    known = (AppliedCorrection(image_id=image(1), revision=1),)
    assert count_absorbed(compared(lane="full", corrections=known), champion) == 1
    assert count_absorbed(compared(lane="full", corrections=()), champion) == 0
    assert count_absorbed(compared(lane="fast", corrections=known), champion) == 0
    assert count_absorbed(compared(lane="full"), None) == 0


def test_the_correction_that_weighs_most_on_a_lost_answer_is_set_aside() -> None:
    near = np.array([0.99, 0.1, 0, 0], np.float32)
    layer = layer_over({7: near, 8: EYE[3]}, "grass")
    challenger, champion = compared(layer), compared()
    tests = select_locked_tests([sample(1, "dandelion")], challenger.trained, champion.trained)
    vectors = {"sha-1": EYE[0], "sha-7": near, "sha-8": EYE[3]}
    answers = predict_tests(challenger, tests, vectors)
    assert answers.tolist() == [1]
    damage = Regressions([0], answers, [])
    corrections = [correction(7, "grass"), correction(8, "grass")]
    (aside,) = choose_set_aside(challenger, champion.trained, tests, damage, corrections, vectors)
    assert (aside.image_id, aside.revision) == (image(7), 1)
    assert str(image(1)) in aside.sentence
    assert "“grass” instead of “dandelion”" in aside.sentence


def test_a_correction_the_champion_holds_is_not_set_aside_for_a_newer_one() -> None:
    near = np.array([0.99, 0.1, 0, 0], np.float32)
    challenger = compared(layer_over({6: near, 7: near * 1.1}, "grass"))
    champion = compared(layer_over({6: near}, "grass"))
    tests = select_locked_tests([sample(1, "dandelion")], challenger.trained, champion.trained)
    vectors = {"sha-1": EYE[0], "sha-6": near, "sha-7": near}
    damage = Regressions([0], predict_tests(challenger, tests, vectors), [])
    asides = choose_set_aside(challenger, champion.trained, tests, damage, [], vectors)
    assert [one.image_id for one in asides] == [image(7)]


@pytest.mark.parametrize("broken", [[], [6]])
def test_a_new_one_is_set_aside_even_if_only_a_held_one_weighs(broken: list[int]) -> None:
    challenger = compared(layer_over({6: EYE[0], 9: EYE[3]}, "grass"))
    champion = compared(layer_over({6: EYE[0]}, "grass"))
    tests = select_locked_tests([sample(1, "dandelion")], challenger.trained, champion.trained)
    vectors = {"sha-1": EYE[0], "sha-6": EYE[0], "sha-9": EYE[3]}
    damage = Regressions([0], predict_tests(challenger, tests, vectors), [image(number) for number in broken])
    corrections = [correction(6, "dandelion"), correction(9, "grass")]
    asides = choose_set_aside(challenger, champion.trained, tests, damage, corrections, vectors)
    assert [one.image_id for one in asides] == [image(9)]


@pytest.mark.parametrize("damaged", [True, False])
def test_if_none_weighs_on_what_broke_all_new_ones_are_set_aside(damaged: bool) -> None:
    challenger = compared(layer_over({7: EYE[3]}, "grass"))
    tests = select_locked_tests([sample(1, "grass")], challenger.trained, compared().trained)
    vectors = {"sha-1": EYE[0], "sha-7": EYE[3]}
    damage = Regressions([0] if damaged else [], predict_tests(challenger, tests, vectors), [])
    asides = choose_set_aside(challenger, compared().trained, tests, damage, [], vectors)
    assert [one.image_id for one in asides] == ([image(7)] if damaged else [])


def test_if_two_runtimes_differ_the_newest_correction_is_set_aside() -> None:
    challenger = compared(layer_over({6: EYE[0], 7: EYE[3], 8: EYE[2]}, "grass"))
    champion = compared(layer_over({6: EYE[0]}, "grass"))
    tests = select_locked_tests([], challenger.trained, champion.trained)
    damage = Regressions([], np.zeros(0, np.intp), [], runtimes_differ=True)
    later = FixedClock()() + timedelta(seconds=1)
    corrections = [correction(6, "grass"), replace(correction(7, "grass"), corrected_at=later), correction(8, "grass")]
    asides = choose_set_aside(challenger, champion.trained, tests, damage, corrections, {})
    assert [one.image_id for one in asides] == [image(7)]


def test_a_new_correction_that_does_not_hold_is_set_aside_itself() -> None:
    challenger = compared(layer_over({7: EYE[0]}, "grass"))
    tests = select_locked_tests([], challenger.trained, compared().trained)
    damage = Regressions([], np.zeros(0, np.intp), [image(7)])
    asides = choose_set_aside(
        challenger, compared().trained, tests, damage, [correction(7, "dandelion")], {"sha-7": EYE[0]}
    )
    assert [one.image_id for one in asides] == [image(7)]


def test_a_broken_known_correction_sets_the_new_one_beside_it_aside() -> None:
    near = np.array([0.99, 0.1, 0, 0], np.float32)
    challenger = compared(layer_over({7: near}, "grass"))
    known = challenger.trained.held[0].model_copy(update={"image_id": image(1)})
    champion = compared(corrections=(known,)).trained
    tests = select_locked_tests([], challenger.trained, champion)
    damage = Regressions([], np.zeros(0, np.intp), [image(1)])
    asides = choose_set_aside(challenger, champion, tests, damage, [correction(1, "dandelion")], {"sha-1": EYE[0]})
    assert [one.image_id for one in asides] == [image(7)]
    assert str(image(1)) in asides[0].sentence


def retraction(number: int, revision: int = 2, held_revision: int = 0) -> Retraction:
    event_id = uuid_of("retraction", number, revision)
    return Retraction(image(number), revision, held_revision, FixedClock()(), event_id)


def test_a_row_that_was_taken_back_helps_no_baseline() -> None:
    vector = np.array([0, 1, 0, 0], np.float32)
    model = compared(layer_over({1: vector}, "dandelion"))
    tests = select_locked_tests([sample(2, "dandelion")], model.trained, None)
    assert [LABELS[answer] for answer in predict_tests(model, tests, {"sha-2": vector})] == ["dandelion"]

    answers = predict_tests(model, tests, {"sha-2": vector}, {(image(1), 1)})

    assert [LABELS[answer] for answer in answers] == ["grass"]


@pytest.mark.parametrize(
    ("taken", "count"), [(retraction(1), 1), (retraction(2), 0), (retraction(1, 2, 1), 0), (retraction(1, 1, 1), 0)]
)
def test_a_correction_counts_as_taken_back_if_it_holds_no_more(taken: Retraction, count: int) -> None:
    champion = compared(layer_over({1: np.array([0, 1, 0, 0], np.float32)}, "dandelion"))
    assert count_taken_back(compared().trained, champion.trained, [taken]) == count
    assert count_taken_back(champion.trained, champion.trained, [taken]) == 0
