"""Candidates as the lane builds them, one after the other from the last, without log or tables."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import numpy as np
import pytest

from services.trainer.dataset.records import Correction
from services.trainer.fast_lane.candidate import (
    Candidate,
    LoadedChampion,
    agrees,
    build_candidate,
    check_parity,
    load_champion,
)
from services.trainer.model.arrays import Images, Indices
from services.trainer.model.correction_layer import empty_layer
from services.trainer.model.layer_space import LayerSpace
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.sessions import mirror
from tests.unit.trainer.model.test_onnx_artefact import LABELS, WIDTH, backbone, head, metadata, pictures, space

IMAGES = pictures(8, seed=5)
MADE_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def champion(within: LayerSpace | None, mirror_proof: bool = False) -> LoadedChampion:
    layer = empty_layer(WIDTH, len(LABELS), within, *((6.0, 0.05) if within else (40.0, 0.0)))
    described = replace(metadata(), mirror_proof=mirror_proof, format_version=2 if within else 1)
    return load_champion(assemble(backbone(), head(), layer, described), {})


def correction(number: int, label: str, revision: int = 1) -> Correction:
    return Correction(UUID(int=number), revision, label, str(number), f"images/{number}", f"group-{number}", MADE_AT,
                      UUID(int=100 * revision + number))  # fmt: skip


def build(base: LoadedChampion, corrections: Sequence[Correction]) -> Candidate:
    """Build as the lane does: features of the corrected images, and of those mirrored where the base wants them."""
    images = {one.sha256: IMAGES[one.image_id.int] for one in corrections}
    stacked = np.stack(list(images.values())) if images else IMAGES[:0]
    vectors = dict(zip(images, base.extractor.features(stacked), strict=True))
    mirrored = dict(zip(images, base.extractor.features(mirror(stacked)), strict=True)) if base.wants_mirrored else None
    candidate = build_candidate(base, corrections, vectors, mirrored)
    assert agrees(check_parity(candidate.artefact, vectors, images))
    return candidate


def answers(artefact: Artefact, images: Images) -> Indices:
    return np.asarray(artefact.predict(images).probabilities.argmax(axis=1))


def other_labels(base: LoadedChampion) -> list[str]:
    """Return for each image a label that the base does not answer."""
    return [LABELS[(answer + 1) % len(LABELS)] for answer in answers(base.artefact, IMAGES)]


@pytest.mark.parametrize("format_version", [1, 2])
def test_a_withdrawn_correction_is_gone_from_the_next_answer(format_version: int) -> None:
    base = champion(space() if format_version == 2 else None)
    before, wrong = answers(base.artefact, IMAGES), other_labels(base)
    everything = [correction(number, wrong[number]) for number in range(8)]
    with_all = build(base, everything)
    assert [LABELS[answer] for answer in answers(with_all.artefact, IMAGES)] == wrong

    without_third = build(base.succeeded_by(with_all.artefact), everything[:3] + everything[4:])

    after = answers(without_third.artefact, IMAGES)
    assert after[3] == before[3]
    assert [LABELS[answer] for answer in np.delete(after, 3)] == wrong[:3] + wrong[4:]
    assert UUID(int=3) not in {image_id for image_id, _ in without_third.artefact.metadata.corrections}
    nothing = build(base.succeeded_by(without_third.artefact), [])
    assert np.array_equal(answers(nothing.artefact, IMAGES), before)


def test_whatever_happened_before_the_same_corrections_give_the_same_bytes() -> None:
    base = champion(space())
    wrong = other_labels(base)
    everything = [correction(number, wrong[number]) for number in range(8)]
    current = base
    for chosen in (everything[:1], everything[:5], everything, everything[2:], everything[:1] + everything[4:]):
        current = current.succeeded_by(build(current, chosen).artefact)
    fresh = champion(space())
    assert build(current, everything).artefact.data == build(fresh, everything).artefact.data


def test_a_corrected_image_may_be_corrected_to_every_label_in_turn() -> None:
    base = champion(space())
    for revision, label in enumerate(LABELS, start=1):
        base = base.succeeded_by(build(base, [correction(0, label, revision)]).artefact)
        assert LABELS[int(answers(base.artefact, IMAGES[:1])[0])] == label


def test_the_mirrored_image_follows_where_features_are_not_mirror_proof() -> None:
    base = champion(space())
    wrong = other_labels(base)
    candidate = build(base, [correction(number, wrong[number]) for number in range(4)])
    ids = [image_id.int for image_id, _ in candidate.artefact.layer.entries]
    assert ids == sorted(ids)
    assert len(ids) > len(set(ids)) == 4, "a second row for a mirrored image that the head does not answer so"
    assert [LABELS[answer] for answer in answers(candidate.artefact, mirror(IMAGES[:4]))] == wrong[:4]


@pytest.mark.parametrize(("within", "mirror_proof"), [(space(), True), (None, False)])
def test_mirror_proof_features_and_format_1_have_one_row_each(within: LayerSpace | None, mirror_proof: bool) -> None:
    base = champion(within, mirror_proof)
    assert not base.wants_mirrored
    wrong = other_labels(base)
    candidate = build(base, [correction(number, wrong[number]) for number in range(4)])
    assert [image_id.int for image_id, _ in candidate.artefact.layer.entries] == [0, 1, 2, 3]
    assert candidate.artefact.sha256 == sha256(candidate.artefact.data).hexdigest()
    assert candidate.artefact.metadata.mirror_proof == mirror_proof
