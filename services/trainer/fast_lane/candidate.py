"""A candidate of the fast lane: the champion's backbone and head with a correction layer fitted anew. No torch, no
I/O."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.dataset.records import Correction
from services.trainer.dataset.split import side
from services.trainer.model.arrays import Vector, stack_features
from services.trainer.model.correction_layer import KAPPA, MARGIN, RIDGE, CorrectionLayer, empty_layer, fit_layer
from services.trainer.model.head import Head
from services.trainer.model.onnx_artefact import hash_weights, read_backbone, read_head, replace_layer
from services.trainer.model.reference_inference import Agreement, compare_runtimes, predict_probabilities
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor
from shared.contract.artefact import FORMAT_VERSION
from shared.imaging.preprocessing import Pixels
from shared.runtime.errors import PappusError

RECIPE = f"layer kappa={KAPPA} ridge={RIDGE} margin={MARGIN} format={FORMAT_VERSION}"
"""What shapes a layer beside corrections and champion; part of the version."""
LARGEST_DIFFERENCE = 1e-4


class CandidateBuildError(PappusError):
    """The candidate cannot be made from what is there; the text is for the health report."""


@dataclass(frozen=True)
class LoadedChampion:
    """A champion, read: its bytes, its head, and its backbone loaded."""

    artefact: bytes
    artefact_sha256: str
    head: Head
    backbone_id: str
    extractor: FeatureExtractor


@dataclass(frozen=True)
class Candidate:
    """A candidate: bytes with their hash, the hash of the learned numbers, its manifest, how many rows the layer has,
    how numpy and onnxruntime agree about some corrected images, seconds per stage."""

    artefact: bytes
    artefact_sha256: str
    weights_sha256: str
    manifest: Manifest
    rows: int
    parity: Agreement
    seconds: Mapping[str, float]

    @property
    def agrees(self) -> bool:
        """Whether both runtimes answer alike: else nobody may be told of this candidate."""
        return self.parity.difference <= LARGEST_DIFFERENCE and not self.parity.disagreements


def load_champion(artefact: bytes, artefact_sha256: str, known: LoadedChampion | None = None) -> LoadedChampion:
    """The champion with these bytes; the loaded backbone of `known` is used again if it is the same. Raises
    InvalidMessage if the bytes are no artefact."""
    backbone = read_backbone(artefact)
    backbone_id = sha256(backbone).hexdigest()
    same = known is not None and known.backbone_id == backbone_id
    extractor = known.extractor if known is not None and same else FeatureExtractor(backbone)
    return LoadedChampion(artefact, artefact_sha256, read_head(artefact), backbone_id, extractor)


def build_candidate(
    base: LoadedChampion,
    corrections: Sequence[Correction],
    vectors: Mapping[str, Vector],
    prepared: Mapping[str, Pixels],
) -> Candidate:
    """The base with a layer over exactly these corrections. `vectors` are features by sha256, one for each correction;
    `squares` the prepared images of some of them, by sha256, for the comparison of the runtimes."""
    started = time.perf_counter()
    manifest = manifest_of(
        Sample(one.image_id, one.sha256, one.label, one.revision, side(one.group_id)) for one in corrections
    )
    layer = _fit_layer(base.head, corrections, vectors)
    fitted = time.perf_counter()
    artefact = replace_layer(base.artefact, layer, manifest.sha256)
    written = time.perf_counter()
    parity = _check_parity(base.head, layer, artefact, vectors, prepared)
    return Candidate(
        artefact=artefact,
        artefact_sha256=sha256(artefact).hexdigest(),
        weights_sha256=hash_weights(artefact),
        manifest=manifest,
        rows=len(layer.entries),
        parity=parity,
        seconds={"fit": fitted - started, "write": written - fitted, "parity": time.perf_counter() - written},
    )


def _fit_layer(head: Head, corrections: Sequence[Correction], vectors: Mapping[str, Vector]) -> CorrectionLayer:
    if not corrections:
        return empty_layer(len(head.mean), len(head.labels))
    features = stack_features([vectors[one.sha256] for one in corrections], len(head.mean))  # [n, d]
    targets = np.array([head.labels.index(one.label) for one in corrections], dtype=np.intp)  # [n]
    return fit_layer(features, head.logits(features), targets, [(one.image_id, one.revision) for one in corrections])


def _check_parity(
    head: Head, layer: CorrectionLayer, artefact: bytes, vectors: Mapping[str, Vector], prepared: Mapping[str, Pixels]
) -> Agreement:
    """numpy on the features the layer was fitted on, against the whole graph on the pixels. Without a corrected image
    it still shows that the graph loads."""
    session = ArtefactSession(artefact)
    features = stack_features([vectors[digest] for digest in prepared], len(head.mean))  # [k, d]
    if not prepared:
        return Agreement(0.0, 0)
    served = session.predict(np.stack(list(prepared.values()))).probabilities
    return compare_runtimes(predict_probabilities(head, layer, features), served)
