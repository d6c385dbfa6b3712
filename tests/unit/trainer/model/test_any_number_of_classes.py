"""Head, correction layer, graph and gate with 2, 3, 10 and 40 classes, and with classes that were added later."""

from uuid import UUID

import numpy as np
import pytest

from services.trainer.gate.decisions.verdict import GateInputs, judge
from services.trainer.model.arrays import Floats, Indices
from services.trainer.model.correction_layer import CorrectionLayer, empty_layer, fit_layer
from services.trainer.model.head import Head
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from services.trainer.training.logistic_regression import fit_head
from shared.contract.artefact import ArtefactMetadata
from shared.drift.reference import check_reference, make_reference, with_more_labels
from tests.unit.trainer.model.test_onnx_artefact import WIDTH, backbone, metadata, pictures, space

ADDED = ("moss", "rose")
any_number = pytest.mark.parametrize("classes", [2, 3, 10, 40])


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"plant {number}" for number in range(classes))


def known_head(classes: int) -> tuple[Head, Floats, Indices]:
    """Return a head that has learned so many classes, and six images of each: features, and which class it is."""
    random = np.random.default_rng(classes)
    truths = np.repeat(np.arange(classes), 6)
    centers = random.normal(size=(classes, WIDTH)).astype(np.float32) * 4
    features = (centers[truths] + random.normal(size=(len(truths), WIDTH)) / 4).astype(np.float32)
    labels = names(classes)
    return fit_head(features, [labels[truth] for truth in truths], labels, inverse_penalty=10.0).head, features, truths


def corrected(head: Head, features: Floats, targets: Indices) -> CorrectionLayer:
    entries = [(UUID(int=number), 1) for number in range(len(features))]
    within = space()
    return fit_layer(features, head.logits(features), targets, entries, space=within, kappa=6.0, end=0.05)


@any_number
def test_corrections_hold_and_far_images_stay(classes: int) -> None:
    head, features, truths = known_head(classes)
    wrong = (truths[::6] + 1) % classes  # one image of each class is said to be of the next one
    layer = corrected(head, features[::6][:8], wrong[:8])
    found = predict_probabilities(head, layer, features[::6][:8]).argmax(axis=1)
    assert found.tolist() == wrong[:8].tolist()


@any_number
@pytest.mark.parametrize("parts", [1, 2])
def test_what_was_not_learned_is_never_answered_by_the_head(classes: int, parts: int) -> None:
    random = np.random.default_rng(classes)
    shape = WIDTH, parts * classes
    numbers = random.normal(size=shape).astype(np.float32), random.normal(size=shape[1]).astype(np.float32)
    head = Head(names(classes), np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32), *numbers)
    wider, features = head.with_unlearned(ADDED), random.normal(size=(200, WIDTH)).astype(np.float32)
    none, before = empty_layer(WIDTH, classes), empty_layer(WIDTH, classes + 2)
    found, known = predict_probabilities(wider, before, features), predict_probabilities(head, none, features)
    assert (wider.labels, wider.parts) == ((*head.labels, *ADDED), parts)
    assert (found.argmax(axis=1) == known.argmax(axis=1)).all()
    assert found[:, classes:].max() < 0.01
    assert np.abs(found[:, :classes] - known).max() < 0.01


@any_number
def test_an_added_class_is_answered_where_images_are_corrected_to_it(classes: int) -> None:
    head, _, _ = known_head(classes)
    described = ArtefactMetadata(head.labels, "grid", metadata().backbone_id, "0" * 64, input_size=96, kappa=6.0)
    base = assemble(backbone(), head, empty_layer(WIDTH, classes, space(), 6.0, 0.05), described)
    wider = base.with_unlearned(ADDED)
    images = pictures(6, seed=classes)
    features = wider.predict(images).features
    targets = np.array([classes, classes + 1, classes, 0], dtype=np.intp)
    entries = [(UUID(int=number), 1) for number in range(4)]
    logits = wider.head.logits(features[:4])
    layer = fit_layer(features[:4], logits, targets, entries, space=space(), kappa=6.0, end=0.05)
    artefact = Artefact.parse(wider.with_layer_inside(layer, "1" * 64).data)
    served = artefact.predict(images).probabilities
    assert artefact.metadata.labels == (*names(classes), *ADDED)
    assert served[:4].argmax(axis=1).tolist() == targets.tolist()
    agreement = compare_runtimes(predict_probabilities(artefact.head, artefact.layer, features), served)
    assert agreement.difference < 1e-4
    assert artefact.with_layer(layer, "2" * 64).metadata.labels == artefact.metadata.labels


@any_number
def test_the_reference_of_drift_goes_on_with_more_labels(classes: int) -> None:
    random = np.random.default_rng(1)
    answers = [number % classes for number in range(120)]
    reference = make_reference(random.normal(size=(60, 16)), answers, random.uniform(size=120), classes)
    assert reference is not None
    wider = with_more_labels(reference, 2)
    check_reference(wider, classes + 2)
    assert wider.features == reference.features
    assert wider.id != reference.id


def inputs(classes: int, truths: Indices, **more: object) -> GateInputs:
    labels = (*names(classes), *ADDED)
    values = {"corrections": 1, "broken": (), "newly_held": 1, "new_images": 0, "absorbed": 0, "milliseconds": 1.0}
    return GateInputs(labels, truths, **values | more, difference=0.0, disagreements=0)  # type: ignore[arg-type]


@any_number
def test_the_gate_counts_what_the_champion_does_not_know_as_wrong(classes: int) -> None:
    truths = np.arange(20 * (classes + 2)) % (classes + 2)
    challenger, champion = truths.copy(), np.where(truths < classes, truths, 0)
    verdict = judge(challenger, champion, champion, inputs(classes, truths, unknown=ADDED, full=True, new_images=40))
    said = {one.rule: one.sentence for one in verdict.rules}
    assert verdict.promote
    assert said["classes"] == "The champion does not know “moss” and “rose”: 40 test images count as wrong for it."
    assert f"40 of {len(truths)} answers are gained and 0 lost" in said["superior_to_champion"]


@any_number
def test_no_floor_is_asked_of_what_the_head_has_not_learned(classes: int) -> None:
    truths = np.arange(20 * (classes + 1)) % (classes + 1)  # moss has test images, rose has none
    answers = np.where(truths < classes, truths, 0)
    unlearned = inputs(classes, truths, unlearned=ADDED, unknown=ADDED)
    verdict = judge(answers, answers, answers, unlearned)
    assert verdict.promote
    assert verdict.route == "non_inferior"
    assert {one.rule for one in verdict.rules} >= {"classes", f"recall_plant {classes - 1}"}
    assert not any(one.rule in ("recall_moss", "recall_rose") for one in verdict.rules)
    learned = judge(answers, answers, answers, inputs(classes, truths, unknown=ADDED))
    assert not learned.promote
