"""A candidate of the fast lane: the champion's backbone and head with a correction layer fitted again. No torch, no
I/O."""

import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.dataset.records import Correction
from services.trainer.model.arrays import Vector, stack_features
from services.trainer.model.correction_layer import MARGIN, RIDGE, CorrectionLayer, fit_placed
from services.trainer.model.neighbours import Neighbours
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.placed_images import PlacedImages
from services.trainer.model.reference_inference import Agreement, compare_runtimes, predict_probabilities
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.artefact import LAYER_FORMAT_VERSION
from shared.contract.split import side
from shared.imaging.preprocessing import INPUT_SIZE
from shared.imaging.structure import Pixels
from shared.runtime.errors import PappusError

RECIPE = f"layer of needed rows ridge={RIDGE} margin={MARGIN} format={LAYER_FORMAT_VERSION}"
"""What shapes a layer beside corrections and champion, which holds kappa and the space; part of the version."""
LARGEST_DIFFERENCE = 1e-3
"""Of a probability. Corrections that contradict each other on nearly equal images have coefficients of hundreds, with
which 32-bit floats differ by some 2e-4; a graph that is wrong differs by far more."""


class CandidateBuildError(PappusError):
    """The candidate cannot be built; the text is for the health report."""


@dataclass(frozen=True)
class LoadedChampion:
    """A champion in memory: its artefact, parsed, its backbone, loaded, where the images lie that layers built on it
    correct, and which of them are near each other."""

    artefact: Artefact
    extractor: FeatureExtractor
    placed: PlacedImages
    neighbours: Neighbours = field(default_factory=Neighbours)
    stored: bool = True
    """Whether an artefact with its head lies in the store, which a layer alone can name."""

    @property
    def backbone_id(self) -> str:
        """Under which its features are kept."""
        return self.artefact.backbone.id

    @property
    def wants_mirrored(self) -> bool:
        """Whether a correction has a row for the mirrored image, too: in a space, unless its features are the same.
        Artefacts of format 1 have no space, and no such rows."""
        return self.artefact.layer.space is not None and not self.artefact.metadata.mirror_proof

    def with_unlearned(self, labels: Sequence[str]) -> "LoadedChampion":
        """Return the champion with these labels after its own, which its head has not learned: what is built on it is a
        whole artefact."""
        artefact = self.artefact.with_unlearned(labels)
        placed = PlacedImages(artefact.head, artefact.layer)
        return LoadedChampion(artefact, self.extractor, placed, self.neighbours, stored=False)

    def succeeded_by(self, artefact: Artefact) -> "LoadedChampion":
        """Return the champion with this artefact, built on the same backbone and head."""
        return LoadedChampion(artefact, self.extractor, self.placed, self.neighbours)


@dataclass(frozen=True)
class Candidate:
    """A candidate: its artefact, the hash of the learned numbers, its manifest, seconds per stage."""

    artefact: Artefact
    weights_sha256: str
    manifest: Manifest
    seconds: Mapping[str, float]


def load_champion(artefact: Artefact, extractors: MutableMapping[str, FeatureExtractor]) -> LoadedChampion:
    """Return the champion with this artefact. `extractors` are the backbones in memory by id; a new one is added."""
    backbone = artefact.backbone
    if backbone.id not in extractors:
        extractors[backbone.id] = FeatureExtractor(backbone.onnx)
    artefact.graph.session(artefact.layer)  # the first candidate is compared under it as quickly as the next
    return LoadedChampion(artefact, extractors[backbone.id], PlacedImages(artefact.head, artefact.layer))


def manifest_of_corrections(corrections: Sequence[Correction]) -> Manifest:
    """Return what a candidate of these corrections is made from."""
    return manifest_of(
        Sample(one.image_id, one.sha256, one.label, one.revision, side(one.group_id)) for one in corrections
    )


def build_candidate(
    base: LoadedChampion,
    corrections: Sequence[Correction],
    vectors: Mapping[str, Vector],
    mirrored: Mapping[str, Vector] | None = None,
    manifest: Manifest | None = None,
) -> Candidate:
    """Return the base with a layer over exactly these corrections. `vectors` are features by sha256, one for each
    correction, `mirrored` those of the mirrored images, which a base that `wants_mirrored` needs. `manifest`: of these
    corrections, if it is there already."""
    started = time.perf_counter()
    manifest = manifest or manifest_of_corrections(corrections)
    layer = _fit_layer(base, corrections, [vectors] if mirrored is None else [vectors, mirrored])
    fitted = time.perf_counter()
    write = base.artefact.with_layer if base.stored else base.artefact.with_layer_inside
    artefact = write(layer, manifest.sha256)
    weights_sha256 = artefact.hash_weights()
    seconds = {"fit": fitted - started, "write": time.perf_counter() - fitted}
    return Candidate(artefact, weights_sha256, manifest, seconds)


def check_parity(artefact: Artefact, vectors: Mapping[str, Vector], prepared: Mapping[str, Pixels]) -> Agreement:
    """Compare numpy on the features the layer was fitted on, by sha256, with the whole graph on the pixels of some of
    these images. Without an image this still shows that the graph answers."""
    head = artefact.head
    if not prepared:
        artefact.predict(np.full((1, INPUT_SIZE, INPUT_SIZE, 3), 128, np.uint8))
        return Agreement(0.0, 0)
    features = stack_features([vectors[digest] for digest in prepared], len(head.mean))  # [k, d]
    served = artefact.predict(np.stack(list(prepared.values()))).probabilities
    return compare_runtimes(predict_probabilities(head, artefact.layer, features), served)


def agrees(parity: Agreement) -> bool:
    """Return whether both runtimes answer alike: a candidate for which they do not is not announced."""
    return parity.difference <= LARGEST_DIFFERENCE and not parity.disagreements


def _fit_layer(
    base: LoadedChampion, corrections: Sequence[Correction], views: Sequence[Mapping[str, Vector]]
) -> CorrectionLayer:
    """Fit a layer in the base's space; each correction has a row for each of `views`, features by sha256."""
    labels = base.artefact.head.labels
    logits, units = base.placed.find([(view, one.sha256) for one in corrections for view in range(len(views))], views)
    targets = np.array([labels.index(one.label) for one in corrections for _ in views], dtype=np.intp)  # [n]
    entries = [(one.image_id, one.revision) for one in corrections for _ in views]
    return fit_placed(units, logits, targets, entries, base.artefact.layer, neighbours=base.neighbours)
