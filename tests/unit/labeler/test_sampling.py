"""The order of the review."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.sampling import DRIFTED, Candidate, margin, reason, review_order


def candidate(number: int, share: float | None = None, label: str | None = None, **changes: object) -> Candidate:
    """Return an image in a group of its own; `share` is the model's probability of dandelion."""
    probabilities = None if share is None else {"dandelion": share, "grass": 1 - share}
    values = {"group_id": f"group {number}", "seed": False, **changes}
    return Candidate(UUID(int=number), label=label, probabilities=probabilities, **values)  # type: ignore[arg-type]


def numbers(candidates: list[Candidate]) -> list[int]:
    """Return the numbers of the images in review order."""
    return [each.image_id.int for each, _ in review_order(candidates)]


def test_contradictions_come_first_then_unsure_predictions_and_seeds_last() -> None:
    mixed = [
        candidate(1, label="grass", seed=True),
        candidate(2),
        candidate(3, share=0.99),
        candidate(4, share=0.55),
        candidate(5, share=0.9, label="grass"),
        candidate(6, share=0.9, label="grass", seed=True),
    ]

    assert numbers(mixed) == [5, 4, 3, 2, 6, 1]


def test_the_firmest_contradiction_comes_first() -> None:
    assert numbers([candidate(1, share=0.6, label="grass"), candidate(2, share=0.95, label="grass")]) == [2, 1]


def test_one_of_each_group_comes_before_the_second_of_any() -> None:
    shots = [candidate(number, share=0.5, group_id="one flower") for number in (1, 2, 3)]

    assert numbers([*shots, candidate(4, share=0.99)]) == [1, 4, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.floats(0, 1), st.booleans()), max_size=12))
def test_the_order_has_each_candidate_once_and_ignores_the_input_order(
    facts: list[tuple[int, float | None, bool]],
) -> None:
    made = [candidate(n, share=p, group_id=str(group), seed=seed) for n, (group, p, seed) in enumerate(facts)]

    assert sorted(numbers(made)) == list(range(len(made)))
    assert numbers(made) == numbers(made[::-1])


@pytest.mark.parametrize(
    ("probabilities", "lead"), [({"a": 0.7, "b": 0.2, "c": 0.1}, 0.5), ({"a": 1.0}, 1.0), ({}, 0.0)]
)
def test_the_margin_is_the_lead_of_the_best_label(probabilities: dict[str, float], lead: float) -> None:
    assert margin(probabilities) == pytest.approx(lead)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (candidate(1, 0.9, "grass"), "It was uploaded as grass, and the model says dandelion (90%)."),
        (candidate(1, 0.9, "grass", seed=True), "It came with grass, and the model says dandelion (90%)."),
        (candidate(1, 0.6), "The model is unsure: dandelion, with only 60%."),
        (candidate(1, 0.9), "The model says dandelion (90%); no person has checked it yet."),
        (candidate(1, None, "grass"), "No person has checked its label yet."),
        (candidate(1, None, "grass", seed=True), "No person has checked its label yet."),
        (candidate(1), "It has no label yet."),
    ],
)
def test_the_reason_is_a_sentence(image: Candidate, sentence: str) -> None:
    assert reason(image) == sentence


def test_images_stored_since_a_drift_come_first_and_say_so() -> None:
    mixed = [
        candidate(1, share=0.9, label="grass"),
        candidate(2, share=0.9, drifted=True),
        candidate(3, share=0.6, drifted=True),
        candidate(4, share=0.5, drifted=True, seed=True),
        candidate(5, share=0.5, drifted=True, unsure=True),
    ]
    assert numbers(mixed) == [3, 2, 4, 1, 5]
    assert reason(mixed[1]) == f"{DRIFTED} The model says dandelion (90%); no person has checked it yet."
