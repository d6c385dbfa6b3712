"""The reference of a model, and the average that is compared with it."""

import numpy as np
import pytest

from shared.contract.artefact import StatisticReference
from shared.drift.mewma import Floats, advance, statistic
from shared.drift.reference import (
    FEWEST_ANSWERS,
    FEWEST_IMAGES,
    RUN_IMAGES,
    check_reference,
    label_vector,
    make_reference,
)

IMAGES, STREAMS, LENGTH = 200, 30, 1000


def population(seed: int) -> tuple[Floats, np.random.Generator]:
    """Return a mixing matrix [16, 16], by which the numbers of an image hang together, and a generator."""
    random = np.random.default_rng(seed)
    return random.standard_normal((16, 16)), random


def reference_of(vectors: Floats, random: np.random.Generator) -> StatisticReference:
    made = make_reference(vectors, random.integers(0, 2, 60).tolist(), random.uniform(0.5, 1, 60), 2)
    assert made is not None
    return made.features


def first_alarm(vectors: Floats, reference: StatisticReference) -> int | None:
    average = np.zeros(16)
    for number, vector in enumerate(vectors):
        average = advance(average, vector, reference)
        if statistic(average) >= reference.threshold:
            return number + 1
    return None


def test_new_images_alarm_no_more_often_than_stated() -> None:
    stated, alarms, streams = 1 - np.exp(-LENGTH / RUN_IMAGES), 0, 0
    for seed in range(4):
        mixed, random = population(seed)
        reference = reference_of(random.standard_normal((IMAGES, 16)) @ mixed, random)
        for _ in range(STREAMS):
            alarms += first_alarm(random.standard_normal((LENGTH, 16)) @ mixed, reference) is not None
            streams += 1
    assert alarms / streams <= stated


def test_a_shift_of_one_standard_deviation_alarms_within_fifty_images() -> None:
    mixed, random = population(1)
    reference = reference_of(random.standard_normal((IMAGES, 16)) @ mixed, random)
    shifted = (random.standard_normal((200, 16)) + 1.0) @ mixed
    found = first_alarm(shifted, reference)
    assert found is not None
    assert found < 50


def test_the_scale_of_the_features_does_not_matter() -> None:
    mixed, random = population(2)
    vectors = random.standard_normal((IMAGES, 16)) @ mixed
    values = []
    for scale in (1.0, 1e6, 1e-6):
        reference = reference_of(vectors * scale, np.random.default_rng(7))
        values.append(
            float(statistic(advance(np.zeros(16), (vectors[0] + 1) * scale, reference))) / reference.threshold
        )
    assert values == pytest.approx([values[0]] * 3, rel=0.01)


def test_the_same_images_give_the_same_reference() -> None:
    mixed, random = population(3)
    vectors = random.standard_normal((IMAGES, 16)) @ mixed
    made = [make_reference(vectors, [0, 1] * 20, np.full(40, 0.9), 2) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] is not None
    assert made[1] is not None
    assert made[0].id == made[1].id


def test_another_reference_has_another_name() -> None:
    mixed, random = population(3)
    vectors = random.standard_normal((IMAGES, 16)) @ mixed
    one, other = (make_reference(vectors, [0, 1] * 20, np.full(40, share), 2) for share in (0.9, 0.8))
    assert one is not None
    assert other is not None
    assert one.id != other.id


@pytest.mark.parametrize(("images", "answers"), [(FEWEST_IMAGES - 1, 50), (50, FEWEST_ANSWERS - 1)])
def test_few_images_give_no_reference(images: int, answers: int) -> None:
    random = np.random.default_rng(1)
    sketches = random.standard_normal((images, 16))
    assert make_reference(sketches, [0] * answers, np.full(answers, 0.9), 2) is None


def test_answers_that_never_vary_still_give_finite_numbers() -> None:
    made = make_reference(np.ones((40, 16)), [0] * 40, np.ones(40), 2)
    assert made is not None
    check_reference(made, 2)


def test_the_last_label_is_what_the_others_are_not() -> None:
    assert [label_vector(answer, 3).tolist() for answer in range(3)] == [[1, 0], [0, 1], [0, 0]]
