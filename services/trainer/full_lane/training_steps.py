"""The functions of the training process: arithmetic on images and labels, the same result for the same job.

The process keeps what its latest learn job gave, so that features (80 MB for 10,000 images) never travel to the parent
and back. Imports torch; only the child process of the full lane imports this module.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from services.trainer.dataset.manifest import Sample
from services.trainer.features.parquet import write_features
from services.trainer.full_lane.decisions.drift import drift_reference
from services.trainer.full_lane.decisions.evaluation import evaluate_model, truths_of
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, Parameters
from services.trainer.full_lane.learned_backbone import LearnedBackbone, fits, learn_backbone, learned_already
from services.trainer.model.correction_layer import (
    MARGIN,
    RAW_KAPPA,
    RIDGE,
    CorrectionLayer,
    empty_layer,
    fit_layer,
)
from services.trainer.model.head import Head
from services.trainer.model.layer_space import DIMENSIONS, VIEW_WEIGHT, LayerGeometry
from services.trainer.model.onnx_artefact import assemble
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from services.trainer.model.sessions import ArtefactSession
from services.trainer.training import end_followers, follow_trainings, recipe_parameters, train_backbone
from services.trainer.training.calibration import FOLDS, fit_calibrated_head, fold_of
from services.trainer.training.logistic_regression import INVERSE_PENALTY
from services.trainer.training.recipe import Setting
from shared.contract.artefact import FORMAT_VERSION, ArtefactMetadata, DriftReference
from shared.drift.mewma import LAMBDA
from shared.drift.reference import RUN_IMAGES
from shared.imaging.preprocessing import INPUT_SIZE

_latest: LearnedBackbone | None = None
"""What the latest learn job of this process gave."""


def parameters(backbone: str, backbone_settings: Mapping[str, Setting]) -> Parameters:
    """Return everything beside the manifest that shapes a model: part of its version, and recorded with it."""
    constants: Parameters = {
        "input_size": INPUT_SIZE,
        "format_version": FORMAT_VERSION,
        "inverse_penalty": INVERSE_PENALTY,
        "calibration_folds": FOLDS,
        "layer_dimensions": DIMENSIONS,
        "layer_view_weight": VIEW_WEIGHT,
        "ridge": RIDGE,
        "margin": MARGIN,
        "drift_lambda": LAMBDA,
        "drift_run_images": RUN_IMAGES,
    }
    return recipe_parameters(backbone, backbone_settings) | constants


def follow() -> None:
    """Under torchrun: learn backbones together with process 0, until it ends."""
    follow_trainings()


def end_following() -> None:
    """Under torchrun: end the other processes, as process 0."""
    end_followers()


def load_libraries() -> None:
    """Learn and export something tiny, so that the first real training does not pay for what torch does only once."""
    noise = np.random.default_rng(0).integers(0, 255, (2, INPUT_SIZE, INPUT_SIZE, 3), dtype=np.uint8)
    train_backbone("patches", noise, 0, {"pairs": 2, "dimensions": 2, "sampled_patches": 50, "iterations": 1})


def learn(job: LearnJob) -> Learned:
    """Learn the backbone, and keep it with the features of all images for the fit.

    Raises:
        NotEnoughImages: no image of the training side can be decoded.
        TransientError: a file of the image folder is missing or damaged.
    """
    learned = _learn_and_keep(job)
    return Learned(learned.undecodable, learned.seconds)


def fit(job: FitJob) -> Fitted:
    """Fit head and correction layer to the labels of the manifest, assemble the artefact and evaluate it.

    A process that was started after the learn job, or has done another one since, learns the backbone again first: the
    same job gives the same backbone. Test images are judged without their own corrections. Parity compares torch with
    the artefact under onnxruntime.

    Raises:
        TransientError: the backbone is learned again, and a file of the image folder is missing or damaged.
    """
    learned = _latest if _latest is not None and _latest.job == job.learn else _learn_and_keep(job.learn)
    if not fits(learned, job.manifest):  # labels that it has learned from were changed meanwhile
        learned = _learn_and_keep(replace(job.learn, manifest=job.manifest))
    return fit_to(learned, job)


def fit_to(learned: LearnedBackbone, job: FitJob) -> Fitted:
    """Fit head and correction layer to a learned backbone; see `fit`."""
    started = time.perf_counter()
    row = {digest: index for index, digest in enumerate(learned.sha256s)}
    training = [sample for sample in job.manifest.of_side("train") if sample.label not in job.unlearned]
    rows = np.array([row[sample.sha256] for sample in training])
    fitted = fit_calibrated_head(
        learned.training.chosen(rows),
        [sample.label for sample in training],
        job.labels,
        [fold_of(sample.sha256) for sample in training],
        part_widths=learned.backbone.part_widths,
        unseen=None if learned.unseen is None else learned.unseen.chosen(rows),
    )
    head = fitted.head.with_unlearned(job.unlearned)
    head_done = time.perf_counter()
    corrected = [sample for sample in job.manifest.samples if sample.revision]
    layer = _fit_layer(head, corrected, learned, row)
    layer_done = time.perf_counter()
    features = dict(zip(learned.sha256s, learned.features, strict=True))
    drift = drift_reference(head, layer, job.manifest, features)
    drift_done = time.perf_counter()
    artefact = assemble(learned.backbone.onnx, head, layer, _describe(job, learned, layer, drift))
    assembled = time.perf_counter()
    metrics, confusion = evaluate_model(head, layer, job.manifest, features)
    metrics |= _describe_geometry(learned.geometry)
    metrics["temperature"] = fitted.temperature
    if fitted.out_of_fold_log_loss is not None:
        metrics["out_of_fold_log_loss"] = fitted.out_of_fold_log_loss
    metrics |= _check_parity(learned, head, layer, artefact.data)
    seconds = {
        "head": head_done - started,
        "layer": layer_done - head_done + assembled - drift_done,
        "drift": drift_done - layer_done,
        "evaluation": time.perf_counter() - assembled,
    }
    return Fitted(
        artefact=artefact.data,
        backbone_id=learned.backbone.id,
        weights_sha256=artefact.hash_weights(),
        features_parquet=write_features(learned.sha256s, learned.features),
        metrics=metrics,
        confusion=confusion,
        curve=fitted.curve,
        backbone_curves={name: tuple(values) for name, values in learned.backbone.curves.items()},
        seconds=seconds,
    )


def _learn_and_keep(job: LearnJob) -> LearnedBackbone:
    global _latest
    if _latest is not None and (again := learned_already(_latest, job)) is not None:
        _latest = again
        return _latest
    _latest = None  # the features of two data sets need not fit into memory
    _latest = learn_backbone(job)
    return _latest


def _describe(
    job: FitJob, learned: LearnedBackbone, layer: CorrectionLayer, drift: DriftReference | None
) -> ArtefactMetadata:
    return ArtefactMetadata(
        labels=(*job.labels, *job.unlearned),
        backbone_kind=learned.backbone.kind,
        backbone_id=learned.backbone.id,
        manifest_sha256=job.manifest.sha256,
        input_size=INPUT_SIZE,
        kappa=layer.kappa,
        corrections=layer.entries,
        drift=drift,
        mirror_proof=learned.mirror_proof,
    )


def _fit_layer(
    head: Head, corrected: Sequence[Sample], learned: LearnedBackbone, row: Mapping[str, int]
) -> CorrectionLayer:
    """Fit a layer to what the new head does not answer as corrected, on either side of the split."""
    found = learned.geometry
    space, kappa, end = (None, RAW_KAPPA, 0.0) if found is None else (found.space, found.kappa, found.end)
    if not corrected:
        return empty_layer(len(head.mean), len(head.labels), space, kappa, end)
    chosen = [row[sample.sha256] for sample in corrected]
    views = [learned.features[chosen]]
    if space is not None and learned.training.mirrored is not None:
        views.append(learned.training.mirrored[chosen])
    centers = np.stack(views, axis=1).reshape(len(chosen) * len(views), -1)  # a mirror row follows its image's
    targets = truths_of(corrected, head.labels).repeat(len(views))
    entries = [(sample.image_id, sample.revision) for sample in corrected for _ in views]
    return fit_layer(centers, head.logits(centers), targets, entries, space=space, kappa=kappa, end=end)


def _describe_geometry(geometry: LayerGeometry | None) -> dict[str, float]:
    """Return by what figures kappa was chosen; nothing without a space."""
    if geometry is None:
        return {}
    return {
        "layer_kappa": geometry.kappa,
        "layer_end": geometry.end,
        "layer_view_cosine": geometry.view_cosine,
        "layer_other_cosine": geometry.other_cosine,
    }


def _check_parity(learned: LearnedBackbone, head: Head, layer: CorrectionLayer, artefact: bytes) -> dict[str, float]:
    """Return how far torch and the artefact are apart on images of the test side: the gate looks at it."""
    served = ArtefactSession(artefact).predict(learned.probes)
    of_torch = predict_probabilities(head, layer, learned.backbone.probe_features)
    found = compare_runtimes(of_torch, served.probabilities)
    return {"parity_difference": found.difference, "parity_disagreements": float(found.disagreements)}
