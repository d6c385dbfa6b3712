"""From models and features to what the gate judges: answers on the test images, corrections that break, and the
corrections that broke them. Pure arithmetic on numpy arrays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import Correction, Retraction, find_taken_back
from services.trainer.model.arrays import Indices, Vector, Vectors, stack_features
from services.trainer.model.correction_layer import CorrectionLayer, most_responsible, own_rows
from services.trainer.model.head import Head
from services.trainer.model.known_images import KnownImages
from services.trainer.model.reference_inference import predict_probabilities
from shared.contract.artefact import CorrectionEntry
from shared.contract.events import ModelTrained, SetAside
from shared.contract.label_set import quoted


@dataclass(frozen=True)
class ComparedModel:
    """A model that is judged, or that others are compared with: what was announced, and what its artefact holds."""

    trained: ModelTrained
    head: Head
    layer: CorrectionLayer


@dataclass(frozen=True)
class LockedTests:
    """The locked test images: their samples, all labels in play, the true class of each as an index into `labels`
    [n]."""

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    truths: Indices

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """The sha256 of each image's bytes."""
        return tuple(sample.sha256 for sample in self.samples)

    @cached_property
    def identity(self) -> str:
        """A hash of which images they are, with which bytes."""
        named = sha256()
        for image_id, digest in zip(self.image_ids, self.digests, strict=True):
            named.update(image_id.bytes + digest.encode())
        return named.hexdigest()

    @cached_property
    def image_ids(self) -> tuple[UUID, ...]:
        """Which images they are."""
        return tuple(sample.image_id for sample in self.samples)


def select_locked_tests(
    samples: Sequence[Sample], challenger: ModelTrained, champion: ModelTrained | None
) -> LockedTests:
    """Return today's test images, with the labels of challenger and champion together: a class that a challenger has
    forgotten counts against it. An image with a label that neither knows is left out."""
    known = (*challenger.labels, *(() if champion is None else champion.labels))
    labels = tuple(dict.fromkeys(known))
    chosen = tuple(sample for sample in samples if sample.side == "test" and sample.label in labels)
    truths = np.array([labels.index(sample.label) for sample in chosen], dtype=np.intp)
    return LockedTests(chosen, labels, truths)


def predict_tests(
    model: ComparedModel,
    tests: LockedTests,
    vectors: Vectors,
    taken_back: Collection[CorrectionEntry] = (),
    known: KnownImages | None = None,
) -> Indices:
    """Return what the model answers on each test image [n], as indices into `tests.labels`, -1 for a label that is none
    of them. A corrected test image is answered without its own row: in service the correction would give the truth
    away. The rows of corrections that were taken back do not count either: a model that obeys the person is not
    compared with one that does not. `known` remembers what earlier calls computed."""
    if known is not None and model.layer.end:
        found = known.predict_probabilities(
            model.head, model.layer, tests.digests, vectors, image_ids=tests.image_ids, without=taken_back
        )
    else:
        ignored = own_rows(model.layer, tests.image_ids)  # [n, m]
        ignored[:, [row for row, entry in enumerate(model.layer.entries) if entry in taken_back]] = True
        found = predict_probabilities(model.head, model.layer, _stack(model, tests.digests, vectors), ignored)
    own = found.argmax(axis=1)
    index = {label: position for position, label in enumerate(tests.labels)}
    positions: Indices = np.array([index.get(label, -1) for label in model.head.labels], dtype=np.intp)
    answers: Indices = positions[own]
    return answers


def find_broken_corrections(
    model: ComparedModel, corrections: Sequence[Correction], vectors: Vectors, known: KnownImages | None = None
) -> tuple[UUID, ...]:
    """Return the corrected images that the model, as it would serve, does not answer as corrected. `known` remembers
    what earlier calls computed."""
    digests = [one.sha256 for one in corrections]
    if known is not None and model.layer.end:
        found = known.predict_probabilities(model.head, model.layer, digests, vectors)
    else:
        found = predict_probabilities(model.head, model.layer, _stack(model, digests, vectors))
    answers = found.argmax(axis=1)
    labels = model.head.labels
    return tuple(
        one.image_id for one, given in zip(corrections, answers, strict=True) if labels[int(given)] != one.label
    )


def held_corrections(model: ModelTrained, corrections: Sequence[Correction]) -> list[Correction]:
    """Return the applied corrections that the model's manifest holds, in the revision that is current."""
    revisions = {(one.image_id, one.revision) for one in model.held}
    return [one for one in corrections if (one.image_id, one.revision) in revisions]


def count_newly_held(challenger: ModelTrained, champion: ModelTrained | None, corrections: Sequence[Correction]) -> int:
    """Return how many applied corrections the challenger holds and the champion does not."""
    before = set() if champion is None else {one.event_id for one in held_corrections(champion, corrections)}
    return sum(one.event_id not in before for one in held_corrections(challenger, corrections))


def count_taken_back(challenger: ModelTrained, champion: ModelTrained | None, retractions: Sequence[Retraction]) -> int:
    """Return how many corrections the champion holds and the challenger does not because they were taken back."""
    if champion is None:
        return 0
    kept = {(one.image_id, one.revision) for one in challenger.held}
    return sum((one.image_id, one.revision) not in kept for one, _ in find_taken_back(champion.held, retractions))


def count_absorbed(challenger: ComparedModel, champion: ComparedModel | None) -> int:
    """Return how many corrections were in the champion's layer and are in the challenger's head now."""
    if champion is None or challenger.trained.lane != "full":
        return 0
    known = {(one.image_id, one.revision) for one in challenger.trained.held}
    return len((set(champion.layer.entries) & known) - set(challenger.layer.entries))


@dataclass(frozen=True)
class Regressions:
    """What a challenger broke: positions of test images it lost, its answers on all of them, corrected images it does
    not answer as corrected, and whether the trained model and the one that will serve differ."""

    lost_images: Sequence[int]
    answers: Indices
    broken: Sequence[UUID]
    runtimes_differ: bool = False


def choose_set_aside(
    challenger: ComparedModel,
    champion: ModelTrained,
    tests: LockedTests,
    regressions: Regressions,
    corrections: Sequence[Correction],
    vectors: Vectors,
) -> tuple[SetAside, ...]:
    """Return the corrections with most weight on the answers that broke, and the sentence for each: so that the others
    need not wait. For each lost test image and each broken correction one of those that are new; if no new one weighs
    on any, all that are new. What the champion holds stays in it, so setting that aside would change nothing: the
    same candidate would be rejected again and again."""
    fresh = {(one.image_id, one.revision) for one in challenger.trained.held}
    fresh -= {(one.image_id, one.revision) for one in champion.held}
    chosen: dict[CorrectionEntry, str] = {}
    for position in regressions.lost_images:
        lost, given = tests.samples[position], tests.labels[regressions.answers[position]]
        responsible = _most_responsible_correction(challenger, vectors[lost.sha256], given, lost.label, fresh)
        if responsible is not None:
            sentence = (
                f"With it test image {lost.image_id} is answered {quoted(given)} instead of {quoted(lost.label)}."
            )
            chosen.setdefault(responsible, sentence)
    for one in corrections:
        if one.image_id in regressions.broken and (found := _find_contradicting(challenger, one, vectors, fresh)):
            chosen.setdefault(*found)
    if not chosen and (regressions.lost_images or regressions.broken):
        chosen = dict.fromkeys(sorted(fresh), "It is among the newest, and together they made other answers wrong.")
    if not chosen and regressions.runtimes_differ:
        newest = max(
            (one for one in corrections if (one.image_id, one.revision) in fresh),
            key=lambda one: (one.corrected_at, one.image_id),
            default=None,
        )
        if newest is not None:
            sentence = "It contradicts corrections so near to it that answers become inexact."
            chosen[newest.image_id, newest.revision] = sentence
    return tuple(
        SetAside(image_id=image_id, revision=revision, sentence=sentence)
        for (image_id, revision), sentence in sorted(chosen.items())
    )


def _most_responsible_correction(
    challenger: ComparedModel, vector: Vector, given: str, truth: str, fresh: set[CorrectionEntry]
) -> CorrectionEntry | None:
    """Return which of `fresh` pushed an image with these features [d] from `truth` to `given` most; None if none
    did."""
    labels = challenger.head.labels
    if truth not in labels:
        return None
    answered, right = (np.array([labels.index(label)], dtype=np.intp) for label in (given, truth))
    strongest_first = most_responsible(challenger.layer, vector[None, :], answered, right)
    return next((entry for entry in strongest_first if entry in fresh), None)


def _find_contradicting(
    challenger: ComparedModel, one: Correction, vectors: Vectors, fresh: set[CorrectionEntry]
) -> tuple[CorrectionEntry, str] | None:
    """Return the correction responsible for one that does not hold: itself if it is new, else the new correction that
    contradicts it; None if none does."""
    entry = (one.image_id, one.revision)
    if entry in fresh:
        return (
            entry,
            f"Other corrections very near to it say otherwise, so it could not be answered {quoted(one.label)}.",
        )
    vector = vectors[one.sha256]
    given = predict_probabilities(challenger.head, challenger.layer, vector[None, :]).argmax(axis=1)[0]
    responsible = _most_responsible_correction(challenger, vector, challenger.head.labels[int(given)], one.label, fresh)
    if responsible is None:
        return None
    return responsible, f"With it the corrected image {one.image_id} is no longer answered {quoted(one.label)}."


def _stack(model: ComparedModel, digests: Sequence[str], vectors: Vectors) -> NDArray[np.float32]:
    return stack_features([vectors[digest] for digest in digests], len(model.head.mean))
