"""Labels that contradict the data set, found by what the other images say."""

from uuid import UUID

import numpy as np
import pytest

from services.labeler.commands.label_doubts import LabelledPlaces
from services.labeler.decisions.label_doubt import FEWEST, FOLDS, Doubts, doubts, fold_of_group

PER_CLASS = 60


def bunches(classes: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places around one middle for each class, the class of each, and folds."""
    chance = np.random.default_rng(seed)
    truths = np.arange(classes * PER_CLASS) % classes
    middles = chance.normal(size=(classes, 64))
    places = middles[truths] + chance.normal(scale=0.8, size=(len(truths), 64))
    return places.astype(np.float32), truths, chance.integers(0, FOLDS, len(truths))


def found(places: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> Doubts:
    result = doubts(places, labels, folds)
    assert result is not None
    return result


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_wrong_labels_come_first_with_the_label_they_should_have(classes: int) -> None:
    places, truths, folds = bunches(classes)
    wrong = np.arange(0, len(truths), 19)
    labels = truths.copy()
    labels[wrong] = (labels[wrong] + 1) % classes

    result = found(places, labels, folds)

    assert set(np.argsort(-result.doubt)[: len(wrong)]) == set(wrong)
    assert (result.other[wrong] == truths[wrong]).all()
    assert (result.doubt[np.setdiff1d(np.arange(len(truths)), wrong)] < 0).mean() > 0.98


def test_a_wrong_label_of_a_whole_group_is_no_witness_for_itself() -> None:
    places, truths, folds = bunches(2)
    shots = np.flatnonzero(truths == 0)[:8]
    places[shots] = places[shots[0]]  # eight shots of one flower
    labels = truths.copy()
    labels[shots] = 1
    folds[shots] = 3

    assert (found(places, labels, folds).doubt[shots] > 0).all()


def test_how_long_a_place_is_says_nothing() -> None:
    places, labels, folds = bunches(2)
    scaled = places * np.linspace(0.1, 9, len(places), dtype=np.float32)[:, None]

    assert np.allclose(found(places, labels, folds).doubt, found(scaled, labels, folds).doubt, atol=1e-4)


def test_with_few_images_or_one_label_nothing_is_said() -> None:
    places, labels, folds = bunches(2)
    few = FEWEST - 1

    assert doubts(places[:few], labels[:few], folds[:few]) is None
    assert doubts(places, np.zeros_like(labels), folds) is None
    assert LabelledPlaces().contradicted() == []


def test_images_of_a_group_are_in_one_fold_and_groups_in_all() -> None:
    assert {fold_of_group(f"group {number}") for number in range(200)} == set(range(FOLDS))
    assert fold_of_group("one flower") == fold_of_group("one flower")


def test_labels_that_a_person_decided_about_are_witnesses_and_not_doubted() -> None:
    places, truths, _ = bunches(2)
    known, names = LabelledPlaces(), ["grass", "dandelion"]
    wrong = {0, 20}
    known.add(
        [
            {
                "image_id": UUID(int=row),
                "label": names[truth ^ 1 if row in wrong else truth],
                "group_id": str(row),
                "to_review": row != 20,
                "place": bytes(4) + np.round(place * 20).astype(">f2").tobytes(),
            }
            for row, (truth, place) in enumerate(zip(truths.tolist(), places, strict=True))
        ]
    )

    [first, *_] = known.contradicted()

    assert first[:3] == (UUID(int=0), "dandelion", "grass")
    assert UUID(int=20) not in [image for image, *_ in known.contradicted()]
