"""The jobs of the training process and their results. Plain values: nothing here imports torch, and no job or result
carries the features of the images, which stay in the training process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.trainer.dataset.manifest import Manifest
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
    backbone_settings: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Learned:
    """A learned backbone waits in the training process. undecodable: sha256 of the images whose bytes cannot be
    decoded. seconds: of each stage."""

    undecodable: tuple[str, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class FitJob:
    """Fit head and correction layer to the labels of `manifest`, whose images are readable ones of `learn`, and
    evaluate the model. `learn` is the job that gave the backbone. `labels` are the classes that the head learns, in the
    order of the probabilities; after them come the `unlearned`, of which only the layer knows corrected images."""

    learn: LearnJob
    manifest: Manifest
    labels: tuple[str, ...]
    unlearned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """The artefact, the features as Parquet, and every figure about them; see `ModelTrained` for their meaning."""

    artefact: bytes
    backbone_id: str
    weights_sha256: str
    features_parquet: bytes
    metrics: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]
    curve: tuple[float, ...]
    backbone_curves: Mapping[str, tuple[float, ...]]
    seconds: Mapping[str, float]
