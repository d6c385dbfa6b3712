from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.gate.decisions.verdict import GateInputs, GateSettings, Verdict, judge
from services.trainer.model.arrays import Indices
from shared.clients.names import with_names
from shared.contract.label_set import in_current_names

LABELS = ("dandelion", "grass")
CALM = GateInputs(
    labels=LABELS,
    truths=np.arange(64) % 2,
    corrections=0,
    broken=(),
    newly_held=1,
    new_images=0,
    absorbed=0,
    milliseconds=1.5,
    difference=1e-6,
    disagreements=0,
)


def answers(*wrong: int, truths: Indices = CALM.truths) -> Indices:
    """Return the truths, except that the images at these positions are answered wrongly."""
    given_answers = truths.copy()
    given_answers[list(wrong)] = 1 - given_answers[list(wrong)]
    return given_answers


def outcome(verdict: Verdict, rule: str) -> str:
    return next(one.outcome for one in verdict.rules if one.rule == rule)


def test_the_first_model_needs_the_floors_only_and_says_so() -> None:
    verdict = judge(answers(0, 1), None, None, replace(CALM, newly_held=0))
    assert verdict.promote
    assert verdict.route == "first"
    assert "first model" in verdict.summary
    assert outcome(verdict, "champion") == "not_applicable"


def test_identical_answers_pass_when_a_correction_is_newly_held() -> None:
    verdict = judge(answers(0, 1), answers(0, 1), answers(0, 1), replace(CALM, corrections=1))
    assert verdict.promote
    assert verdict.route == "non_inferior"


def test_identical_answers_without_a_reason_replace_nothing() -> None:
    verdict = judge(answers(0), answers(0), answers(0), replace(CALM, newly_held=0))
    assert not verdict.promote
    assert verdict.summary.startswith("Rejected: No new corrections or images")


NEWS = [
    replace(CALM, newly_held=3),
    replace(CALM, newly_held=0, new_images=3),
    replace(CALM, newly_held=0, absorbed=3),
]


@pytest.mark.parametrize("inputs", NEWS)
def test_each_kind_of_news_is_a_reason(inputs: GateInputs) -> None:
    assert judge(answers(), answers(), None, inputs).route == "non_inferior"


def test_a_full_model_needs_ten_new_images_or_corrections() -> None:
    nine = replace(CALM, full=True, newly_held=2, new_images=4, absorbed=2, taken_back=1)
    refused = judge(answers(), answers(), None, nine)
    assert refused.route is None
    assert "Only 2 corrections that it does not hold, 4 new images" in refused.summary
    assert judge(answers(), answers(), None, replace(nine, new_images=5)).route == "non_inferior"
    assert judge(answers(), answers(), None, nine, GateSettings(least_changes=9)).route == "non_inferior"


def test_one_withdrawn_image_is_reason_enough_for_a_full_model() -> None:
    one = replace(CALM, full=True, newly_held=0, withdrawn=1)
    verdict = judge(answers(), answers(), None, one)
    assert verdict.route == "non_inferior"
    assert [each.sentence for each in verdict.rules if each.rule == "reason"] == [
        "The reason to change: 1 image that was withdrawn."
    ]
    assert not judge(answers(*range(8)), answers(), None, one).promote


def test_one_correction_is_reason_enough_for_the_fast_lane() -> None:
    assert judge(answers(), answers(), None, replace(CALM, full=False, newly_held=1)).route == "non_inferior"


def test_a_clear_gain_is_superior_and_needs_no_reason() -> None:
    verdict = judge(answers(), answers(*range(8)), answers(), replace(CALM, newly_held=0))
    assert verdict.promote
    assert verdict.route == "superior"


def test_a_small_gain_is_not_shown_to_be_better() -> None:
    verdict = judge(answers(), answers(0, 1, 2), None, replace(CALM, newly_held=0))
    assert not verdict.promote
    assert outcome(verdict, "superior_to_champion") == "insufficient_evidence"


def test_lost_answers_beyond_the_margin_are_refused_and_named() -> None:
    verdict = judge(answers(5, 9, 20), answers(5), None, CALM)
    assert not verdict.promote
    assert outcome(verdict, "non_inferior_to_champion") == "failed"
    assert verdict.lost_images == (9, 20)
    assert "2 lost" in verdict.summary


def test_small_losses_that_add_up_are_stopped_by_the_anchor() -> None:
    champion, challenger = answers(1), answers(1, 2)
    assert judge(champion, answers(), None, CALM).promote
    assert judge(challenger, champion, None, CALM).promote
    verdict = judge(challenger, champion, answers(), CALM)
    assert not verdict.promote
    assert outcome(verdict, "non_inferior_to_champion") == "passed"
    assert outcome(verdict, "non_inferior_to_anchor") == "failed"


def test_what_the_champion_lost_before_stops_no_correction() -> None:
    champion, anchor = answers(0, 1, 2), answers()
    same, gains, worse = answers(0, 1, 2), answers(0, 1), answers(0, 1, 2, 3)
    assert outcome(judge(champion, anchor, None, CALM), "non_inferior_to_champion") == "failed"
    for challenger in (same, gains):
        verdict = judge(challenger, champion, anchor, CALM)
        assert verdict.promote
        (said,) = [one for one in verdict.rules if one.rule == "non_inferior_to_anchor"]
        assert said.outcome == "insufficient_evidence"
        assert "The champion itself is worse than the anchor" in said.sentence
    assert not judge(worse, champion, anchor, CALM).promote
    full = replace(CALM, full=True, new_images=10)
    assert not judge(same, champion, anchor, full).promote, "a full model is what mends it"
    assert not judge(answers(1, 2, 3), answers(0), anchor, CALM).promote, "the champion still holds"


def test_an_anchor_that_is_lost_is_said_and_blocks_nothing() -> None:
    verdict = judge(answers(), answers(), None, replace(CALM, anchor_lost="full-1 cannot be loaded."))
    (said,) = [one for one in verdict.rules if one.rule == "non_inferior_to_anchor"]
    assert verdict.promote
    assert (said.outcome, "full-1 cannot be loaded." in said.sentence) == ("insufficient_evidence", True)


@pytest.mark.parametrize(("images", "lost", "passes"), [(21, 0, True), (40, 1, False), (64, 1, True), (64, 2, False)])
def test_how_many_answers_may_be_lost_depends_on_the_test_images(images: int, lost: int, passes: bool) -> None:
    truths = np.resize(CALM.truths, images)
    same, worse = answers(truths=truths), answers(*range(lost), truths=truths)
    verdict = judge(worse, same, None, replace(CALM, truths=truths))
    assert outcome(verdict, "non_inferior_to_champion") == ("passed" if passes else "failed")


@pytest.mark.parametrize("images", [4, 12, 20])
def test_with_few_images_the_gate_says_so_and_asks_for_no_net_loss(images: int) -> None:
    few = replace(CALM, truths=CALM.truths[:images])
    same, worse = answers(truths=few.truths), answers(0, truths=few.truths)
    kept = judge(same, same, None, few)
    assert kept.promote
    assert outcome(kept, "non_inferior_to_champion") == "insufficient_evidence"
    assert not judge(worse, same, None, few).promote


def test_a_class_with_few_images_is_named_and_is_no_veto() -> None:
    truths = np.array([0] * 60 + [1] * 4)
    verdict = judge(np.zeros(64, np.intp), np.zeros(64, np.intp), None, replace(CALM, truths=truths))
    assert outcome(verdict, "recall_grass") == "insufficient_evidence"
    assert outcome(verdict, "recall_dandelion") == "passed"
    assert verdict.promote


def test_a_forgotten_class_is_a_veto_even_for_a_superior_model() -> None:
    truths = np.array([0] * 100 + [1] * 20)
    verdict = judge(np.zeros(120, np.intp), 1 - truths, None, replace(CALM, truths=truths))
    assert outcome(verdict, "superior_to_champion") == "passed"
    assert outcome(verdict, "recall_grass") == "failed"
    assert not verdict.promote
    assert verdict.route is None


VETOES: list[tuple[str, Indices, GateInputs]] = [
    ("accuracy", answers(*range(25)), CALM),
    ("every_class_is_tested", np.zeros(40, np.intp), replace(CALM, truths=np.zeros(40, np.intp))),
    ("corrections_hold", answers(), replace(CALM, corrections=2, broken=(UUID(int=7),))),
    ("latency", answers(), replace(CALM, milliseconds=80.0)),
    ("parity", answers(), replace(CALM, difference=2e-3)),
    ("parity", answers(), replace(CALM, difference=float("nan"))),
    ("parity", answers(), replace(CALM, disagreements=1)),
]


@pytest.mark.parametrize(("rule", "challenger", "inputs"), VETOES)
def test_a_broken_floor_stops_even_the_first_model(rule: str, challenger: Indices, inputs: GateInputs) -> None:
    verdict = judge(challenger, None, None, inputs)
    assert not verdict.promote
    assert [one.rule for one in verdict.rules if one.outcome == "failed"] == [rule]
    assert next(one.sentence for one in verdict.rules if one.rule == rule) in verdict.summary


def test_floors_are_settings() -> None:
    strict = GateSettings(lowest_accuracy=0.99)
    assert judge(answers(0), None, None, CALM).promote
    assert not judge(answers(0), None, None, CALM, strict).promote


def test_no_test_images_at_all_is_a_refusal_not_a_crash() -> None:
    nothing = np.zeros(0, np.intp)
    verdict = judge(nothing, nothing, nothing, replace(CALM, truths=nothing))
    assert not verdict.promote


INDICES = st.lists(st.integers(-1, 1), min_size=64, max_size=64).map(np.array)


@given(INDICES, st.none() | INDICES, st.none() | INDICES, st.integers(0, 3))
def test_a_promotion_has_a_route_and_no_broken_floor(
    challenger: Indices, champion: Indices | None, anchor: Indices | None, newly_held: int
) -> None:
    verdict = judge(challenger, champion, anchor, replace(CALM, newly_held=newly_held))
    assert verdict.promote == (verdict.route is not None)
    assert verdict == judge(challenger, champion, anchor, replace(CALM, newly_held=newly_held))
    failed = [one.rule for one in verdict.rules if one.outcome == "failed"]
    if verdict.promote and verdict.route != "superior":
        assert not failed
    if not verdict.promote:
        assert failed
    assert all(one.sentence.endswith(".") for one in verdict.rules)


def test_labels_are_found_again_in_every_sentence_of_a_verdict() -> None:
    labels = ("class one", "class two", "class three")
    truths = np.zeros(64, dtype=np.intp)
    inputs = replace(CALM, labels=labels, truths=truths, unlearned=labels[2:], unknown=labels[2:])
    verdict = judge(truths + 1, truths, None, inputs)
    names = dict.fromkeys(labels, "another")
    read = [with_names(one, names).model_dump_json() for one in verdict.rules]
    assert not verdict.promote
    assert [one for one in read if "class " in one] == []
    assert "class " not in in_current_names(verdict.summary, names)
    assert "“another”" in " ".join(read)
