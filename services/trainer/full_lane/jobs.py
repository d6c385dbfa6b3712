"""What goes to the training process and what comes back. Plain values: nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.trainer.dataset.manifest import Manifest
from services.trainer.model.arrays import Floats
from shared.runtime.errors import PappusError


class NotEnoughImages(PappusError):
    """There are too few labelled images for any model; more of them are needed, not another try."""


Parameters = dict[str, str | int | float]


@dataclass(frozen=True)
class LearnJob:
    """Learn the backbone `backbone` from the training side of a manifest whose images lie in `folder` by sha256."""

    manifest: Manifest
    folder: Path
    backbone: str
    backbone_settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Learned:
    """A backbone and what it sees: features float32 [n, d] in the order of `sha256s`, of the mirrored images too.

    probe_features: what torch answers for the test side, float32 [t, d], in the order of `probe_sha256s`.
    undecodable: sha256 of images whose bytes are not a picture any more. seconds: of each stage.
    """

    backbone_kind: str
    backbone_onnx: bytes
    backbone_id: str
    sha256s: tuple[str, ...]
    features: Floats
    mirrored_features: Floats
    probe_sha256s: tuple[str, ...]
    probe_features: Floats
    undecodable: tuple[str, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class FitJob:
    """Fit head and correction layer to the labels of this manifest, whose images are those of `learned`, and judge
    them. `labels` are the classes, in the order of the probabilities."""

    manifest: Manifest
    folder: Path
    learned: Learned
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """The artefact, the features as Parquet, and every figure about them; see `ModelTrained` for their meaning."""

    artefact: bytes
    weights_sha256: str
    features_parquet: bytes
    metrics: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]
    curve: tuple[float, ...]
    seconds: Mapping[str, float]
